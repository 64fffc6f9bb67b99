//! glommio.
use super::{Rt, futures_mpsc};
use std::{future::Future, net::TcpListener, time::Instant};

pub struct Glommio;

impl Rt for Glommio {
    type H = ();
    type Join<T: Clone + 'static> = glommio::Task<T>;
    futures_mpsc!();

    fn run<F, Fut>(f: F) -> Fut::Output
    where
        F: FnOnce(()) -> Fut,
        Fut: Future + 'static,
        Fut::Output: Clone + 'static,
    {
        let ex = glommio::LocalExecutorBuilder::default()
            .io_memory(1 << 20)
            .ring_depth(128)
            .make()
            .unwrap();
        ex.run(async move { glommio::spawn_local(f(())).await })
    }
    fn spawn<F>(_: (), fut: F) -> Self::Join<F::Output>
    where
        F: Future + 'static,
        F::Output: Clone + 'static,
    {
        glommio::spawn_local(fut)
    }
    fn cancel<T: Clone + 'static>(join: Self::Join<T>) {
        drop(join)
    }
    fn detach<T: Clone + 'static>(join: Self::Join<T>) {
        join.detach();
    }
    fn sleep_until(_: (), at: Instant) -> impl Future<Output = ()> + 'static {
        async move {
            glommio::timer::Timer::new(at.saturating_duration_since(Instant::now())).await;
        }
    }
    async fn echo(_: (), listener: TcpListener) {
        use futures_util::{AsyncReadExt, AsyncWriteExt};
        let addr = listener.local_addr().unwrap();
        drop(listener); // glommio has no from_std for listeners
        let l = glommio::net::TcpListener::bind(addr).unwrap();
        loop {
            let mut s = l.accept().await.unwrap();
            s.set_nodelay(true).unwrap();
            glommio::spawn_local(async move {
                let mut buf = [0u8; 1024];
                loop {
                    match s.read(&mut buf).await {
                        Ok(0) | Err(_) => return,
                        Ok(n) => {
                            if s.write_all(&buf[..n]).await.is_err() {
                                return;
                            }
                        }
                    }
                }
            })
            .detach();
        }
    }
}
