//! [`sleep`] and [`yield_now`]: suspending a task for a time, or for a turn.

use core::fmt;
use core::future::Future;
use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;

use crate::asyncio::core::{
    Await, OwnSleep, Signal, TaskRegistry, WaitReason, in_step, note_held, with_running,
};
use crate::error::{Error, Result};
use crate::event_loop::TimerIndex;

/// Waits for `delay` of the loop's time: `asyncio.sleep`. Without a delay it yields once,
/// as [`yield_now`].
///
/// # Errors
///
/// The cancellation, if the task is cancelled meanwhile;
/// [`Runtime`](crate::ErrorKind::Runtime) where no loop runs.
///
/// # Cancellation
///
/// Cancelled or dropped, it takes its timer back.
///
/// ```
/// use std::time::Duration;
/// use callsoon::{EventLoop, sleep};
///
/// let event_loop = EventLoop::with_virtual_time();
/// event_loop.run_until_complete(sleep(Duration::from_secs(86_400)))?;
/// assert_eq!(event_loop.time(), Duration::from_secs(86_400));
/// # Ok::<(), callsoon::Error>(())
/// ```
pub fn sleep(delay: Duration) -> Sleep {
    if delay.is_zero() {
        Sleep(Stage::Yields(yield_now()))
    } else {
        Sleep(Stage::Awake(Delay::new(delay)))
    }
}

/// The future of [`sleep`]. Its time begins with its first poll.
#[must_use = "futures do nothing unless awaited"]
pub struct Sleep(Stage);

/// Its fields stand in the variants, where the tag needs no word of its own.
enum Stage {
    /// It wasn't polled yet.
    Awake(Delay),
    Own(OwnSleep),
    /// A wait for a signal, and the timer that completes it: a sleep that isn't the only wait of its task, or
    /// that another crate's future polls.
    Asleep {
        wait: Await<()>,
        timer: TimerIndex,
    },
    Yields(YieldNow),
    Over,
}

/// A delay, its seconds by their halves: so a sleep has no padding where words are of 32 bits.
struct Delay([u32; 3]);

impl Delay {
    fn new(delay: Duration) -> Delay {
        let seconds = halves(delay.as_secs());
        Delay([seconds[0], seconds[1], delay.subsec_nanos()])
    }

    #[inline]
    fn get(&self) -> Duration {
        Duration::new(whole([self.0[0], self.0[1]]), self.0[2])
    }
}

fn halves(number: u64) -> [u32; 2] {
    [number as u32, (number >> u32::BITS) as u32]
}

fn whole(halves: [u32; 2]) -> u64 {
    u64::from(halves[1]) << u32::BITS | u64::from(halves[0])
}

impl Stage {
    fn asleep(registry: &TaskRegistry, delay: Duration) -> Result<Stage> {
        let signal = Signal::new(registry, WaitReason::Sleep).ok_or_else(Error::no_memory)?;
        let timer = registry.event_loop().add_timer(delay, signal.entry())?;
        Ok(Stage::Asleep { wait: signal.into_wait(), timer })
    }
}

impl Sleep {
    fn begin(&mut self, delay: Duration, waker: &Waker) -> Result<()> {
        self.0 = with_running(|registry| match OwnSleep::begin(registry, waker, delay) {
            Some(begun) => begun.map(Stage::Own),
            None => Stage::asleep(registry, delay),
        })?;
        Ok(())
    }

    /// Polls a sleep that a task has begun without a future.
    #[inline]
    fn poll_own(&mut self, waker: &Waker) -> Poll<Result<()>> {
        let Stage::Own(own) = &self.0 else { return Poll::Ready(Ok(())) };
        match own.poll(waker) {
            Some(Poll::Pending) => Poll::Pending,
            Some(outcome) => {
                self.take_own();
                outcome
            }
            None => self.poll_elsewhere(waker),
        }
    }

    #[inline(always)]
    fn take_own(&mut self) -> Option<OwnSleep> {
        match mem::replace(&mut self.0, Stage::Over) {
            Stage::Own(own) => Some(own),
            _ => None,
        }
    }

