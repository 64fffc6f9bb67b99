//! [`LoopTimer`]: the loop's clock and timers, for hyper.
//!
//! hyper wants both a timer and a sleep that can go to other threads, and a loop's timers can't.
//! So what hyper holds is a number, and what that stands for stays with the thread, in [`SLEEPS`].

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use core::cell::{Cell, RefCell};
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::thread::{self, ThreadId};
use std::time::Instant;

use hyper::rt::{Sleep, Timer};

use crate::error::Result;
use crate::event_loop::{LoopRef, TimerHandle, running_loop};
use crate::sync::thread_own;

/// A timer that is pending, and whom it wakes.
struct Asleep {
    timer: TimerHandle,
    waker: Waker,
}

/// Counted up, so that none comes twice: what is not there any more is over.
type Number = u64;

thread_own! {
    static SLEEPS: RefCell<BTreeMap<Number, Asleep>> = RefCell::new(BTreeMap::new());
}

thread_own! {
    static NEXT: Cell<Number> = Cell::new(0);
}

fn take(number: Number) -> Option<Asleep> {
    // `None` also while the thread's locals are being taken down.
    SLEEPS.try_with(|sleeps| sleeps.borrow_mut().remove(&number)).ok().flatten()
}

/// The clock and the timers of one loop, as hyper's `Timer`: what a connection's time limits are
/// measured with. On a loop with virtual time they are, too.
///
/// # Panics
///
/// Its methods, and a [`LoopSleep`] that is polled, do so on another thread than that of its
/// loop, or where no loop runs: they can return no error, and nobody would ever wake who waits.
///
/// ```
/// use std::time::Duration;
/// use callsoon::bridges::LoopTimer;
/// use callsoon::{EventLoop, run_on, running_loop};
/// use hyper::rt::Timer;
///
/// run_on(&EventLoop::with_virtual_time(), async {
///     let timer = LoopTimer::new()?;
///     let began = timer.now();
///     timer.sleep(Duration::from_secs(3600)).await;
///     assert_eq!(timer.now() - began, Duration::from_secs(3600));
///     assert_eq!(running_loop()?.time(), Duration::from_secs(3600));
///     Ok(())
/// }).unwrap();
/// ```
#[derive(Clone, Copy, Debug)]
pub struct LoopTimer {
    thread: ThreadId,
    /// When it was made, by the clock of hyper's deadlines and by the loop's. The two go apart
    /// where time is virtual, so that deadlines of two timers can't be compared.
    made: (Instant, Duration),
}

impl LoopTimer {
    /// The timer of the loop that runs.
    ///
    /// # Errors
    ///
    /// [`Runtime`](crate::ErrorKind::Runtime) where no loop runs.
    pub fn new() -> Result<LoopTimer> {
        let made = (Instant::now(), running_loop()?.time());
        Ok(LoopTimer { thread: thread::current().id(), made })
    }

    fn running(&self) -> LoopRef {
        let here = thread::current().id() == self.thread;
        match running_loop() {
            Ok(on) if here => on,
            _ => panic!("a LoopTimer is used away from its loop"),
        }
    }

    fn sleep_at(&self, at: Duration) -> LoopSleep {
        LoopSleep { timer: *self, at, number: None }
    }

    /// When `deadline` is, by the loop's clock.
    fn at(&self, deadline: Instant) -> Duration {
        let (made, made_at) = self.made;
        match deadline.checked_duration_since(made) {
            Some(after) => made_at.saturating_add(after),
            None => made_at.saturating_sub(made - deadline),
        }
    }
}

impl Timer for LoopTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        Box::pin(self.sleep_at(self.running().time().saturating_add(duration)))
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(self.sleep_at(self.at(deadline)))
    }

    fn now(&self) -> Instant {
        let (made, made_at) = self.made;
        made + self.running().time().saturating_sub(made_at)
    }

    fn reset(&self, sleep: &mut Pin<Box<dyn Sleep>>, new_deadline: Instant) {
        match sleep.as_mut().downcast_mut_pin::<LoopSleep>() {
            Some(own) => *own.get_mut() = self.sleep_at(self.at(new_deadline)),
            None => *sleep = self.sleep_until(new_deadline),
        }
    }
}

/// The sleep of a [`LoopTimer`]. It starts its timer when it is first polled.
///
/// # Cancellation
///
/// It can return no error, so it doesn't count as something that the task waits on: a task that
/// is parked on it alone is dropped when it is cancelled, as on any foreign future; through
/// [`wrap_future`](crate::wrap_future) it isn't. Dropped, it takes its timer back; dropped on
/// another thread, the timer goes when it is due, and wakes somebody for nothing.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct LoopSleep {
    timer: LoopTimer,
    at: Duration,
    /// What it has among the thread's [`SLEEPS`].
    number: Option<Number>,
}

impl LoopSleep {
    fn start(&mut self, on: &LoopRef, waker: Waker) {
        let number = NEXT.with(|next| next.replace(next.get() + 1));
        let wake = move || {
            if let Some(asleep) = take(number) {
                asleep.waker.wake();
            }
        };
        // A loop that has closed polls nobody, so that there is nobody here to be told.
        let Ok(timer) = on.call_at(self.at, wake) else { return };
        self.number = Some(number);
        SLEEPS.with(|sleeps| sleeps.borrow_mut().insert(number, Asleep { timer, waker }));
    }
}

impl Future for LoopSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let on = self.timer.running();
        let Some(number) = self.number else {
            if self.at <= on.time() {
                return Poll::Ready(());
            }
            self.start(&on, cx.waker().clone());
            return Poll::Pending;
        };
        let waker = cx.waker().clone();
        let before = SLEEPS.with(|sleeps| {
            let mut sleeps = sleeps.borrow_mut();
            Some(core::mem::replace(&mut sleeps.get_mut(&number)?.waker, waker))
        });
        if before.is_some() { Poll::Pending } else { Poll::Ready(()) }
    }
}

impl Sleep for LoopSleep {}

impl Drop for LoopSleep {
    fn drop(&mut self) {
        let here = thread::current().id() == self.timer.thread;
        if let Some(asleep) = self.number.filter(|_| here).and_then(take) {
            asleep.timer.cancel();
        }
    }
}
