//! futures-executor LocalPool; its reactor is async-io's (driven by async-io's own thread).
use super::{Rt, smol_rt};
use futures_channel::mpsc;
use futures_executor::{LocalPool, LocalSpawner};
use futures_util::{StreamExt, future::RemoteHandle, task::LocalSpawnExt};
use std::{future::Future, net::TcpListener, time::Instant};

pub struct Pool;

impl Rt for Pool {
    type H = &'static LocalSpawner;
    type Join<T: Clone + 'static> = RemoteHandle<T>;
    type Tx<T: 'static> = mpsc::UnboundedSender<T>;
    type Rx<T: 'static> = mpsc::UnboundedReceiver<T>;
    const HAS_OFFLOAD: bool = true;

    fn run<F, Fut>(f: F) -> Fut::Output
    where
        F: FnOnce(Self::H) -> Fut,
        Fut: Future + 'static,
        Fut::Output: Clone + 'static,
    {
        let mut pool = LocalPool::new();
        let h: &'static LocalSpawner = Box::leak(Box::new(pool.spawner()));
        let root = h.spawn_local_with_handle(f(h)).unwrap();
        pool.run_until(root)
    }
    fn spawn<F>(h: Self::H, fut: F) -> RemoteHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: Clone + 'static,
    {
        h.spawn_local_with_handle(fut).unwrap()
    }
    fn cancel<T: Clone + 'static>(join: RemoteHandle<T>) {
        drop(join)
    }
    fn detach<T: Clone + 'static>(join: RemoteHandle<T>) {
        join.forget()
    }
    fn sleep_until(_: Self::H, at: Instant) -> impl Future<Output = ()> + 'static {
        smol_rt::sleep(at)
    }
    fn channel<T: 'static>() -> (Self::Tx<T>, Self::Rx<T>) {
        mpsc::unbounded()
    }
    fn send<T: 'static>(tx: &Self::Tx<T>, v: T) {
        let _ = tx.unbounded_send(v);
    }
    async fn recv<T: 'static>(rx: &mut Self::Rx<T>) -> T {
        rx.next().await.unwrap()
    }
    fn offload(
        _: Self::H,
        job: impl FnOnce() -> u64 + Send + 'static,
    ) -> impl Future<Output = u64> + 'static {
        smol_rt::hand::offload(job)
    }
    async fn echo(h: Self::H, listener: TcpListener) {
        smol_rt::echo_with(|f| h.spawn_local_with_handle(f).unwrap().forget(), listener).await
    }
}
