use super::{Rt, generic_yield, workers};
use std::{
    future::Future,
    net::TcpListener,
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    runtime::{Builder, LocalOptions},
    task::{JoinHandle, JoinSet, LocalSet, spawn_local},
};

pub struct LocalSetRt;
pub struct LocalRuntimeRt;

pub struct Join<T>(JoinHandle<T>);
impl<T> Future for Join<T> {
    type Output = T;
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        Pin::new(&mut self.0).poll(cx).map(|r| r.unwrap())
    }
}

fn builder() -> Builder {
    let mut b = Builder::new_current_thread();
    b.enable_all().max_blocking_threads(workers());
    b
}

async fn stream(n: u64) -> u64 {
    let mut set = JoinSet::new();
    for i in 0..n {
        set.spawn_local(async move {
            generic_yield().await;
            i
        });
    }
    let mut acc = 0;
    while let Some(v) = set.join_next().await {
        acc += v.unwrap();
    }
    acc
}

async fn echo(listener: TcpListener) {
    listener.set_nonblocking(true).unwrap();
    let l = tokio::net::TcpListener::from_std(listener).unwrap();
    loop {
        let (mut s, _) = l.accept().await.unwrap();
        s.set_nodelay(true).unwrap();
        spawn_local(async move {
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
        });
    }
}

macro_rules! imp {
    ($t:ty, $run:expr) => {
        impl Rt for $t {
            type H = ();
            type Join<T: Clone + 'static> = Join<T>;
            type Tx<T: 'static> = tokio::sync::mpsc::UnboundedSender<T>;
            type Rx<T: 'static> = tokio::sync::mpsc::UnboundedReceiver<T>;
            const HAS_OFFLOAD: bool = true;

            fn run<F, Fut>(f: F) -> Fut::Output
            where
                F: FnOnce(()) -> Fut,
                Fut: Future + 'static,
                Fut::Output: Clone + 'static,
            {
                $run(f(()))
            }
            fn spawn<F>(_: (), fut: F) -> Join<F::Output>
            where
                F: Future + 'static,
                F::Output: Clone + 'static,
            {
                Join(spawn_local(fut))
            }
            fn cancel<T: Clone + 'static>(join: Join<T>) {
                join.0.abort()
            }
            fn detach<T: Clone + 'static>(_: Join<T>) {}
            fn sleep_until(_: (), at: Instant) -> impl Future<Output = ()> + 'static {
                tokio::time::sleep_until(at.into())
            }
            fn channel<T: 'static>() -> (Self::Tx<T>, Self::Rx<T>) {
                tokio::sync::mpsc::unbounded_channel()
            }
            fn send<T: 'static>(tx: &Self::Tx<T>, v: T) {
                let _ = tx.send(v);
            }
            async fn recv<T: 'static>(rx: &mut Self::Rx<T>) -> T {
                rx.recv().await.unwrap()
            }
            fn native_yield() -> impl Future<Output = ()> {
                tokio::task::yield_now()
            }
            fn offload(
                _: (),
                job: impl FnOnce() -> u64 + Send + 'static,
            ) -> impl Future<Output = u64> + 'static {
                Join(tokio::task::spawn_blocking(job))
            }
            async fn stream_results(_: (), n: u64) -> u64 {
                stream(n).await
            }
            async fn echo(_: (), listener: TcpListener) {
                echo(listener).await
            }
        }
    };
}

imp!(LocalSetRt, |fut| {
    let rt = builder().build().unwrap();
    LocalSet::new().block_on(&rt, async move { spawn_local(fut).await.unwrap() })
});
imp!(LocalRuntimeRt, |fut| {
    let rt = builder().build_local(LocalOptions::default()).unwrap();
    // The root runs as a task, so that it shares the task queue.
    rt.block_on(async move { spawn_local(fut).await.unwrap() })
});
