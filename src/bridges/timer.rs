//! [`LoopTimer`]: the loop's clock and timers, for hyper.
//!
//! hyper wants both a timer and a sleep that can go to other threads, and a loop's timers can't.
//! So what hyper holds is a ticket, and what that stands for stays with the thread, in [`SLEEPS`].
//!
//! A server makes a sleep for each request and drops it when that has come, so that being made,
//! polled once and dropped is what is to be cheap.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::String;
use core::cell::{Cell, RefCell};
use core::future::Future;
use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::thread::{self, ThreadId};
use std::time::Instant;

use hyper::rt::{Sleep, Timer};

use crate::collections::{SerialKey, SerialSlab};
use crate::error::Result;
use crate::event_loop::{
    Job, JobCell, LoopRef, TimerIndex, expect_running_loop, run_callback, running_loop,
};
use crate::sync::thread_own;

/// A timer that is pending, and whom it wakes.
struct Asleep {
    on: LoopRef,
    timer: TimerIndex,
    alarm: Rc<JobCell<Alarm>>,
    waker: Waker,
}

struct Sleeps {
    /// What isn't there any more is over.
    asleep: SerialSlab<Asleep>,
    /// One that was taken back, for the next.
    spare: Option<Rc<JobCell<Alarm>>>,
}

thread_own! {
    static SLEEPS: RefCell<Sleeps> =
        RefCell::new(Sleeps { asleep: SerialSlab::new(), spare: None });
}

thread_own! {
    static HERE: Cell<Option<ThreadId>> = Cell::new(None);
}

/// This thread, of which the standard library would make a handle each time.
fn here() -> ThreadId {
    HERE.with(|here| {
        here.get().unwrap_or_else(|| {
            let id = thread::current().id();
            here.set(Some(id));
            id
        })
    })
}

impl Sleeps {
    /// Gives the waker back where the loop has closed.
    fn start(&mut self, on: LoopRef, at: Duration, waker: Waker) -> Result<SerialKey, Waker> {
        let ticket = self.asleep.next_key();
        // One that was due already when it was taken back is still to be run, and is not used again.
        let spare = self.spare.take().filter(|alarm| Rc::strong_count(alarm) == 1);
        let alarm = spare.unwrap_or_else(|| JobCell::new(Alarm(Cell::new(ticket))));
        alarm.0.set(ticket);
        let Ok(timer) = on.add_timer_at(at, alarm.clone()) else { return Err(waker) };
        self.asleep.insert(Asleep { on, timer, alarm, waker });
        Ok(ticket)
    }
}

/// What is asleep by `ticket`, which is over by that: to be dropped where nothing is borrowed.
fn take(ticket: SerialKey) -> Option<Asleep> {
    with_sleeps(|sleeps| sleeps.asleep.remove(ticket)).flatten()
}

/// `None` while the thread's locals are being taken down.
fn with_sleeps<R>(look: impl FnOnce(&mut Sleeps) -> R) -> Option<R> {
    SLEEPS.try_with(|sleeps| look(&mut sleeps.borrow_mut())).ok()
}

/// What the timer runs.
struct Alarm(Cell<SerialKey>);

impl Job for Alarm {
    fn run(this: Rc<JobCell<Self>>, on: &LoopRef) {
        if let Some(asleep) = take(this.0.get()) {
            run_callback(on, || this.describe(), || asleep.waker.wake());
        }
    }

    fn describe(&self) -> String {
        String::from("<timer of a LoopSleep>")
    }
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
///     let timer = LoopTimer::new();
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
    /// # Panics
    ///
    /// Where no loop runs.
    #[must_use]
    #[track_caller]
    #[expect(clippy::new_without_default, reason = "a default must not panic")]
    pub fn new() -> LoopTimer {
        let made = (Instant::now(), expect_running_loop().time());
        LoopTimer { thread: here(), made }
    }

    fn running(&self) -> LoopRef {
        match running_loop() {
            Ok(on) if here() == self.thread => on,
            _ => panic!("a LoopTimer is used away from its loop"),
        }
    }

    fn sleep_at(&self, at: Duration) -> LoopSleep {
        LoopSleep { timer: *self, at, ticket: None }
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

/// The sleep of a [`LoopTimer`]. It starts its timer when it is first polled, and takes a turn of
/// the loop at least.
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
    ticket: Option<SerialKey>,
}

impl Future for LoopSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let on = self.timer.running();
        // Cloned, and dropped, where nothing is borrowed: a waker is somebody else's code.
        let waker = cx.waker().clone();
        let Some(ticket) = self.ticket else {
            let started = SLEEPS.with(|sleeps| sleeps.borrow_mut().start(on, self.at, waker));
            // A loop that has closed polls nobody, so that there is nobody here to be told.
            self.ticket = started.ok();
            return Poll::Pending;
        };
        let before = SLEEPS.with(|sleeps| {
            let mut sleeps = sleeps.borrow_mut();
            Some(mem::replace(&mut sleeps.asleep.get_mut(ticket)?.waker, waker))
        });
        if before.is_some() { Poll::Pending } else { Poll::Ready(()) }
    }
}

impl Sleep for LoopSleep {}

impl Drop for LoopSleep {
    fn drop(&mut self) {
        let Some(ticket) = self.ticket else { return };
        if here() != self.timer.thread {
            return;
        }
        if let Some(Asleep { on, timer, alarm, .. }) = take(ticket) {
            let timer = on.forget_timer(timer, alarm.address());
            drop(timer);
            with_sleeps(|sleeps| sleeps.spare = Some(alarm));
        }
    }
}
