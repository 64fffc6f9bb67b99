//! One contender = one implementation of [`Rt`]. To add a runtime: write a module here that
//! implements the trait, then add one line to [`with_rt!`] and [`NAMES`]. Nothing else changes.

use futures_channel::oneshot;
use futures_util::{
    StreamExt,
    future::{Either, select},
    stream::FuturesUnordered,
};
use std::{
    cell::Cell,
    future::{Future, IntoFuture, poll_fn},
    net::TcpListener,
    pin::{Pin, pin},
    rc::Rc,
    task::Poll,
    time::{Duration, Instant},
};

pub mod callsoon_rt;
#[cfg(feature = "compio")]
pub mod compio_rt;
pub mod floor;
#[cfg(feature = "glommio")]
pub mod glommio_rt;
pub mod localpool;
#[cfg(feature = "monoio")]
pub mod monoio_rt;
pub mod smol_rt;
pub mod tokio_rt;

/// The few things every workload is written in. `H` is whatever `spawn` needs (often `()`).
#[allow(async_fn_in_trait)]
pub trait Rt: Sized + 'static {
    type H: Copy + 'static;
    type Join<T: Clone + 'static>: IntoFuture<Output = T> + 'static;
    type Tx<T: 'static>: 'static;
    type Rx<T: 'static>: 'static;

    const CAN_CANCEL: bool = true;
    const HAS_TIMERS: bool = true;
    const HAS_CHANNEL: bool = true;
    const HAS_CALL_SOON: bool = false;
    const HAS_OFFLOAD: bool = false;
    const HAS_ECHO: bool = true;
    /// A task that wakes itself goes to the back of the queue (monoio: to the front).
    const FAIR_YIELD: bool = true;

    /// Start the runtime, run `f(handle)` to its end on this thread.
    fn run<F, Fut>(f: F) -> Fut::Output
    where
        F: FnOnce(Self::H) -> Fut,
        Fut: Future + 'static,
        Fut::Output: Clone + 'static;

    fn spawn<F>(h: Self::H, fut: F) -> Self::Join<F::Output>
    where
        F: Future + 'static,
        F::Output: Clone + 'static;

    /// Cancel the task behind a handle (drop it, abort it).
    fn cancel<T: Clone + 'static>(join: Self::Join<T>);

    /// Keep the task running without its handle.
    fn detach<T: Clone + 'static>(join: Self::Join<T>);

    fn sleep_until(h: Self::H, at: Instant) -> impl Future<Output = ()> + 'static;

    fn channel<T: 'static>() -> (Self::Tx<T>, Self::Rx<T>);
    fn send<T: 'static>(tx: &Self::Tx<T>, v: T);
    fn recv<T: 'static>(rx: &mut Self::Rx<T>) -> impl Future<Output = T>;

    /// What the runtime's own documentation offers as a yield.
    fn native_yield() -> impl Future<Output = ()> {
        generic_yield()
    }

    /// Submit now, resolve with the result computed on a worker thread.
    fn offload(
        _h: Self::H,
        _job: impl FnOnce() -> u64 + Send + 'static,
    ) -> impl Future<Output = u64> + 'static {
        async { unimplemented!() }
    }

    /// Spawn `n` tasks that yield once, add up their results as they finish.
    async fn stream_results(h: Self::H, n: u64) -> u64 {
        let mut set = FuturesUnordered::new();
        for i in 0..n {
            let task = Self::spawn(h, async move {
                generic_yield().await;
                i
            });
            set.push(task.into_future());
        }
        let mut acc = 0;
        while let Some(v) = set.next().await {
            acc += v;
        }
        acc
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

    /// A task that counts itself as started, sleeps, and then lets go of `end`.
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

    /// A task that yields once and returns `i`, raced against ten seconds.
    async fn with_timeout(h: Self::H, i: u64) -> u64 {
        let limit = pin!(Self::sleep_until(h, Instant::now() + Duration::from_secs(10)));
        let task = Self::spawn(h, async move {
            generic_yield().await;
            i
        });
        match select(pin!(task.into_future()), limit).await {
            Either::Left((value, _)) => value,
            Either::Right(_) => panic!("timed out"),
        }
    }

    /// `n` tasks, of which the i-th ends i turns later, held until all are over.
    async fn hold(h: Self::H, n: u64) {
        let mut held = FuturesUnordered::new();
        let gates: Vec<_> = (0..n)
            .map(|_| {
                let (open, gate) = oneshot::channel::<()>();
                held.push(Self::spawn(h, async move { gate.await.unwrap() }).into_future());
                open
            })
            .collect();
        Self::detach(Self::spawn(h, async move {
            for gate in gates {
                gate.send(()).unwrap();
                generic_yield().await;
            }
        }));
        while held.next().await.is_some() {}
    }

    /// `n` callbacks, each called once, and the call that ends the wait.
    async fn call_soon(_h: Self::H, _n: u64) {
        unimplemented!()
    }

    /// Serve 64-byte-message echo on every connection, for ever.
    async fn echo(h: Self::H, listener: TcpListener);
}

