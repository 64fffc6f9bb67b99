use super::{Rt, workers};
use async_executor::{LocalExecutor, StaticLocalExecutor, Task};
use async_io::{Async, Timer};
use futures_util::{AsyncReadExt, AsyncWriteExt};
use std::{
    future::Future,
    net::TcpListener,
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};

pub struct SmolLocal;
pub struct SmolStatic;

pub struct Sleep(Timer);
impl Future for Sleep {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx).map(|_| ())
    }
}

pub fn sleep(at: Instant) -> Sleep {
    Sleep(Timer::at(at))
}

pub async fn echo_with(spawn: impl Fn(Pin<Box<dyn Future<Output = ()>>>), listener: TcpListener) {
    let l = Async::<TcpListener>::new(listener).unwrap();
    loop {
        let (mut s, _) = l.accept().await.unwrap();
        s.get_ref().set_nodelay(true).unwrap();
        spawn(Box::pin(async move {
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
        }));
    }
}

/// Hand-rolled offload: crossbeam channel to the workers, a oneshot back.
pub mod hand {
    use super::*;
    type Job = Box<dyn FnOnce() + Send>;
    thread_local!(static POOL: crossbeam_channel::Sender<Job> = {
        let (tx, rx) = crossbeam_channel::unbounded::<Job>();
        for _ in 0..workers() {
            let rx = rx.clone();
            std::thread::spawn(move || while let Ok(job) = rx.recv() { job() });
        }
        tx
    });
    pub fn offload(
        job: impl FnOnce() -> u64 + Send + 'static,
    ) -> impl Future<Output = u64> + 'static {
        let (tx, rx) = futures_channel::oneshot::channel();
        POOL.with(|p| {
            p.send(Box::new(move || {
                let _ = tx.send(job());
            }))
            .unwrap()
        });
        async move { rx.await.unwrap() }
    }
}

macro_rules! imp {
    ($t:ty, $h:ty, $make:expr, $offload:expr) => {
        impl Rt for $t {
            type H = &'static $h;
            type Join<T: Clone + 'static> = Task<T>;
            type Tx<T: 'static> = async_channel::Sender<T>;
            type Rx<T: 'static> = async_channel::Receiver<T>;
            const HAS_OFFLOAD: bool = true;

            fn run<F, Fut>(f: F) -> Fut::Output
            where
                F: FnOnce(Self::H) -> Fut,
                Fut: Future + 'static,
                Fut::Output: Clone + 'static,
            {
                let ex: &'static $h = $make;
                // The root is a task too, so that it shares the executor's queue.
                let root = ex.spawn(f(ex));
                async_io::block_on(ex.run(root))
            }
            fn spawn<F>(h: Self::H, fut: F) -> Task<F::Output>
            where
                F: Future + 'static,
                F::Output: Clone + 'static,
            {
                h.spawn(fut)
            }
            fn cancel<T: Clone + 'static>(join: Task<T>) {
                drop(join)
            }
            fn detach<T: Clone + 'static>(join: Task<T>) {
                join.detach()
            }
            fn sleep_until(_: Self::H, at: Instant) -> impl Future<Output = ()> + 'static {
                sleep(at)
            }
            fn channel<T: 'static>() -> (Self::Tx<T>, Self::Rx<T>) {
                async_channel::unbounded()
            }
            fn send<T: 'static>(tx: &Self::Tx<T>, v: T) {
                let _ = tx.try_send(v);
            }
            async fn recv<T: 'static>(rx: &mut Self::Rx<T>) -> T {
                rx.recv().await.ok().unwrap()
            }
            fn offload(
                _: Self::H,
                job: impl FnOnce() -> u64 + Send + 'static,
            ) -> impl Future<Output = u64> + 'static {
                $offload(job)
            }
            async fn echo(h: Self::H, listener: TcpListener) {
                echo_with(|f| h.spawn(f).detach(), listener).await
            }
        }
    };
}

// `blocking` reads BLOCKING_MAX_THREADS; the driver sets it from PEERS_WORKERS.
imp!(
    SmolLocal,
    LocalExecutor<'static>,
    Box::leak(Box::new(LocalExecutor::new())),
    blocking::unblock
);
imp!(SmolStatic, StaticLocalExecutor, LocalExecutor::new().leak(), hand::offload);
