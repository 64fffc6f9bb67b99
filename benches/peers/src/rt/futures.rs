//! futures: its `LocalPool`. Timers and sockets are async-io's, driven by a thread of its own.

use std::{future::Future, net::TcpListener, time::Instant};

use futures_executor::LocalSpawner;
use futures_util::{future::RemoteHandle, task::LocalSpawnExt};

use super::{Rt, shared::channel, smol, threads};

pub struct LocalPool;

impl Rt for LocalPool {
    type H = &'static LocalSpawner;
    type Join<T: Clone + 'static> = RemoteHandle<T>;
    channel!();
    const HAS_OFFLOAD: bool = true;

    fn run<F, Fut>(main: F) -> Fut::Output
    where
        F: FnOnce(Self::H) -> Fut,
        Fut: Future + 'static,
        Fut::Output: Clone + 'static,
    {
        let mut pool = futures_executor::LocalPool::new();
        let h = Box::leak(Box::new(pool.spawner()));
        pool.run_until(Self::spawn(h, main(h)))
    }

    fn spawn<F>(h: Self::H, future: F) -> RemoteHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: Clone + 'static,
    {
        h.spawn_local_with_handle(future).unwrap()
    }

    fn cancel<T: Clone + 'static>(task: RemoteHandle<T>) {
        drop(task)
    }

    fn detach<T: Clone + 'static>(task: RemoteHandle<T>) {
        task.forget()
    }

    fn sleep_until(_: Self::H, at: Instant) -> impl Future<Output = ()> + 'static {
        smol::sleep_until(at)
    }

    fn offload(
        _: Self::H,
        job: impl FnOnce() -> u64 + Send + 'static,
    ) -> impl Future<Output = u64> + 'static {
        threads::offload(job)
    }

    async fn echo(h: Self::H, listener: TcpListener) {
        smol::serve(listener, |echo| Self::detach(Self::spawn(h, echo))).await
    }
}
