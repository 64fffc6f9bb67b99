//! [`sleep`] and [`yield_now`]: suspending a task for a time, or for a turn.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

use crate::asyncio::core::{
    Await, Signal, TaskRegistry, WaitReason, in_step, note_held, with_running,
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
    if delay.is_zero() { Sleep(Stage::Yields(yield_now())) } else { Sleep(Stage::Awake(delay)) }
}

/// The future of [`sleep`]. Its time begins with its first poll.
#[must_use = "futures do nothing unless awaited"]
pub struct Sleep(Stage);

/// Its fields stand in the variants, where the tag needs no word of its own.
enum Stage {
    /// It wasn't polled yet.
    Awake(Duration),
    /// A wait for a signal, and the timer that completes it.
    Asleep {
        wait: Await<()>,
        timer: TimerIndex,
    },
    Yields(YieldNow),
    Over,
}

impl Stage {
    fn asleep(delay: Duration) -> Result<Stage> {
        with_running(|registry| {
            let signal = Signal::new(registry, WaitReason::Sleep).ok_or_else(Error::no_memory)?;
            let timer = registry.event_loop().add_timer(delay, signal.entry())?;
            Ok(Stage::Asleep { wait: signal.into_wait(), timer })
        })
    }
}

impl Sleep {
    #[inline]
    fn end(&mut self) {
        if let Stage::Asleep { wait, timer } = &self.0 {
            // Nothing but its timer completes it.
            if !wait.is_complete() {
                forget_timer(wait, *timer);
            }
        }
        self.0 = Stage::Over;
    }
}

#[cold]
fn forget_timer(wait: &Await<()>, timer: TimerIndex) {
    let timer = wait.event_loop().forget_timer(timer, wait.address());
    drop(timer);
}

impl Drop for Sleep {
    #[inline]
    fn drop(&mut self) {
        self.end();
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
        if let Stage::Awake(delay) = self.0 {
            match Stage::asleep(delay) {
                Ok(asleep) => self.0 = asleep,
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        let outcome = match &mut self.0 {
            Stage::Asleep { wait, .. } => wait.poll_with(cx.waker()),
            Stage::Yields(yields) => Pin::new(yields).poll(cx),
            Stage::Awake(_) | Stage::Over => Poll::Ready(Ok(())),
        };
        if outcome.is_ready() {
            self.end();
        }
        outcome
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.0 {
            Stage::Awake(delay) => return write!(f, "<Sleep of {delay:?}>"),
            Stage::Asleep { .. } => "asleep",
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
    /// The task is scheduled again, by the step of this number.
    InStep(u64),
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
            let now = Yielded::InStep(registry.step_number());
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

#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Sleep>() == 24);
