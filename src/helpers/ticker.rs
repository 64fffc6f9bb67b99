//! [`ATicker`] and [`tick`]: an iteration with one item for each interval of time.
//!
//! Times are seconds in floating point, as the original's are: a tick that falls on the border
//! of `min_wait` goes the same way there and here.

use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use core::cell::Cell;
use core::fmt;
use core::time::Duration;

use super::futures::ChildOfFuture;
use super::futures::ResettableFuture;
use super::futures::create_future;
use super::futures::wait_for_first_future;
use super::holder::TaskHolder;
use super::pauser::Pauser;
use super::stop_generator::stop_async_generator;
use crate::collections::RefCell;
use crate::{
    AnyFuture, AsyncGenerator, Error, ErrorKind, LoopFuture, LoopRef, Result, TimerHandle, Yielder,
    await_body, expect_running_loop, generator,
};

/// Seconds of the loop's clock; they may lie before its start.
type Seconds = f64;

/// Returns the `Duration`, or the longest one where the seconds are too many for it.
fn duration(seconds: Seconds) -> Duration {
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX)
}

/// To whole milliseconds, as Python's `round(seconds, 3)`.
fn rounded(seconds: Seconds) -> Seconds {
    format!("{seconds:.3}").parse().unwrap_or(seconds)
}

/// The shortest wait of a ticker before the next tick: Photons' `min_wait`, a number or
/// `False`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MinWait {
    /// Ticks that would come sooner are left out.
    AtLeast(Duration),
    /// `False`: no tick is moved, but one that is asked for after its time is left out.
    None,
}

/// The options of an [`ATicker`]: Photons' keyword arguments.
pub struct TickerOptions {
    /// The ticker ends when this future is done; unless said, one of its own.
    pub final_future: Option<Rc<dyn AnyFuture>>,
    /// The ticker ends after this many ticks.
    pub max_iterations: Option<usize>,
    /// The ticker ends when this much time has passed since its first tick was asked for.
    pub max_time: Option<Duration>,
    /// The shortest wait; 100 ms unless said.
    pub min_wait: MinWait,
    /// A lock or semaphore that holds the ticks up while it is locked.
    pub pauser: Option<Rc<dyn Pauser>>,
    /// A name to be shown by.
    pub name: Option<String>,
}

impl Default for TickerOptions {
    fn default() -> TickerOptions {
        TickerOptions {
            final_future: None,
            max_iterations: None,
            max_time: None,
            min_wait: MinWait::AtLeast(Duration::from_millis(100)),
            pauser: None,
            name: None,
        }
    }
}

impl fmt::Debug for TickerOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TickerOptions")
            .field("final_future", &self.final_future)
            .field("max_iterations", &self.max_iterations)
            .field("max_time", &self.max_time)
            .field("min_wait", &self.min_wait)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// The error that a finished ticker throws into its iteration.
#[derive(Debug)]
struct Stop;

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the ticker is finished")
    }
}

impl core::error::Error for Stop {}

/// A tick: its number, from 1, and the time until the next is due.
pub type Tick = (usize, Duration);

/// Ticks once for each interval of time, independent of the time that the work between two ticks takes:
/// `hp.ATicker`.
///
/// The first tick comes at once, the next when `every` has passed since *that*, and so on. A
/// tick is left out if its time is over before it is asked for. Clones are the same ticker.
///
/// ```
/// use std::time::Duration;
/// use callsoon::{EventLoop, helpers as hp, run_on, running_loop, sleep};
///
/// run_on(&EventLoop::with_virtual_time(), async {
///     let mut at = Vec::new();
///     let options = hp::TickerOptions { max_iterations: Some(5), ..Default::default() };
///     let ticker = hp::ATicker::new(Duration::from_secs(10), options);
///     ticker.scope(async |ticker| {
///         while let Some((_number, _until_next)) = ticker.next().await? {
///             at.push(running_loop()?.time().as_secs());
///             sleep(Duration::from_secs(8)).await?;
///         }
///         Ok(())
///     }).await?;
///     assert_eq!(at, [0, 10, 20, 30, 40]);
///     Ok(())
/// }).unwrap();
/// ```
#[derive(Clone)]
pub struct ATicker {
    ticker: Rc<Inner>,
    /// The iteration, once it was started. Its body holds the ticker, so the ticker must not
    /// hold it.
    ticks: Rc<RefCell<Option<AsyncGenerator<Tick>>>>,
}

