//! smol: async-executor's two local executors on async-io.

use std::{
    future::Future,
    net::TcpListener,
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};

use async_executor::{LocalExecutor, StaticLocalExecutor, Task};
use async_io::{Async, Timer};

use super::{Rt, shared, threads};

/// [`LocalExecutor`], and threads of the blocking crate.
pub struct Local;

/// [`StaticLocalExecutor`], which keeps no list of its tasks, and threads by hand.
pub struct Static;

struct Sleep(Timer);

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx).map(drop)
    }
}

pub(super) fn sleep_until(at: Instant) -> impl Future<Output = ()> + 'static {
    Sleep(Timer::at(at))
}

/// Accepts without end; `spawn` is given what serves a connection.
pub(super) async fn serve(
    listener: TcpListener,
    spawn: impl Fn(Pin<Box<dyn Future<Output = ()>>>),
) {
    let listener = Async::<TcpListener>::new(listener).unwrap();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.get_ref().set_nodelay(true).unwrap();
        spawn(Box::pin(shared::echo(stream)));
    }
}

macro_rules! executor {
    ($contender:ty, $executor:ty, $new:expr, $offload:path) => {
        impl Rt for $contender {
            type H = &'static $executor;
            type Join<T: Clone + 'static> = Task<T>;
            type Tx<T: 'static> = async_channel::Sender<T>;
            type Rx<T: 'static> = async_channel::Receiver<T>;
            const HAS_OFFLOAD: bool = true;

            fn run<F, Fut>(main: F) -> Fut::Output
            where
                F: FnOnce(Self::H) -> Fut,
                Fut: Future + 'static,
                Fut::Output: Clone + 'static,
            {
                let h: Self::H = $new;
                // A task too, so that it takes its turns with the others.
                let main = h.spawn(main(h));
                async_io::block_on(h.run(main))
            }

            fn spawn<F>(h: Self::H, future: F) -> Task<F::Output>
            where
                F: Future + 'static,
                F::Output: Clone + 'static,
            {
                h.spawn(future)
            }

            fn cancel<T: Clone + 'static>(task: Task<T>) {
                drop(task)
            }

            fn detach<T: Clone + 'static>(task: Task<T>) {
                task.detach()
            }

            fn sleep_until(_: Self::H, at: Instant) -> impl Future<Output = ()> + 'static {
                sleep_until(at)
            }

            fn channel<T: 'static>() -> (Self::Tx<T>, Self::Rx<T>) {
                async_channel::unbounded()
            }

            fn send<T: 'static>(to: &Self::Tx<T>, value: T) {
                to.try_send(value).unwrap_or_else(|_| panic!("the receiver was dropped"))
            }

            async fn recv<T: 'static>(from: &mut Self::Rx<T>) -> T {
                from.recv().await.unwrap()
            }

            fn offload(
                _: Self::H,
                job: impl FnOnce() -> u64 + Send + 'static,
            ) -> impl Future<Output = u64> + 'static {
                $offload(job)
            }

            async fn echo(h: Self::H, listener: TcpListener) {
                serve(listener, |echo| h.spawn(echo).detach()).await
            }
        }
    };
}

executor!(Local, LocalExecutor<'static>, Box::leak(Box::default()), blocking::unblock);
executor!(Static, StaticLocalExecutor, LocalExecutor::new().leak(), threads::offload);
