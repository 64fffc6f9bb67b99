//! compio.
use super::{Rt, futures_mpsc};
use std::{
    future::Future,
    net::TcpListener,
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};

pub struct Compio;
pub struct CJoin<T>(compio::runtime::JoinHandle<T>);
impl<T> Future for CJoin<T> {
    type Output = T;
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        Pin::new(&mut self.0).poll(cx).map(|r| r.ok().unwrap())
    }
}

impl Rt for Compio {
    type H = ();
    type Join<T: Clone + 'static> = CJoin<T>;
    const HAS_OFFLOAD: bool = true;
    futures_mpsc!();

    fn run<F, Fut>(f: F) -> Fut::Output
    where
        F: FnOnce(()) -> Fut,
        Fut: Future + 'static,
        Fut::Output: Clone + 'static,
    {
        let rt = compio::runtime::Runtime::new().unwrap();
        rt.block_on(async move { Self::spawn((), f(())).await })
    }
    fn spawn<F>(_: (), fut: F) -> CJoin<F::Output>
    where
        F: Future + 'static,
        F::Output: Clone + 'static,
    {
        CJoin(compio::runtime::spawn(fut))
    }
    fn cancel<T: Clone + 'static>(join: CJoin<T>) {
        drop(join)
    }
    fn detach<T: Clone + 'static>(join: CJoin<T>) {
        join.0.detach()
    }
    fn sleep_until(_: (), at: Instant) -> impl Future<Output = ()> + 'static {
        compio::time::sleep_until(at)
    }
    fn offload(
        _: (),
        job: impl FnOnce() -> u64 + Send + 'static,
    ) -> impl Future<Output = u64> + 'static {
        CJoin(compio::runtime::spawn_blocking(job))
    }
    async fn echo(_: (), listener: TcpListener) {
        use compio::io::{AsyncRead, AsyncWriteExt};
        let l = compio::net::TcpListener::from_std(listener).unwrap();
        loop {
            let (mut s, _) = l.accept().await.unwrap();
            compio::runtime::spawn(async move {
                let mut buf: Vec<u8> = Vec::with_capacity(1024);
                loop {
                    let compio::buf::BufResult(r, b) = s.read(buf).await;
                    if !matches!(r, Ok(n) if n > 0) {
                        return;
                    }
                    let compio::buf::BufResult(r, b) = s.write_all(b).await;
                    if r.is_err() {
                        return;
                    }
                    buf = b;
                    buf.clear();
                }
            })
            .detach();
        }
    }
}