struct Inner {
    on: LoopRef,
    every: Cell<Seconds>,
    /// When the next tick is expected, once the first was asked for.
    expected: Cell<Option<Seconds>>,
    min_wait: MinWait,
    max_iterations: Option<usize>,
    max_time: Option<Duration>,
    pauser: Option<Rc<dyn Pauser>>,
    name: Option<String>,
    /// The timer of the next tick.
    handle: RefCell<Option<TimerHandle>>,
    /// Done when it is time for a tick.
    waiter: ResettableFuture<()>,
    final_future: ChildOfFuture<()>,
}

/// A ticker, by the name that suits a loop over it: `hp.tick`. The same as [`ATicker::new`].
///
/// # Panics
///
/// As [`ATicker::new`].
#[must_use]
#[track_caller]
pub fn tick(every: Duration, options: TickerOptions) -> ATicker {
    ATicker::new(every, options)
}

impl ATicker {
    /// A ticker of the running loop. Without time between the ticks it ticks as fast as
    /// `min_wait` lets it.
    ///
    /// # Panics
    ///
    /// Where no loop runs.
    #[must_use]
    #[track_caller]
    pub fn new(every: Duration, options: TickerOptions) -> ATicker {
        let final_future = match options.final_future {
            Some(given) => ChildOfFuture::new(&given),
            None => {
                let own: LoopFuture<()> = create_future();
                ChildOfFuture::new(&own)
            }
        };
        let min_wait = match options.min_wait {
            MinWait::None if every.is_zero() => MinWait::AtLeast(Duration::ZERO),
            min_wait => min_wait,
        };
        let ticker = Rc::new(Inner {
            on: expect_running_loop(),
            every: Cell::new(every.as_secs_f64()),
            expected: Cell::new(None),
            min_wait,
            max_iterations: options.max_iterations,
            max_time: options.max_time,
            pauser: options.pauser,
            name: options.name,
            handle: RefCell::new(None),
            waiter: ResettableFuture::new(),
            final_future,
        });
        ATicker { ticker, ticks: Rc::default() }
    }

    /// Makes it ready to be iterated, from the first tick on: `async with` does so.
    pub fn start(&self) {
        let inner = self.ticker.clone();
        let ticks = generator(async move |y| inner.tick(&y).await);
        let before = self.ticks.replace(Some(ticks));
        drop(before);
    }

    /// The ticks since the last [`start`](ATicker::start), as `async for` takes them: a loop over
    /// these keeps to them where the ticker is started anew.
    ///
    /// # Errors
    ///
    /// [`Other`](crate::ErrorKind::Other) before [`start`](ATicker::start) or outside of a
    /// [`scope`](ATicker::scope).
    pub fn iter(&self) -> Result<AsyncGenerator<Tick>> {
        self.ticks.borrow().clone().ok_or_else(|| {
            let message = "The ticker must be used as a context manager before being used as an \
                           async iterator";
            Error::new(ErrorKind::Other, message)
        })
    }

    /// The next tick, when it is time, or `None` at the end: the next of
    /// [`iter`](ATicker::iter).
    ///
    /// # Errors
    ///
    /// Those of [`iter`](ATicker::iter); the cancellation; and
    /// [`Runtime`](crate::ErrorKind::Runtime) while another task waits for the tick.
    ///
    /// # Cancellation
    ///
    /// It ends the ticker.
    pub async fn next(&self) -> Result<Option<Tick>> {
        self.iter()?.next().await
    }