/// The channel of a runtime that has none of its own.
#[cfg(any(feature = "compio", feature = "glommio"))]
macro_rules! futures_mpsc {
    () => {
        type Tx<T: 'static> = futures_channel::mpsc::UnboundedSender<T>;
        type Rx<T: 'static> = futures_channel::mpsc::UnboundedReceiver<T>;
        fn channel<T: 'static>() -> (Self::Tx<T>, Self::Rx<T>) {
            futures_channel::mpsc::unbounded()
        }
        fn send<T: 'static>(tx: &Self::Tx<T>, v: T) {
            let _ = tx.unbounded_send(v);
        }
        async fn recv<T: 'static>(rx: &mut Self::Rx<T>) -> T {
            futures_util::StreamExt::next(rx).await.unwrap()
        }
    };
}
#[cfg(any(feature = "compio", feature = "glommio"))]
pub(crate) use futures_mpsc;

/// What [`Rt::start_timers`] gives.
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

/// Wake yourself and return Pending once: the same code for every runtime.
pub fn generic_yield() -> impl Future<Output = ()> {
    struct Y(bool);
    impl Future for Y {
        type Output = ();
        fn poll(mut self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<()> {
            if self.0 {
                return Poll::Ready(());
            }
            self.0 = true;
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    }
    Y(false)
}

pub const NAMES: &[&str] = &[
    "callsoon",
    "callsoon-hp",
    "tokio-localset",
    "tokio-localrt",
    "smol-local",
    "smol-static",
    "localpool",
    "floor",
    #[cfg(feature = "monoio")]
    "monoio",
    #[cfg(feature = "monoio")]
    "monoio-legacy",
    #[cfg(feature = "compio")]
    "compio",
    #[cfg(feature = "glommio")]
    "glommio",
];

#[macro_export]
macro_rules! with_rt {
    ($name:expr, $R:ident => $body:expr) => {
        match $name {
            "callsoon" => {
                type $R = $crate::rt::callsoon_rt::Callsoon<false>;
                $body
            }
            "callsoon-hp" => {
                type $R = $crate::rt::callsoon_rt::Callsoon<true>;
                $body
            }
            "tokio-localset" => {
                type $R = $crate::rt::tokio_rt::LocalSetRt;
                $body
            }
            "tokio-localrt" => {
                type $R = $crate::rt::tokio_rt::LocalRuntimeRt;
                $body
            }
            "smol-local" => {
                type $R = $crate::rt::smol_rt::SmolLocal;
                $body
            }
            "smol-static" => {
                type $R = $crate::rt::smol_rt::SmolStatic;
                $body
            }
            "localpool" => {
                type $R = $crate::rt::localpool::Pool;
                $body
            }
            "floor" => {
                type $R = $crate::rt::floor::Floor;
                $body
            }
            #[cfg(feature = "monoio")]
            "monoio" => {
                type $R = $crate::rt::monoio_rt::Monoio<true>;
                $body
            }
            #[cfg(feature = "monoio")]
            "monoio-legacy" => {
                type $R = $crate::rt::monoio_rt::Monoio<false>;
                $body
            }
            #[cfg(feature = "compio")]
            "compio" => {
                type $R = $crate::rt::compio_rt::Compio;
                $body
            }
            #[cfg(feature = "glommio")]
            "glommio" => {
                type $R = $crate::rt::glommio_rt::Glommio;
                $body
            }
            other => {
                eprintln!("unknown contender {other}");
                std::process::exit(2)
            }
        }
    };
}

pub fn workers() -> usize {
    std::env::var("PEERS_WORKERS").ok().and_then(|v| v.parse().ok()).unwrap_or(1)
}
