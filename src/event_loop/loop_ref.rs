//! [`LoopRef`]: the loop as its callbacks, futures and tasks see it. Its owner runs it by `run`.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::string::String;
use core::any::Any;
use core::cell::Cell;
#[cfg(feature = "std")]
use core::cell::OnceCell;
use core::fmt;
use core::time::Duration;

use super::calls::{Calls, TimerIndex};
use super::clock::{self, Clock, NEVER, Nanos, VirtualClock, nanos};
use super::entry;
use super::events::note_event;
#[cfg(feature = "events")]
use super::events::{LoopEvent, ReasonWords};
use super::exception_context::{ExceptionContext, LostBy};
use super::host::Host;
use super::inbox::Inbox;
use super::mail::{self, Woken};
use super::owed_answers::{self, OwedAnswers};
#[cfg(feature = "std")]
use super::poller::Reactor;
use super::ready::ReadyQueue;
use crate::blocks::Lasting;
use crate::collections::RefCell;
#[cfg(feature = "contextvars")]
use crate::context::{Context, Entered, is_used_here};
use crate::error::{Error, ErrorKind, Result};
use crate::flat_drops::FlatDrops;
use crate::panics;
use crate::sync::Arc;

/// The layer above, which keeps its own state with a loop: this layer runs callbacks and
/// knows nothing of tasks.
pub(crate) trait TaskScheduler {
    /// Schedules the task of a waker that was woken on another thread, or while the loop didn't run.
    fn wake(&self, woken: Woken);

    /// The loop has closed: drops a message that a task was woken.
    fn forget_wake(&self, woken: Woken);

    /// A job has panicked. It is given back unless it was up there that it belongs to.
    fn take_panic(&self, panic: Error) -> Option<Error>;

    /// Returns whether a task or thread above could be woken from outside of the loop.
    fn could_be_woken(&self) -> bool;

    /// Gives the words of a reason for which a task awaits a future.
    #[cfg(feature = "events")]
    fn reason_words(&self) -> ReasonWords;

    /// The loop is about to wait: unused memory may go back.
    fn idle(&self);

    /// Gives all memory back that is not in use.
    fn release(&self);

    /// The context of a task, by the entry of its step.
    #[cfg(feature = "contextvars")]
    fn context_of(&self, entry: &Entry) -> Option<Context>;

    /// The context of the task that is polled, if one is.
    #[cfg(feature = "contextvars")]
    fn step_context(&self) -> Option<Context>;

    fn as_any(&self) -> &dyn Any;
}

/// Looks on while a loop runs, where a program has asked for it: see `observe`.
pub(super) trait Observer {
    /// A round of `count` entries begins.
    fn begin_round(&self, on: &LoopRef, count: usize);

    /// Makes the timers ready that are due at `now`.
    fn take_due_timers(&self, on: &LoopRef, now: Nanos);

    /// Returns whether events that may come now or later are to come later.
    fn defers(&self) -> bool;

    /// Runs `entry`.
    fn run(&self, on: &LoopRef, entry: Entry);

    fn as_any(self: Rc<Self>) -> Rc<dyn Any>;
}

/// An entry of this loop, and what it is made of.
pub(crate) type Entry = entry::Entry<LoopRef>;
pub(crate) type HeldEntry = entry::HeldEntry<LoopRef>;
pub(crate) type EntryHead = entry::EntryHead<LoopRef>;
pub(crate) type EntryTable = entry::EntryTable<LoopRef>;

/// A call from another thread on its way to the loop.
pub(crate) type RemoteCall = entry::RemoteEntry<LoopRef>;
pub(crate) type RemoteHead = entry::RemoteHead<LoopRef>;

/// A message of a thread to the loop.
pub(crate) type Mail = mail::Mail<LoopRef>;

/// A receiver of an answer.
pub(crate) type Owed = owed_answers::Owed<HeldEntry>;

/// The argument of [`set_exception_handler`](LoopRef::set_exception_handler).
pub type ExceptionHandler = Rc<dyn Fn(&LoopRef, &ExceptionContext)>;

/// Tells the exception handler of an error. A loop without descriptions has this function from its first handler
/// on: a program that sets none is spared it.
pub(super) type Tell = fn(&LoopRef, LostBy, Error);

/// Describes a callback, and holds what it is made of.
pub(crate) type Described = Box<dyn Fn() -> String>;

/// A callback from which a panic goes up to the turn.
pub(super) struct Called {
    pub(super) describe: Described,
    /// The context in which it ran, if contexts are used.
    #[cfg(feature = "contextvars")]
    pub(super) context: Option<Context>,
}

