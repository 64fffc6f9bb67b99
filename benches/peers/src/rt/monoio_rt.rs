//! monoio, on io_uring or on epoll.
use super::Rt;
use std::{future::Future, net::TcpListener, time::Instant};

pub struct Monoio<const URING: bool>;

impl<const URING: bool> Rt for Monoio<URING> {
    type H = ();
    type Join<T: Clone + 'static> = monoio::task::JoinHandle<T>;
    type Tx<T: 'static> = local_sync::mpsc::unbounded::Tx<T>;
    type Rx<T: 'static> = local_sync::mpsc::unbounded::Rx<T>;
    const CAN_CANCEL: bool = false;
    const FAIR_YIELD: bool = false;

    fn run<F, Fut>(f: F) -> Fut::Output
    where
        F: FnOnce(()) -> Fut,
        Fut: Future + 'static,
        Fut::Output: Clone + 'static,
    {
        let root = async move { monoio::spawn(f(())).await };
        if URING {
            let mut rt = monoio::RuntimeBuilder::<monoio::IoUringDriver>::new()
                .enable_timer()
                .build()
                .unwrap();
            rt.block_on(root)
        } else {
            let mut rt = monoio::RuntimeBuilder::<monoio::LegacyDriver>::new()
                .enable_timer()
                .build()
                .unwrap();
            rt.block_on(root)
        }
    }
    fn spawn<F>(_: (), fut: F) -> Self::Join<F::Output>
    where
        F: Future + 'static,
        F::Output: Clone + 'static,
    {
        monoio::spawn(fut)
    }
    fn cancel<T: Clone + 'static>(_: Self::Join<T>) {}
    fn detach<T: Clone + 'static>(_: Self::Join<T>) {}
    fn sleep_until(_: (), at: Instant) -> impl Future<Output = ()> + 'static {
        monoio::time::sleep_until(at.into())
    }
    fn channel<T: 'static>() -> (Self::Tx<T>, Self::Rx<T>) {
        local_sync::mpsc::unbounded::channel()
    }
    fn send<T: 'static>(tx: &Self::Tx<T>, v: T) {
        let _ = tx.send(v);
    }
    async fn recv<T: 'static>(rx: &mut Self::Rx<T>) -> T {
        std::future::poll_fn(|cx| rx.poll_recv(cx)).await.unwrap()
    }
    async fn echo(_: (), listener: TcpListener) {
        use monoio::io::{AsyncReadRent, AsyncWriteRentExt};
        listener.set_nonblocking(!URING).unwrap(); // its epoll driver does not do this itself
        let l = monoio::net::TcpListener::from_std(listener).unwrap();
        loop {
            let (mut s, _) = l.accept().await.unwrap();
            s.set_nodelay(true).unwrap();
            monoio::spawn(async move {
                let mut buf: Vec<u8> = Vec::with_capacity(1024);
                loop {
                    let (r, b) = s.read(buf).await;
                    if !matches!(r, Ok(n) if n > 0) {
                        return;
                    }
                    let (r, b) = s.write_all(b).await;
                    if r.is_err() {
                        return;
                    }
                    buf = b;
                    buf.clear();
                }
            });
        }
    }
}
