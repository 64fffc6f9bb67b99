//! tokio: its two ways to keep tasks on one thread.

use std::{
    future::Future,
    net,
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::{Builder, LocalOptions},
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::{JoinHandle, JoinSet, spawn_blocking, spawn_local, yield_now},
};

use super::{Rt, threads, wake_self};

/// A `LocalSet` on a current-thread runtime.
pub struct LocalSet;

/// A `LocalRuntime`.
pub struct LocalRuntime;

pub struct Join<T>(JoinHandle<T>);

impl<T> Future for Join<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        Pin::new(&mut self.0).poll(cx).map(Result::unwrap)
    }
}

fn builder() -> Builder {
    let mut builder = Builder::new_current_thread();
    builder.enable_all().max_blocking_threads(threads::number());
    builder
}

async fn echo(mut stream: TcpStream) {
    let mut buffer = [0; 1024];
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        if stream.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

macro_rules! runtime {
    ($contender:ty, $run:expr) => {
        impl Rt for $contender {
            type H = ();
            type Join<T: Clone + 'static> = Join<T>;
            type Tx<T: 'static> = UnboundedSender<T>;
            type Rx<T: 'static> = UnboundedReceiver<T>;
            const HAS_OFFLOAD: bool = true;

            fn run<F, Fut>(main: F) -> Fut::Output
            where
                F: FnOnce(()) -> Fut,
                Fut: Future + 'static,
                Fut::Output: Clone + 'static,
            {
                // Spawned, so that it takes its turns with the others.
                $run(async move { spawn_local(main(())).await.unwrap() })
            }

            fn spawn<F>(_: (), future: F) -> Join<F::Output>
            where
                F: Future + 'static,
                F::Output: Clone + 'static,
            {
                Join(spawn_local(future))
            }

            fn cancel<T: Clone + 'static>(task: Join<T>) {
                task.0.abort()
            }

            fn detach<T: Clone + 'static>(_: Join<T>) {}

            fn sleep_until(_: (), at: Instant) -> impl Future<Output = ()> + 'static {
                tokio::time::sleep_until(at.into())
            }

            fn channel<T: 'static>() -> (Self::Tx<T>, Self::Rx<T>) {
                unbounded_channel()
            }

            fn send<T: 'static>(to: &Self::Tx<T>, value: T) {
                to.send(value).unwrap_or_else(|_| panic!("the receiver was dropped"))
            }

            async fn recv<T: 'static>(from: &mut Self::Rx<T>) -> T {
                from.recv().await.unwrap()
            }

            fn give_way() -> impl Future<Output = ()> + 'static {
                yield_now()
            }

            async fn stream_results(_: (), n: u64) -> u64 {
                let mut set = JoinSet::new();
                for i in 0..n {
                    set.spawn_local(async move {
                        wake_self().await;
                        i
                    });
                }
                let mut sum = 0;
                while let Some(value) = set.join_next().await {
                    sum += value.unwrap();
                }
                sum
            }

            fn offload(
                _: (),
                job: impl FnOnce() -> u64 + Send + 'static,
            ) -> impl Future<Output = u64> + 'static {
                Join(spawn_blocking(job))
            }

            async fn echo(_: (), listener: net::TcpListener) {
                listener.set_nonblocking(true).unwrap();
                let listener = TcpListener::from_std(listener).unwrap();
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    stream.set_nodelay(true).unwrap();
                    spawn_local(echo(stream));
                }
            }
        }
    };
}

runtime!(LocalSet, |main| {
    let runtime = builder().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, main)
});
runtime!(LocalRuntime, |main| {
    builder().build_local(LocalOptions::default()).unwrap().block_on(main)
});