/// The waits of the layer above as text, or `None` where there are none.
pub(super) type ShowWaits = fn(&LoopRef) -> Option<String>;

/// The handle of a loop for callbacks, futures and tasks: cheap to clone, bound to its thread.
///
/// It is what [`running_loop`](crate::running_loop) gives, and what an
/// [`EventLoop`](crate::EventLoop) derefs to. Once the loop is closed, whatever schedules
/// returns an error that says so.
#[derive(Clone)]
pub struct LoopRef(Rc<Lasting<Shared>>);

pub(super) struct Shared {
    pub(super) host: Rc<dyn Host>,
    #[cfg(feature = "std")]
    pub(super) reactor: OnceCell<Rc<Reactor>>,
    pub(super) clock: Clock,
    /// The wait by this clock, without std: a program is spared that of a clock that none of its loops has.
    pub(super) wait: Wait,
    pub(super) ready: ReadyQueue<LoopRef>,
    pub(super) calls: Rc<Calls<LoopRef>>,
    pub(super) called: Cell<Option<Box<Called>>>,
    pub(super) inbox: Arc<Inbox<Mail>>,
    pub(super) owed: OwedAnswers<HeldEntry>,
    pub(super) tasks: RefCell<Option<Rc<dyn TaskScheduler>>>,
    /// Set once the loop closes.
    end_tasks: Cell<Option<EndTasks>>,
    pub(super) exception_handler: RefCell<Option<(ExceptionHandler, Tell)>>,
    pub(super) drops: FlatDrops,
    pub(super) running: Cell<bool>,
    /// Tasks that the mail wakes are scheduled, and scheduling looks into the mail first.
    pub(super) draining: Cell<bool>,
    /// Set by `stop`, until the turn that is going on has ended.
    pub(super) stopping: Cell<bool>,
    pub(super) closed: Cell<bool>,
    pub(super) debug: Cell<bool>,
    /// The text that a stall logs, where that is wanted.
    pub(super) show_waits: Cell<Option<ShowWaits>>,
    pub(super) observer: RefCell<Option<Rc<dyn Observer>>>,
    /// Set while the observer looks at each entry, round and wait.
    pub(super) observed: Cell<bool>,
    /// Set while it does, or the loop records its events.
    #[cfg(feature = "events")]
    pub(super) watched: Cell<bool>,
}

/// Has the layer above dropped with its last handle, or its last block.
pub(super) type EndTasks = fn(&dyn TaskScheduler);

/// Waits for at most so long. Returns whether there may be socket events.
pub(super) type Wait = fn(&LoopRef, Option<Nanos>) -> Result<bool>;

impl Shared {
    pub(super) fn new(host: Rc<dyn Host>, clock: Clock, wait: Wait) -> Shared {
        let inbox = Arc::new(Inbox::new(host.notifier()));
        Shared {
            host,
            #[cfg(feature = "std")]
            reactor: OnceCell::new(),
            clock,
            wait,
            ready: ReadyQueue::new(),
            calls: Calls::new(inbox.clone()),
            called: Cell::new(None),
            inbox,
            owed: OwedAnswers::new(),
            tasks: RefCell::new(None),
            end_tasks: Cell::new(None),
            exception_handler: RefCell::new(None),
            drops: FlatDrops::new(),
            running: Cell::new(false),
            draining: Cell::new(false),
            stopping: Cell::new(false),
            closed: Cell::new(false),
            debug: Cell::new(false),
            show_waits: Cell::new(None),
            observer: RefCell::new(None),
            observed: Cell::new(false),
            #[cfg(feature = "events")]
            watched: Cell::new(false),
        }
    }
}

impl LoopRef {
    pub(super) fn new(shared: Shared) -> LoopRef {
        LoopRef(Rc::new(Lasting::new(shared))).noted()
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.0
    }

    /// Has the loop dropped with its last handle: a program that closes none is spared the code.
    pub(super) fn end(&self, end_tasks: EndTasks) {
        self.shared().end_tasks.set(Some(end_tasks));
        self.0.end();
    }

    /// Has what belongs to a loop that has closed dropped with its last handle, too.
    pub(crate) fn end_late(&self, tasks: &dyn TaskScheduler) {
        if let Some(end_tasks) = self.shared().end_tasks.get() {
            end_tasks(tasks);
        }
    }

    /// The time since the loop's clock started: asyncio's `loop.time()`. A virtual clock
    /// starts at zero and stands still while callbacks run.
    #[must_use]
    #[inline]
    pub fn time(&self) -> Duration {
        clock::duration(self.now())
    }

