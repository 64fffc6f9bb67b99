//! compio, on io_uring.

use std::{
    future::Future,
    net,
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};

use compio::{
    buf::BufResult,
    io::{AsyncRead, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::{JoinHandle, Runtime, spawn, spawn_blocking},
};

use super::{Rt, shared};

pub struct Compio;

pub struct Join<T>(JoinHandle<T>);

impl<T> Future for Join<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        Pin::new(&mut self.0).poll(cx).map(|outcome| outcome.ok().unwrap())
    }
}

async fn echo(mut stream: TcpStream) {
    let mut buffer = Vec::with_capacity(1024);
    loop {
        let BufResult(count, filled) = stream.read(buffer).await;
        if !matches!(count, Ok(1..)) {
            return;
        }
        let BufResult(sent, emptied) = stream.write_all(filled).await;
        if sent.is_err() {
            return;
        }
        buffer = emptied;
        buffer.clear();
    }
}

impl Rt for Compio {
    type H = ();
    type Join<T: Clone + 'static> = Join<T>;
    shared::channel!();
    const HAS_OFFLOAD: bool = true;

    fn run<F, Fut>(main: F) -> Fut::Output
    where
        F: FnOnce(()) -> Fut,
        Fut: Future + 'static,
        Fut::Output: Clone + 'static,
    {
        Runtime::new().unwrap().block_on(async move { Self::spawn((), main(())).await })
    }

    fn spawn<F>(_: (), future: F) -> Join<F::Output>
    where
        F: Future + 'static,
        F::Output: Clone + 'static,
    {
        Join(spawn(future))
    }

    fn cancel<T: Clone + 'static>(task: Join<T>) {
        drop(task)
    }

    fn detach<T: Clone + 'static>(task: Join<T>) {
        task.0.detach()
    }

    fn sleep_until(_: (), at: Instant) -> impl Future<Output = ()> + 'static {
        compio::time::sleep_until(at)
    }

    fn offload(
        _: (),
        job: impl FnOnce() -> u64 + Send + 'static,
    ) -> impl Future<Output = u64> + 'static {
        Join(spawn_blocking(job))
    }

    async fn echo(_: (), listener: net::TcpListener) {
        let listener = TcpListener::from_std(listener).unwrap();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            spawn(echo(stream)).detach();
        }
    }
}