    /// Has the next tick come `every` after the last, and those after it each `every` after the one
    /// before. A tick that would be over already comes at once.
    ///
    /// ```
    /// use std::time::Duration;
    /// use callsoon::{EventLoop, helpers as hp, run_on, running_loop};
    ///
    /// run_on(&EventLoop::with_virtual_time(), async {
    ///     let mut at = Vec::new();
    ///     let options = hp::TickerOptions { max_iterations: Some(7), ..Default::default() };
    ///     let ticker = hp::ATicker::new(Duration::from_secs(10), options);
    ///     ticker.scope(async |ticker| {
    ///         while let Some((number, _until_next)) = ticker.next().await? {
    ///             at.push(running_loop()?.time().as_secs());
    ///             match number {
    ///                 3 => ticker.change_after(Duration::from_secs(20))?,
    ///                 5 => ticker.change_next_after(Duration::from_secs(40))?,
    ///                 _ => {}
    ///             }
    ///         }
    ///         Ok(())
    ///     }).await?;
    ///     assert_eq!(at, [0, 10, 20, 40, 60, 100, 120]);
    ///     Ok(())
    /// }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed) after the loop has closed.
    pub fn change_after(&self, every: Duration) -> Result<()> {
        let inner = &self.ticker;
        let expected = inner.expected_after(every);
        inner.every.set(every.as_secs_f64());
        let Some(expected) = expected else { return Ok(()) };
        inner.expected.set(Some(expected));
        inner.wake_at(expected)
    }

    /// Has the next tick come `after` after the last; those behind it keep their times:
    /// `change_after(after, set_new_every=False)`.
    ///
    /// # Errors
    ///
    /// Like [`change_after`](ATicker::change_after).
    pub fn change_next_after(&self, after: Duration) -> Result<()> {
        let inner = &self.ticker;
        inner.expected_after(after).map_or(Ok(()), |expected| inner.wake_at(expected))
    }

    /// Ends it: its iteration gets `error`, or is just ended. `async with` does so.
    ///
    /// # Errors
    ///
    /// `error`, where the iteration lets it through; the cancellation.
    pub async fn finish(&self, error: Option<Error>) -> Result<()> {
        let ticks = self.ticks.borrow().clone();
        if let Some(ticks) = ticks {
            let exc = error.unwrap_or_else(|| Error::other(Stop));
            match stop_async_generator(&ticks, None, Some(exc)).await {
                Err(error) if error.downcast_ref::<Stop>().is_none() => return Err(error),
                _ => {}
            }
        }
        self.ticker.final_future.cancel();
        Ok(())
    }

    /// Runs `body` with the ticker started, and [finishes](ATicker::finish) it with what the
    /// body fails with: `async with hp.ATicker(...) as ticker`.
    ///
    /// # Errors
    ///
    /// That of `finish`, where that fails; else the body's.
    pub async fn scope<R>(self, body: impl AsyncFnOnce(&ATicker) -> Result<R>) -> Result<R> {
        self.start();
        let outcome = await_body!(body(&self));
        self.finish(outcome.as_ref().err().cloned()).await?;
        outcome
    }
}

/// The guard of an iteration of the ticks, which ends the ticker with it, however it ends.
struct Iteration<'a> {
    ticker: &'a Inner,
    end: Option<TimerHandle>,
}

impl Drop for Iteration<'_> {
    fn drop(&mut self) {
        self.ticker.final_future.cancel();
        if let Some(end) = &self.end {
            end.cancel();
        }
        self.ticker.change_handle(None);
    }
}

impl Inner {
    /// When the next tick is due if it comes `after` after the last. `None` before the first.
    fn expected_after(&self, after: Duration) -> Option<Seconds> {
        Some(self.expected.get()? - self.every.get() + after.as_secs_f64())
    }

    fn wake_at(self: &Rc<Self>, when: Seconds) -> Result<()> {
        self.wake_in(rounded(when - self.now()))
    }

    fn now(&self) -> Seconds {
        self.on.time().as_secs_f64()
    }

    fn change_handle(&self, handle: Option<TimerHandle>) {
        let before = self.handle.replace(handle);
        if let Some(before) = before {
            before.cancel();
        }
    }

    /// It is time for a tick.
    fn wake(&self) -> Result<()> {
        self.waiter.reset();
        self.waiter.set_result(())
    }

    fn wake_later(self: &Rc<Self>, wait: Seconds) -> Result<()> {
        let ticker = self.clone();
        // The time, not the delay: a tick that is late comes before what is due now.
        let timer = self.on.call_at(duration(self.now() + wait), move || ticker.wake())?;
        self.change_handle(Some(timer));
        Ok(())
    }