    /// Stops the virtual clock: from now on no timer becomes due by itself, and only
    /// [`advance_time`](LoopRef::advance_time) moves the clock, until
    /// [`resume_time`](LoopRef::resume_time). Where nothing but timers is left meanwhile, running the loop
    /// returns [`Stalled`](crate::ErrorKind::Stalled).
    ///
    /// # Errors
    ///
    /// [`Runtime`](crate::ErrorKind::Runtime) if the loop's time isn't virtual.
    ///
    /// ```
    /// use std::time::Duration;
    /// use callsoon::{EventLoop, create_task, run_on, running_loop, sleep, yield_now};
    ///
    /// run_on(&EventLoop::with_virtual_time(), async {
    ///     let event_loop = running_loop()?;
    ///     event_loop.pause_time()?;
    ///     let task = create_task(sleep(Duration::from_secs(10)));
    ///     yield_now().await?;
    ///     event_loop.advance_time(Duration::from_secs(9))?;
    ///     yield_now().await?;
    ///     assert!(!task.done());
    ///     event_loop.advance_time(Duration::from_secs(1))?;
    ///     task.await
    /// }).unwrap();
    /// ```
    pub fn pause_time(&self) -> Result<()> {
        self.virtual_clock().map(|clock| clock.set_paused(true))
    }

    /// Ends what [`pause_time`](LoopRef::pause_time) began: the clock goes on where it stands.
    ///
    /// # Errors
    ///
    /// [`Runtime`](crate::ErrorKind::Runtime) if the loop's time isn't virtual.
    pub fn resume_time(&self) -> Result<()> {
        self.virtual_clock().map(|clock| clock.set_paused(false))
    }

    /// Moves the virtual clock on by `by`, paused or not. The timers that are due by then run in the next
    /// turn, in the order of (time due, made), and each of them finds the clock at its new time.
    ///
    /// # Errors
    ///
    /// [`Runtime`](crate::ErrorKind::Runtime) if the loop's time isn't virtual;
    /// [`Value`](crate::ErrorKind::Value) if the clock can't go so far: it counts 584 years.
    pub fn advance_time(&self, by: Duration) -> Result<()> {
        let clock = self.virtual_clock()?;
        let when = clock.now().saturating_add(nanos(by));
        if when == NEVER {
            return Err(Error::new(ErrorKind::Value, "the virtual clock can't go so far"));
        }
        clock.move_to(when);
        Ok(())
    }

    pub(super) fn virtual_clock(&self) -> Result<&VirtualClock> {
        match &self.0.clock {
            Clock::Virtual(clock) => Ok(clock),
            Clock::Host => Err(Error::runtime("the time of this loop isn't virtual")),
        }
    }

    #[inline]
    pub(super) fn now(&self) -> Nanos {
        self.0.clock.now(&*self.0.host)
    }

    /// Has `job` run when `delay` has passed, as the callback of
    /// [`call_later`](LoopRef::call_later), until its timer is forgotten.
    pub(crate) fn add_timer(&self, delay: Duration, job: impl Into<Entry>) -> Result<TimerIndex> {
        self.add_timer_when(self.now().saturating_add(nanos(delay)), job)
    }

    /// Adds a timer like [`add_timer`](LoopRef::add_timer), at `when` on the clock of [`time`](LoopRef::time).
    pub(crate) fn add_timer_at(&self, when: Duration, job: impl Into<Entry>) -> Result<TimerIndex> {
        self.add_timer_when(nanos(when), job)
    }

    #[inline]
    fn add_timer_when(&self, when: Nanos, job: impl Into<Entry>) -> Result<TimerIndex> {
        self.check_open()?;
        let entry = job.into();
        note_event!(self, LoopEvent::TimerMade(entry.address().addr(), when));
        self.0.calls.insert_timer(when, entry)
    }

    /// Takes the timer out that would run what is at `address`, if it is still in, for the caller to
    /// drop.
    #[inline]
    pub(crate) fn forget_timer(&self, timer: TimerIndex, address: *const ()) -> Option<Entry> {
        let entry = self.0.calls.forget_timer(timer, address);
        note_event!(self, LoopEvent::TimerCancelled(address.addr(), entry.is_none()));
        entry
    }

    /// When the pending timers are due, by the address of what they run.
    pub(crate) fn deadlines(&self) -> BTreeMap<*const (), Duration> {
        // Where the timers are just being changed, they tell nothing.
        let Ok(timers) = self.0.calls.timers.try_borrow() else { return BTreeMap::new() };
        let mut deadlines = BTreeMap::new();
        timers.for_each(&mut |at| {
            let when = clock::duration(timers.links[at].when());
            deadlines.insert(timers.links.address(at), when);
        });
        deadlines
    }

