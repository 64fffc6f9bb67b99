//! [`Rt`]: what the workloads are written in.

use std::{
    cell::Cell,
    future::{Future, IntoFuture, poll_fn},
    net::TcpListener,
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use futures_channel::oneshot;
use futures_util::{
    StreamExt,
    future::{Either, select},
    stream::FuturesUnordered,
};

/// A runtime, by the operations that the workloads use.
#[allow(async_fn_in_trait)]
pub trait Rt: Sized + 'static {
    /// The handle by which tasks are spawned.
    type H: Copy + 'static;
    type Join<T: Clone + 'static>: IntoFuture<Output = T> + 'static;
    type Tx<T: 'static>: 'static;
    type Rx<T: 'static>: 'static;

    const CAN_CANCEL: bool = true;
    const HAS_TIMERS: bool = true;
    const HAS_CALL_SOON: bool = false;
    const HAS_OFFLOAD: bool = false;
    const HAS_ECHO: bool = true;
    /// A task that wakes itself goes to the back of the queue.
    const FAIR_YIELD: bool = true;

    /// Starts the runtime and runs `main` to its end on this thread.
    fn run<F, Fut>(main: F) -> Fut::Output
    where
        F: FnOnce(Self::H) -> Fut,
        Fut: Future + 'static,
        Fut::Output: Clone + 'static;

    fn spawn<F>(h: Self::H, future: F) -> Self::Join<F::Output>
    where
        F: Future + 'static,
        F::Output: Clone + 'static;

    /// Cancels a task, in the runtime's own way.
    fn cancel<T: Clone + 'static>(task: Self::Join<T>);

    /// Lets a task run on without its handle.
    fn detach<T: Clone + 'static>(task: Self::Join<T>);

    fn sleep_until(h: Self::H, at: Instant) -> impl Future<Output = ()> + 'static;

    /// A channel without bound.
    fn channel<T: 'static>() -> (Self::Tx<T>, Self::Rx<T>);
    fn send<T: 'static>(to: &Self::Tx<T>, value: T);
    async fn recv<T: 'static>(from: &mut Self::Rx<T>) -> T;

    /// Yields once, by the runtime's own means where it has any.
    fn give_way() -> impl Future<Output = ()> + 'static {
        wake_self()
    }

    /// Timers that are in no task: started now, cancelled when they are dropped.
    async fn start_timers(h: Self::H, n: u64, due: impl Iterator<Item = Instant>) -> impl Timers {
        let mut timers = Vec::with_capacity(n as usize);
        for at in due {
            let mut timer = Box::pin(Self::sleep_until(h, at));
            if poll_fn(|cx| Poll::Ready(timer.as_mut().poll(cx).is_pending())).await {
                timers.push(timer);
            }
        }
        Boxed(timers)
    }

    /// Spawns a task that counts itself as started, sleeps, and then drops `end`.
    fn spawn_asleep<E: 'static>(
        h: Self::H,
        started: Rc<Cell<u64>>,
        at: Instant,
        end: E,
    ) -> Self::Join<()> {
        let sleep = Self::sleep_until(h, at);
        Self::spawn(h, async move {
            started.set(started.get() + 1);
            sleep.await;
            drop(end);
        })
    }

    /// Awaits a task that yields once and returns `i`, with a limit of ten seconds.
    async fn with_timeout(h: Self::H, i: u64) -> u64 {
        let limit = pin!(Self::sleep_until(h, Instant::now() + Duration::from_secs(10)));
        let task = Self::spawn(h, async move {
            wake_self().await;
            i
        });
        match select(pin!(task.into_future()), limit).await {
            Either::Left((value, _)) => value,
            Either::Right(_) => panic!("ten seconds have passed"),
        }
    }

    /// Returns the sum of the results of `n` tasks that yield once, added up as they finish.
    async fn stream_results(h: Self::H, n: u64) -> u64 {
        let mut tasks: FuturesUnordered<_> = (0..n)
            .map(|i| {
                let task = Self::spawn(h, async move {
                    wake_self().await;
                    i
                });
                task.into_future()
            })
            .collect();
        let mut sum = 0;
        while let Some(value) = tasks.next().await {
            sum += value;
        }
        sum
    }

    /// `n` tasks, of which the i-th ends i turns later, held until all are over.
    async fn hold(h: Self::H, n: u64) {
        let (gates, tasks): (Vec<_>, FuturesUnordered<_>) = (0..n)
            .map(|_| {
                let (open, gate) = oneshot::channel::<()>();
                (open, Self::spawn(h, async move { gate.await.unwrap() }).into_future())
            })
            .unzip();
        Self::detach(Self::spawn(h, async move {
            for open in gates {
                open.send(()).unwrap();
                wake_self().await;
            }
        }));
        assert_eq!(tasks.count().await as u64, n);
    }

    /// `n` callbacks, and one more that ends the wait for them.
    async fn call_soon(_h: Self::H, _n: u64) {
        unimplemented!()
    }

    /// Has the threads there before the first [`offload`](Rt::offload).
    async fn start_threads(_h: Self::H) {}

    /// Has `job` done by a thread, from now on; the future is its answer.
    fn offload(
        _h: Self::H,
        _job: impl FnOnce() -> u64 + Send + 'static,
    ) -> impl Future<Output = u64> + 'static {
        async { unimplemented!() }
    }

    /// Sends back whatever comes on any connection, without end.
    async fn echo(h: Self::H, listener: TcpListener);
}

/// The timers that [`Rt::start_timers`] returns.
#[allow(async_fn_in_trait)]
pub trait Timers {
    /// All have fired.
    async fn fired(self);
}

struct Boxed<F>(Vec<Pin<Box<F>>>);

impl<F: Future<Output = ()>> Timers for Boxed<F> {
    async fn fired(self) {
        for timer in self.0 {
            timer.await
        }
    }
}

/// Wakes its own task and yields once: the same for every runtime.
pub fn wake_self() -> impl Future<Output = ()> {
    WakeSelf { woken: false }
}

struct WakeSelf {
    woken: bool,
}

impl Future for WakeSelf {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.woken {
            return Poll::Ready(());
        }
        self.woken = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