    fn wake_in(self: &Rc<Self>, wait: Seconds) -> Result<()> {
        self.change_handle(None);
        if wait <= 0.0 { self.wake() } else { self.wake_later(wait) }
    }

    /// The body of the iteration.
    async fn tick(self: &Rc<Self>, y: &Yielder<Tick>) -> Result<()> {
        let mut iteration = Iteration { ticker: self, end: None };
        if let Some(max_time) = self.max_time.filter(|max_time| !max_time.is_zero()) {
            let end = self.final_future.clone();
            let cancel = move || {
                end.cancel();
            };
            iteration.end = Some(self.on.call_later(max_time, cancel)?);
        }
        let start = self.now();
        let mut number = 0;
        self.expected.set(Some(start));
        self.wake()?;
        loop {
            self.wait_for_next().await?;
            self.waiter.reset();
            let now = self.now();
            let out_of_time = self.max_time.is_some_and(|limit| now - start >= limit.as_secs_f64());
            let enough = self.max_iterations.is_some_and(|most| number >= most);
            if self.final_future.done() || enough || out_of_time {
                return Ok(());
            }
            let wait = self.plan_next(now);
            self.wake_later(wait)?;
            if self.min_wait() != MinWait::None || wait > 0.0 {
                number += 1;
                y.give((number, duration(wait))).await?;
            }
        }
    }

    async fn wait_for_next(&self) -> Result<()> {
        let Some(pauser) = self.pauser.as_ref().filter(|pauser| pauser.locked()) else {
            return wait_for_first_future([&self.final_future as &dyn AnyFuture, &self.waiter])
                .await;
        };
        let pause = pauser.pause();
        let holder = TaskHolder::new(&ChildOfFuture::<()>::new(&self.final_future));
        holder
            .scope(async |holder| {
                holder.add(pause);
                holder.add_task(&self.waiter);
                Ok(())
            })
            .await
    }

    /// `min_wait` as it counts now: where [`ATicker::change_after`] has left no time between the
    /// ticks, there are none to leave out.
    fn min_wait(&self) -> MinWait {
        match self.min_wait {
            MinWait::None if self.every.get() <= 0.0 => MinWait::AtLeast(Duration::ZERO),
            min_wait => min_wait,
        }
    }

    /// Plans the tick after the one of `now`, and returns the time until then.
    fn plan_next(&self, now: Seconds) -> Seconds {
        let every = self.every.get();
        let mut expected = self.expected.get().unwrap_or(now);
        let mut wait = match self.min_wait() {
            MinWait::None => {
                // A tick that is less than a whole round late still counts.
                expected = step_while(expected, every, |expected| expected - now <= -every);
                let wait = expected - now;
                expected = step_while(expected, every, |expected| expected - now <= 0.0);
                wait
            }
            MinWait::AtLeast(least) if every > 0.0 => {
                let least = least.as_secs_f64();
                expected = step_while(expected, every, |expected| expected - now < least);
                rounded(expected - now)
            }
            MinWait::AtLeast(least) => least.as_secs_f64(),
        };
        self.expected.set(Some(expected));
        if wait == 0.0 {
            wait = expected - now;
        }
        wait
    }
}

/// The first of `expected`, and every `every` after it, that is not `too_early`. Step by step,
/// because the roundings of a sum are those of its steps; where there are very many, in
/// strides that double.
fn step_while(
    mut expected: Seconds,
    every: Seconds,
    too_early: impl Fn(Seconds) -> bool,
) -> Seconds {
    const STEPS: u32 = 1_000;
    for _ in 0..STEPS {
        if !too_early(expected) {
            return expected;
        }
        expected += every;
    }
    let mut stride = every;
    while too_early(expected + stride * 2.0) {
        stride *= 2.0;
    }
    while stride >= every {
        if too_early(expected + stride) {
            expected += stride;
        }
        stride /= 2.0;
    }
    if too_early(expected) { expected + every } else { expected }
}

impl fmt::Debug for ATicker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ATicker")
            .field("name", &self.ticker.name)
            .field("every", &duration(self.ticker.every.get()))
            .finish_non_exhaustive()
    }
}
