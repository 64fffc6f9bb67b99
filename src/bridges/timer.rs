//! [`LoopTimer`]: the loop's clock and timers, for hyper.
//!
//! hyper wants a timer and a sleep that can both go to other threads, and a loop's timers can't. So
//! hyper holds a ticket, and the timer behind it stays with the thread, in [`SLEEPS`].
//!
//! A server makes a sleep for each request and drops it when the request has come: making, one poll and
//! dropping are to be cheap.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::String;
use core::any::Any;
use core::cell::{Cell, OnceCell};
use core::future::Future;
use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::thread::{self, ThreadId};
use std::time::Instant;

use hyper::rt::{Sleep, Timer};

use crate::asyncio::{LoopExtension, TaskRegistry};
use crate::collections::{RefCell, SerialKey, SerialSlab};
use crate::error::Result;
use crate::event_loop::{Job, JobCell, LoopRef, TimerIndex, run_callback, running_loop};
use crate::sync::thread_own;

/// A timer that is pending, and the waker of the task that waits for it.
struct Asleep {
    on: LoopRef,
    timer: TimerIndex,
    alarm: Rc<JobCell<Alarm>>,
    waker: Waker,
}

struct Sleeps {
    /// A sleep without an entry is over.
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

/// Takes out the sleep of `ticket`, which is over by that: to be dropped where nothing is borrowed.
fn take(ticket: SerialKey) -> Option<Asleep> {
    with_sleeps(|sleeps| sleeps.asleep.remove(ticket)).flatten()
}

/// `None` while the thread's locals are being taken down.
fn with_sleeps<R>(look: impl FnOnce(&mut Sleeps) -> R) -> Option<R> {
    SLEEPS.try_with(|sleeps| look(&mut sleeps.borrow_mut())).ok()
}

/// The job of the timer.
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

/// The clock and the timers of the loop that runs, as hyper's `Timer`: a connection's time limits are
/// measured with it. On a loop with virtual time they are virtual, too. It may be made before the loop
/// runs.
///
/// # Panics
///
/// Its methods panic where no loop runs, and a [`LoopSleep`] that is polled on another thread than that
/// on which it was made: they can return no error, and nothing would ever wake the task that waits.
///
/// ```
/// use std::time::Duration;
/// use callsoon::bridges::LoopTimer;
/// use callsoon::{EventLoop, run_on, running_loop};
/// use hyper::rt::Timer;
///
/// let timer = LoopTimer::new();
/// run_on(&EventLoop::with_virtual_time(), async move {
///     let began = timer.now();
///     timer.sleep(Duration::from_secs(3600)).await;
///     assert_eq!(timer.now() - began, Duration::from_secs(3600));
///     assert_eq!(running_loop()?.time(), Duration::from_secs(3600));
///     Ok(())
/// }).unwrap();
/// ```
#[derive(Clone, Copy, Default, Debug)]
pub struct LoopTimer(());

/// The origin of hyper's `Instant`s on a loop: an instant, and the loop's time at it. The two
/// clocks go apart where time is virtual.
#[derive(Default)]
struct Epoch(OnceCell<(Instant, Duration)>);

impl Epoch {
    fn of(on: &LoopRef) -> (Instant, Duration) {
        let epoch = TaskRegistry::of(on).extension::<Epoch>();
        *epoch.0.get_or_init(|| (Instant::now(), on.time()))
    }
}

impl LoopExtension for Epoch {
    fn close(&self, _event_loop: &LoopRef) {}

    fn into_any(self: Rc<Self>) -> Rc<dyn Any> {
        self
    }
}

impl LoopTimer {
    /// The timer of the loop that runs where its methods are called.
    #[must_use]
    pub const fn new() -> LoopTimer {
        LoopTimer(())
    }
}

/// Returns when `deadline` is, by the clock of `on`.
fn loop_time(on: &LoopRef, deadline: Instant) -> Duration {
    let (epoch, epoch_time) = Epoch::of(on);
    match deadline.checked_duration_since(epoch) {
        Some(after) => epoch_time.saturating_add(after),
        None => epoch_time.saturating_sub(epoch - deadline),
    }
}

#[track_caller]
fn running() -> LoopRef {
    running_loop().unwrap_or_else(|_| panic!("a LoopTimer is used where no loop runs"))
}

impl Timer for LoopTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        Box::pin(LoopSleep::until(running().time().saturating_add(duration)))
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(LoopSleep::until(loop_time(&running(), deadline)))
    }

    fn now(&self) -> Instant {
        let on = running();
        let (epoch, epoch_time) = Epoch::of(&on);
        epoch + on.time().saturating_sub(epoch_time)
    }

    fn reset(&self, sleep: &mut Pin<Box<dyn Sleep>>, new_deadline: Instant) {
        match sleep.as_mut().downcast_mut_pin::<LoopSleep>() {
            Some(own) => *own.get_mut() = LoopSleep::until(loop_time(&running(), new_deadline)),
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
/// another thread, the timer goes when it is due, and wakes a task for nothing.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct LoopSleep {
    /// The thread of its loop.
    thread: ThreadId,
    at: Duration,
    /// Its key among the thread's [`SLEEPS`].
    ticket: Option<SerialKey>,
}

impl LoopSleep {
    fn until(at: Duration) -> LoopSleep {
        LoopSleep { thread: here(), at, ticket: None }
    }
}

impl Future for LoopSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        assert!(self.thread == here(), "a LoopSleep is polled away from its loop");
        let on = running();
        // Cloned, and dropped, where nothing is borrowed: a waker is the code of others.
        let waker = cx.waker().clone();
        let Some(ticket) = self.ticket else {
            let started = SLEEPS.with(|sleeps| sleeps.borrow_mut().start(on, self.at, waker));
            // A loop that has closed polls no task, so that no task here could be told.
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
        if here() != self.thread {
            return;
        }
        if let Some(Asleep { on, timer, alarm, .. }) = take(ticket) {
            let timer = on.forget_timer(timer, alarm.address());
            drop(timer);
            with_sleeps(|sleeps| sleeps.spare = Some(alarm));
        }
    }
}
