//! monoio, on io_uring or on epoll.

use std::{
    future::{Future, poll_fn},
    net,
    time::Instant,
};

use local_sync::mpsc::unbounded;
use monoio::{
    IoUringDriver, LegacyDriver, RuntimeBuilder,
    io::{AsyncReadRent, AsyncWriteRentExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use super::Rt;

pub struct Monoio<const URING: bool>;

async fn echo(mut stream: TcpStream) {
    let mut buffer = Vec::with_capacity(1024);
    loop {
        let (count, filled) = stream.read(buffer).await;
        if !matches!(count, Ok(1..)) {
            return;
        }
        let (sent, emptied) = stream.write_all(filled).await;
        if sent.is_err() {
            return;
        }
        buffer = emptied;
        buffer.clear();
    }
}

impl<const URING: bool> Rt for Monoio<URING> {
    type H = ();
    type Join<T: Clone + 'static> = JoinHandle<T>;
    type Tx<T: 'static> = unbounded::Tx<T>;
    type Rx<T: 'static> = unbounded::Rx<T>;
    const CAN_CANCEL: bool = false;
    const FAIR_YIELD: bool = false;

    fn run<F, Fut>(main: F) -> Fut::Output
    where
        F: FnOnce(()) -> Fut,
        Fut: Future + 'static,
        Fut::Output: Clone + 'static,
    {
        let main = async move { monoio::spawn(main(())).await };
        if URING {
            RuntimeBuilder::<IoUringDriver>::new().enable_timer().build().unwrap().block_on(main)
        } else {
            RuntimeBuilder::<LegacyDriver>::new().enable_timer().build().unwrap().block_on(main)
        }
    }

    fn spawn<F>(_: (), future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: Clone + 'static,
    {
        monoio::spawn(future)
    }

    fn cancel<T: Clone + 'static>(_: JoinHandle<T>) {
        unimplemented!()
    }

    fn detach<T: Clone + 'static>(_: JoinHandle<T>) {}

    fn sleep_until(_: (), at: Instant) -> impl Future<Output = ()> + 'static {
        monoio::time::sleep_until(at.into())
    }

    fn channel<T: 'static>() -> (Self::Tx<T>, Self::Rx<T>) {
        unbounded::channel()
    }

    fn send<T: 'static>(to: &Self::Tx<T>, value: T) {
        to.send(value).unwrap_or_else(|_| panic!("the receiver was dropped"))
    }

    async fn recv<T: 'static>(from: &mut Self::Rx<T>) -> T {
        poll_fn(|cx| from.poll_recv(cx)).await.unwrap()
    }

    async fn echo(_: (), listener: net::TcpListener) {
        // Its driver for epoll needs a nonblocking listener, and doesn't make it one.
        listener.set_nonblocking(!URING).unwrap();
        let listener = TcpListener::from_std(listener).unwrap();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            monoio::spawn(echo(stream));
        }
    }
}