    /// Has the loop stop at the end of the turn that is going on, or, if it doesn't run, after
    /// one turn of the next run that doesn't wait: asyncio's `stop`. What is scheduled stays
    /// for the run after.
    pub fn stop(&self) {
        self.0.stopping.set(true);
    }

    /// Returns true while the loop is being run.
    #[must_use]
    #[inline]
    pub fn is_running(&self) -> bool {
        self.0.running.get()
    }

    pub(super) fn set_running(&self, running: bool) {
        self.0.running.set(running);
    }

    /// Returns true if the loop was closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.closed.get()
    }

    /// Returns the number of pending timers. Cancelled ones don't count.
    #[must_use]
    pub fn pending_timers(&self) -> usize {
        self.0.calls.timers.borrow().len()
    }

    /// Has a stall log what `show_waits` says. A program that never asks for it is spared the code.
    pub(crate) fn log_at_stalls(&self, show_waits: ShowWaits) {
        self.0.show_waits.set(Some(show_waits));
    }

    /// Returns true if the loop is in debug mode.
    #[must_use]
    pub fn debug(&self) -> bool {
        self.0.debug.get()
    }

    #[inline]
    pub(crate) fn check_open(&self) -> Result<()> {
        if self.is_closed() { Err(Error::closed()) } else { Ok(()) }
    }

    pub(crate) fn inbox(&self) -> &Arc<Inbox<Mail>> {
        &self.0.inbox
    }

    /// Puts `entry` at the end of the ready queue; once the loop has closed, discards it.
    #[inline]
    pub(crate) fn schedule(&self, entry: impl Into<Entry>) {
        // A running loop can't be closed, and drains its inbox itself.
        if self.is_running() {
            self.0.ready.push(entry.into());
        } else {
            self.push_while_stopped(entry.into());
        }
    }

    #[cold]
    fn push_while_stopped(&self, entry: Entry) {
        // While the loop doesn't run, what its own thread posted is still in the inbox, and
        // was there first.
        if !self.0.inbox.is_empty() {
            self.drain_inbox();
        }
        if self.is_closed() {
            entry.discard(self);
        } else {
            self.0.ready.push(entry);
            self.0.inbox.wake_reader();
        }
    }

    /// Runs `entry` inside of the entry that goes on, of which a panic in it is none. The context is that
    /// of the outer entry again behind it.
    pub(crate) fn run_inside(&self, entry: Entry) {
        #[cfg(feature = "contextvars")]
        let _entered = Entered::new(self.context_of(&entry));
        if let Err(panic) = panics::caught(|| entry.run(self)) {
            self.report_panic(panic);
        }
    }

    /// The context in which `entry` runs, if it is the step of a task and contexts are used here.
    #[cfg(feature = "contextvars")]
    pub(super) fn context_of(&self, entry: &Entry) -> Option<Context> {
        if !is_used_here() {
            return None;
        }
        self.with_tasks(|tasks| tasks.context_of(entry)).flatten()
    }

    /// Moves what other threads have left to the ready queue.
    #[inline]
    pub(super) fn drain_inbox(&self) {
        if !self.0.inbox.is_empty() {
            self.drain_inbox_now();
        }
    }

    fn drain_inbox_now(&self) {
        if self.0.draining.replace(true) {
            return;
        }
        // Mail that comes meanwhile waits: senders that never pause must not keep the turn from its end.
        for _ in 0..self.0.inbox.len() {
            let Some(mail) = self.0.inbox.take() else { break };
            match mail {
                Mail::Call(call) => self.0.ready.push(call.into_entry()),
                Mail::Wake(woken) => _ = self.with_tasks(|tasks| tasks.wake(woken)),
            }
        }
        self.0.draining.set(false);
    }

    /// Returns what `look` says of the layer above. `look` runs no code but the crate's own.
    pub(crate) fn with_tasks<R>(&self, look: impl FnOnce(&dyn TaskScheduler) -> R) -> Option<R> {
        self.0.tasks.borrow().as_deref().map(look)
    }

    pub(super) fn observer(&self) -> Option<Rc<dyn Observer>> {
        self.0.observer.borrow().clone()
    }

    pub(crate) fn set_tasks(&self, tasks: Rc<dyn TaskScheduler>) {
        #[cfg(feature = "events")]
        self.0.calls.events.set_reason_words(tasks.reason_words());
        let before = self.0.tasks.replace(Some(tasks));
        drop(before);
    }

    /// Returns true if both are the same loop.
    #[must_use]
    pub fn ptr_eq(&self, other: &LoopRef) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for LoopRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "<EventLoop running={} closed={} debug={}>",
            self.is_running(),
            self.is_closed(),
            self.debug()
        )
    }
}
