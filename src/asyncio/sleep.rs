//! [`sleep`] and [`yield_now`]: giving way for a time, or for a turn.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

use super::await_future::Wait;
use super::nap::Nap;
use super::purpose::Purpose;
use super::step::Step;
use super::tasks::Tasks;
use crate::error::Result;
use crate::event_loop::TimerKey;

/// Waits for `delay` of the loop's time: `asyncio.sleep`. Without a delay it gives way once,
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

/// The future of [`sleep`]. Its time runs from when it is first polled.
#[must_use = "futures do nothing unless awaited"]
pub struct Sleep(Stage);

enum Stage {
    /// It wasn't polled yet.
    Awake(Duration),
    Asleep(Asleep),
    Yields(YieldNow),
    Over,
}

/// A nap, and the timer that ends it.
struct Asleep {
    nap: Wait<Nap>,
    alarm: TimerKey,
}

impl Asleep {
    fn new(delay: Duration) -> Result<Asleep> {
        let nap = Nap::new(Tasks::running()?, Purpose::Sleep);
        let alarm = nap.on().add_timer(delay, nap.clone())?;
        Ok(Asleep { nap: Wait::new(nap), alarm })
    }
}

impl Drop for Asleep {
    fn drop(&mut self) {
        let nap = self.nap.node();
        // Nothing but its timer ends it.
        if !nap.has_ended() {
            let timer = nap.on().forget_timer(self.alarm);
            drop(timer);
        }
    }
}

impl Future for Sleep {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if let Stage::Awake(delay) = self.0 {
            match Asleep::new(delay) {
                Ok(asleep) => self.0 = Stage::Asleep(asleep),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        let outcome = match &mut self.0 {
            Stage::Asleep(asleep) => asleep.nap.poll(cx.waker()),
            Stage::Yields(yields) => Pin::new(yields).poll(cx),
            Stage::Awake(_) | Stage::Over => Poll::Ready(Ok(())),
        };
        if outcome.is_ready() {
            self.0 = Stage::Over;
        }
        outcome
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.0 {
            Stage::Awake(delay) => return write!(f, "<Sleep of {delay:?}>"),
            Stage::Asleep(_) => "asleep",
            Stage::Yields(_) => "yields",
            Stage::Over => "over",
        };
        write!(f, "<Sleep {state}>")
    }
}

/// Lets the loop go on for one turn: `asyncio.sleep(0)`, the bare yield. What is scheduled
/// already runs first.
///
/// # Errors
///
/// The cancellation, if the task was cancelled meanwhile.
///
/// # Cancellation
///
/// A task that is cancelled while it gives way is told when its turn comes.
pub fn yield_now() -> YieldNow {
    YieldNow { in_step: None }
}

/// The future of [`yield_now`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct YieldNow {
    /// The step in which it gave way. It may be polled again in the same one.
    in_step: Option<u64>,
}

impl Future for YieldNow {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let (number, throws) = Step::with(|step| (step.number(), step.throws()));
        if throws {
            if let Some(error) = Tasks::take_thrown_here() {
                return Poll::Ready(Err(error));
            }
        }
        if self.in_step.is_some_and(|in_step| in_step != number || number == 0) {
            return Poll::Ready(Ok(()));
        }
        self.in_step = Some(number);
        let gives_way = Step::with(|step| step.gives_way(cx.waker()));
        if !gives_way {
            Step::with(|step| step.set_holds(true));
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}