    /// Polls it where its task does not do so itself.
    #[cold]
    fn poll_elsewhere(&mut self, waker: &Waker) -> Poll<Result<()>> {
        if let Some(own) = self.take_own() {
            let (wait, timer) = own.into_wait()?;
            self.0 = Stage::Asleep { wait, timer };
        }
        self.poll_asleep(waker)
    }

    fn poll_asleep(&mut self, waker: &Waker) -> Poll<Result<()>> {
        let Stage::Asleep { wait, .. } = &self.0 else { return Poll::Ready(Ok(())) };
        let outcome = wait.poll_with(waker);
        if outcome.is_ready() {
            self.forget_timer();
            self.0 = Stage::Over;
        }
        outcome
    }

    #[inline]
    fn forget_timer(&self) {
        if let Stage::Asleep { wait, timer } = &self.0 {
            // Nothing but its timer completes it.
            if !wait.is_complete() {
                drop(wait.event_loop().forget_timer(*timer, wait.address()));
            }
        }
    }
}

impl Drop for Sleep {
    #[inline]
    fn drop(&mut self) {
        self.forget_timer();
    }
}

#[cfg(feature = "futures-core")]
impl Sleep {
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.0, Stage::Over)
    }
}

impl Future for Sleep {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        match &mut self.0 {
            Stage::Awake(delay) => {
                let delay = delay.get();
                self.begin(delay, cx.waker())?;
                if let Stage::Asleep { .. } = self.0 {
                    self.poll_asleep(cx.waker())
                } else {
                    Poll::Pending
                }
            }
            Stage::Own(_) => self.poll_own(cx.waker()),
            Stage::Asleep { .. } => self.poll_asleep(cx.waker()),
            Stage::Yields(yields) => {
                let outcome = Pin::new(yields).poll(cx);
                if outcome.is_ready() {
                    self.0 = Stage::Over;
                }
                outcome
            }
            Stage::Over => Poll::Ready(Ok(())),
        }
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.0 {
            Stage::Awake(delay) => return write!(f, "<Sleep of {:?}>", delay.get()),
            Stage::Own(_) | Stage::Asleep { .. } => "asleep",
            Stage::Yields(_) => "yields",
            Stage::Over => "over",
        };
        write!(f, "<Sleep {state}>")
    }
}

/// Yields to the loop for one turn: `asyncio.sleep(0)`, the bare yield. The entries that are scheduled
/// already run first.
///
/// # Errors
///
/// The cancellation, if the task was cancelled meanwhile.
///
/// # Cancellation
///
/// A task that is cancelled while it yields gets the cancellation when its turn comes.
pub fn yield_now() -> YieldNow {
    YieldNow(Yielded::NotYet)
}

/// The future of [`yield_now`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct YieldNow(Yielded);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Yielded {
    NotYet,
    /// The task is scheduled again, by the step of this number: its halves, as those of a [`Delay`].
    InStep([u32; 2]),
    /// Another crate's future stands between, and its waker was woken. It may poll again in the
    /// same step, and must find something to do then.
    Behind,
}

impl Future for YieldNow {
    type Output = Result<()>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let before = self.0;
        let look = |registry: &TaskRegistry| {
            if let Some(error) = registry.take_thrown() {
                return Err(error);
            }
            let now = Yielded::InStep(halves(registry.step_number()));
            let yields = matches!(before, Yielded::NotYet) || before == now;
            Ok((yields && registry.request_yield_of(cx.waker())).then_some(now))
        };
        match in_step(look) {
            Some(Err(error)) => return Poll::Ready(Err(error)),
            Some(Ok(Some(now))) => {
                self.0 = now;
                return Poll::Pending;
            }
            Some(Ok(None)) | None => {}
        }
        if before != Yielded::NotYet {
            return Poll::Ready(Ok(()));
        }
        self.0 = Yielded::Behind;
        note_held();
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

const _: () = assert!(size_of::<Sleep>() == 8 + 2 * size_of::<usize>());
