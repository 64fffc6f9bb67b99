//! [`EventLoop`]: the loop as its owner runs it. [`LoopRef::run_turns`] is the only place where callbacks are
//! called.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::Cell;
use core::fmt;
use core::ops::Deref;
use core::time::Duration;

use super::clock::{Clock, NEVER, Nanos, VirtualClock, duration, nanos};
use super::exception_context::ExceptionContext;
use super::exception_handler::{drop_quietly, report_callback};
use super::host::Host;
use super::loop_ref::{EndTasks, Entry, LoopRef, Mail, Shared, TaskScheduler, Wait};
#[cfg(feature = "std")]
use super::poller::SystemHost;
use super::running::Running;
#[cfg(feature = "contextvars")]
use crate::context::Entered;
use crate::error::{Error, Result};
use crate::panics;

/// An event loop: asyncio's, on one thread.
///
/// A turn of it, [`run_once`](EventLoop::run_once), always goes like this:
///
/// 1. It waits for sockets and other threads until the first timer is due; not at all if
///    something is ready.
/// 2. Behind what is ready it puts what other threads have sent, the callbacks of sockets,
///    and the timers that are due, in the order of (time due, made).
/// 3. It runs what is ready now. What that schedules runs in the next turn.
///
/// Dropping it closes it.
///
/// ```
/// use std::time::Duration;
/// use callsoon::EventLoop;
///
/// let event_loop = EventLoop::with_virtual_time();
/// let on = event_loop.clone();
/// event_loop.call_later(Duration::from_secs(3600), move || {
///     println!("an hour later, at once");
///     on.stop();
/// })?;
/// event_loop.run_forever()?;
/// assert_eq!(event_loop.time(), Duration::from_secs(3600));
/// # Ok::<(), callsoon::Error>(())
/// ```
pub struct EventLoop(LoopRef);

/// The wait of a loop on the host's clock, without std; with std both waits are inlined where they are chosen.
const REAL_WAIT: Wait =
    if cfg!(feature = "std") { |_, _| Ok(false) } else { LoopRef::wait_in_real_time };
const VIRTUAL_WAIT: Wait =
    if cfg!(feature = "std") { |_, _| Ok(false) } else { LoopRef::wait_in_virtual_time };

impl EventLoop {
    /// A loop on the machine's monotonic clock, with the machine's sockets. It sleeps for whole
    /// milliseconds, rounded up, as asyncio's does; its clock counts nanoseconds.
    #[cfg(feature = "std")]
    #[must_use]
    #[expect(clippy::new_without_default, reason = "a default would hide a whole loop")]
    pub fn new() -> EventLoop {
        EventLoop::on_system(Clock::Host)
    }

    /// Makes a loop with a clock that starts at zero, stands still while callbacks run, and jumps
    /// to the next timer when nothing is ready. Sockets work, and take no time.
    #[cfg(feature = "std")]
    #[must_use]
    pub fn with_virtual_time() -> EventLoop {
        EventLoop::on_system(Clock::Virtual(VirtualClock::default()))
    }

    #[cfg(feature = "std")]
    fn on_system(clock: Clock) -> EventLoop {
        let system = SystemHost::new();
        let reactor = Rc::clone(system.reactor());
        let shared = Shared::new(Rc::new(system), clock, REAL_WAIT);
        let _ = shared.reactor.set(reactor);
        EventLoop(LoopRef::new(shared))
    }

    /// A loop on a clock and a sleep that the host supplies: bare metal, or another event
    /// loop that drives this one by [`run_once`](EventLoop::run_once).
    ///
    /// Without the feature `std`, [`running_loop`](crate::running_loop) and what looks the loop up by
    /// it work on one thread only, once [`set_loop_thread`](crate::set_loop_thread) names it.
    #[must_use]
    pub fn with_host(host: impl Host + 'static) -> EventLoop {
        let shared = Shared::new(Rc::new(host), Clock::Host, REAL_WAIT);
        EventLoop(LoopRef::new(shared))
    }

    /// Makes a loop as [`with_host`](EventLoop::with_host) does, but on a virtual clock: the host's
    /// own is never asked.
    #[must_use]
    pub fn with_host_and_virtual_time(host: impl Host + 'static) -> EventLoop {
        let clock = Clock::Virtual(VirtualClock::default());
        let shared = Shared::new(Rc::new(host), clock, VIRTUAL_WAIT);
        EventLoop(LoopRef::new(shared))
    }

    /// Runs one turn, and returns the number of callbacks and task steps that it ran. It waits for the
    /// first of them `max_wait` at most; `None` sets no bound, and neither do 584 years and more of
    /// virtual time; zero doesn't wait.
    ///
    /// With a bound this is how a host that has a loop of its own drives this one: a frame of
    /// a game, an idle handler of a GUI, the main loop of a board. Tasks, futures and
    /// [`running_loop`](crate::running_loop) work as in [`run_forever`](EventLoop::run_forever).
    /// A [`stop`](LoopRef::stop) ends with the turn.
    ///
    /// A host that can't block, as a page in a browser, gives a bound of zero and goes back to its own
    /// loop. From the end of the turn to the next, whatever makes the loop ready calls
    /// [`Notify`](crate::Notify), and [`time_until_turn`](LoopRef::time_until_turn) returns when the
    /// host should run it in any case. That holds for a loop made by
    /// [`with_host`](EventLoop::with_host) or
    /// [`with_host_and_virtual_time`](EventLoop::with_host_and_virtual_time).
    ///
    /// # Errors
    ///
    /// [`Stalled`](crate::ErrorKind::Stalled) if no bound is set and nothing could ever happen:
    /// nothing ready, no timer, no socket, and nothing outside that could call.
    /// [`Closed`](crate::ErrorKind::Closed) after `close`, [`Runtime`](crate::ErrorKind::Runtime)
    /// if a loop is already running on this thread, and the machine's error if waiting fails.
    pub fn run_once(&self, max_wait: Option<Duration>) -> Result<usize> {
        self.check_open()?;
        let _running = Running::enter(self)?;
        self.inbox().end_sleep();
        let ran = self.run_turns(max_wait.map(nanos), true);
        self.shared().stopping.set(false);
        self.arm();
        ran
    }

    /// Runs until [`stop`](LoopRef::stop): asyncio's `run_forever`.
    ///
    /// # Errors
    ///
    /// As [`run_once`](EventLoop::run_once) without a bound. After
    /// [`Stalled`](crate::ErrorKind::Stalled) the loop is sound: more can be scheduled, and the
    /// loop run again.
    pub fn run_forever(&self) -> Result<()> {
        self.check_open()?;
        let _running = Running::enter(self)?;
        self.inbox().end_sleep();
        let outcome = self.run_turns(None, false);
        self.shared().stopping.set(false);
        outcome.map(drop)
    }
}

impl Deref for EventLoop {
    type Target = LoopRef;

    fn deref(&self) -> &LoopRef {
        &self.0
    }
}

impl fmt::Debug for EventLoop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl LoopRef {
    /// Closes the loop, and the layer above by `close_tasks`, after `end_tasks` has seen to its drop. A value that is
    /// dropped may call back into the loop, which is closed by then.
    pub(crate) fn shut(&self, close_tasks: impl FnOnce(&dyn TaskScheduler), end_tasks: EndTasks) {
        self.end(end_tasks);
        let shared = self.shared();
        if shared.closed.replace(true) {
            return;
        }
        // First: without std the drop of a value may unwind out of here, and handles outlive that too.
        shared.calls.close();
        #[cfg(feature = "events")]
        shared.calls.events.turn_off();
        shared.inbox.close();
        while let Some(mail) = shared.inbox.take() {
            match mail {
                Mail::Call(call) => drop_quietly(self, call.into_entry()),
                Mail::Wake(woken) => _ = self.with_tasks(|tasks| tasks.forget_wake(woken)),
            }
        }
        while let Some(entry) = shared.ready.pop() {
            entry.discard(self);
        }
        shared.ready.shrink();
        let mut timers = Vec::new();
        shared.calls.timers.borrow_mut().drain(&mut |pending, at| timers.extend(pending.take(at)));
        for entry in timers {
            entry.discard(self);
        }
        #[cfg(feature = "std")]
        if let Some(reactor) = shared.reactor.get() {
            // Futures may hold the loop for longer; its sockets need not wait for them.
            let (fired, watches) = reactor.close();
            drop_quietly(self, fired);
            watches.into_iter().for_each(|watch| drop_quietly(self, watch));
        }
        for receiver in shared.owed.take_all() {
            drop_quietly(self, receiver);
        }
        let tasks = shared.tasks.take();
        if let Some(tasks) = tasks {
            // First, as above.
            end_tasks(&*tasks);
            close_tasks(&*tasks);
        }
    }

    /// Runs one turn, or turns until the loop is to stop. Returns how many jobs the last of them ran.
    ///
    /// One catch serves the jobs of all turns up to the next panic: from a task's step, from the drop of
    /// something by a job, or from a waker of other code. It ends its job, and the round goes on. A
    /// panic between two rounds, of the host, is no job's, and goes up.
    fn run_turns(&self, max_wait: Option<Nanos>, once: bool) -> Result<usize> {
        #[cfg(feature = "trace")]
        let span = Cell::new(None);
        let (ready, round) = (&self.shared().ready, Cell::new(None));
        loop {
            let run = || loop {
                if round.get().is_none() {
                    #[cfg(feature = "trace")]
                    span.set(self.turn_span());
                    self.begin_turn(max_wait)?;
                    round.set(Some(self.begin_round()));
                }
                while let Some(entry) = ready.pop_in_round() {
                    if self.is_watched() { self.run_watched(entry) } else { entry.run(self) }
                }
                let ran = round.take();
                #[cfg(feature = "trace")]
                drop(span.take());
                if once || self.shared().stopping.get() {
                    return Ok(ran.unwrap_or_default());
                }
            };
            match panics::caught_if(|| round.get().is_some(), run) {
                Ok(outcome) => return outcome,
                Err(panic) => self.report_panic(panic),
            }
        }
    }

    /// Makes ready what has come: a turn, up to its round.
    #[inline]
    fn begin_turn(&self, max_wait: Option<Nanos>) -> Result<()> {
        // Ready entries come before the mail in any case: then one look after the wait will do.
        let is_busy = !self.shared().ready.is_empty() && !self.is_observed();
        let has_events = if is_busy {
            self.poll()?
        } else {
            self.drain_inbox();
            self.wait(max_wait)?
        };
        self.drain_inbox_after_wait();
        if has_events {
            self.take_events();
        }
        self.take_due_timers();
        Ok(())
    }

    /// Freezes what is ready for the turn's round, and returns how much it is.
    #[inline]
    fn begin_round(&self) -> usize {
        let ready = &self.shared().ready;
        if self.is_watched() {
            self.begin_watched_round(ready.len());
        }
        ready.begin_round()
    }

    /// Takes what has come during the wait: from other threads, as this one has waited.
    fn drain_inbox_after_wait(&self) {
        if !self.inbox().is_empty() && !self.defers() {
            self.drain_inbox();
        }
    }

    /// Returns true if the observer puts off what may come now or later.
    fn defers(&self) -> bool {
        self.is_observed() && self.observer().is_some_and(|observer| observer.defers())
    }

    #[cold]
    fn run_watched(&self, entry: Entry) {
        #[cfg(feature = "events")]
        let Some(entry) = self.run_recorded(entry) else { return };
        match self.observer() {
            Some(observer) => observer.run(self, entry),
            None => entry.run(self),
        }
    }

    /// Waits until something may be ready, for no longer than `max_wait`. Returns whether there may be
    /// socket events.
    fn wait(&self, max_wait: Option<Nanos>) -> Result<bool> {
        #[cfg(feature = "trace")]
        let _wait = self.wait_span();
        let shared = self.shared();
        if !shared.ready.is_empty() || shared.stopping.get() || self.defers() {
            return self.poll();
        }
        shared.ready.shrink();
        shared.calls.release_idle();
        self.with_tasks(|tasks| tasks.idle());
        match &shared.clock {
            _ if cfg!(not(feature = "std")) => (shared.wait)(self, max_wait),
            Clock::Host => self.wait_in_real_time(max_wait),
            Clock::Virtual(_) => self.wait_in_virtual_time(max_wait),
        }
    }

    fn wait_in_real_time(&self, max_wait: Option<Nanos>) -> Result<bool> {
        let due = self.shared().calls.timers.borrow().earliest_bound();
        let until_due = due.map(|due| due.saturating_sub(self.now()));
        let timeout = match (until_due, max_wait) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        match timeout {
            Some(0) => self.poll(),
            _ => self.sleep(timeout),
        }
    }

    /// Time moves on by itself only when nothing real is left to do, and then at once.
    fn wait_in_virtual_time(&self, max_wait: Option<Nanos>) -> Result<bool> {
        let clock = self.virtual_clock()?;
        if self.poll()? {
            self.drain_inbox();
            self.take_events();
        }
        let shared = self.shared();
        if !shared.ready.is_empty() {
            return Ok(false);
        }
        if !shared.owed.is_empty() {
            // Real work is on its way, and takes no virtual time.
            return if max_wait == Some(0) { Ok(false) } else { self.sleep(None) };
        }
        let comes = |when: &Nanos| *when != NEVER;
        let due = shared.calls.timers.borrow_mut().next_deadline().filter(comes);
        if clock.is_paused() {
            let is_due = due.is_some_and(|due| due <= clock.now());
            return if is_due || max_wait.is_some() { Ok(false) } else { self.sleep(None) };
        }
        let latest = max_wait
            .filter(comes)
            .map(|max_wait| clock.now().saturating_add(max_wait).min(NEVER - 1));
        match (due, latest) {
            (Some(due), Some(latest)) => clock.move_to(due.min(latest)),
            (Some(due), None) => clock.move_to(due),
            (None, Some(latest)) => clock.move_to(latest),
            (None, None) => return self.sleep(None),
        }
        Ok(false)
    }

    /// Looks for socket events without waiting: no system call where no socket is watched. Returns
    /// whether there may be some.
    #[inline]
    fn poll(&self) -> Result<bool> {
        #[cfg(feature = "std")]
        if let Some(reactor) = self.shared().reactor.get() {
            return reactor.poll();
        }
        Ok(false)
    }

    /// Waits for as long as `timeout`. Returns whether it has waited: there may be socket events.
    fn sleep(&self, timeout: Option<Nanos>) -> Result<bool> {
        if timeout.is_none() && !self.could_be_woken() {
            // A thread that wrote as the last thing it did is seen by now, and so is its mail.
            return if self.inbox().is_empty() { Err(self.stalled()) } else { Ok(false) };
        }
        let shared = self.shared();
        if shared.inbox.begin_sleep() {
            // A writer that goes from here on notifies; one that went before is seen now.
            if timeout.is_none() && !self.could_be_woken() {
                shared.inbox.end_sleep();
                return Ok(false);
            }
            let outcome = shared.host.wait(timeout.map(duration));
            shared.inbox.end_sleep();
            return outcome.map(|()| true);
        }
        Ok(false)
    }

    /// The waits that nothing will end are in the log, where that was asked for.
    #[cold]
    fn stalled(&self) -> Error {
        let message = "nothing is left that could ever happen on this loop";
        let show = self.shared().show_waits.get().filter(|_| log::log_enabled!(log::Level::Debug));
        if let Some(waits) = show.and_then(|show| show(self)) {
            // A panic of the logger has no place to be reported.
            let _ = panics::caught(|| log::debug!("{message}\n{waits}"));
        }
        Error::stalled(message)
    }

    fn could_be_woken(&self) -> bool {
        #[cfg(feature = "std")]
        if self.shared().reactor.get().is_some_and(|reactor| reactor.could_wake()) {
            return true;
        }
        !self.shared().owed.is_empty()
            || self.inbox().has_writers()
            || self.with_tasks(|up| up.could_be_woken()) == Some(true)
    }

    #[inline]
    fn take_events(&self) {
        #[cfg(feature = "std")]
        if let Some(reactor) = self.shared().reactor.get() {
            reactor.dispatch_ready();
        }
    }

    fn take_due_timers(&self) {
        let shared = self.shared();
        let Some(earliest) = shared.calls.timers.borrow().earliest_bound() else { return };
        // The host's clock is the program's code: nothing is borrowed while it is read.
        let now = self.now();
        if earliest > now {
            return;
        }
        if self.is_observed() {
            return self.take_observed_timers(now);
        }
        shared.calls.timers.borrow_mut().expire(now, &mut |timers, at| {
            if let Some(entry) = timers.take(at) {
                shared.ready.push(entry);
            }
        });
    }

    #[cold]
    fn take_observed_timers(&self, now: Nanos) {
        if let Some(observer) = self.observer() {
            observer.take_due_timers(self, now);
        }
    }

    /// A panic in a callback is the callback's, and one in a task's step is the task's. Whatever ends
    /// with it may panic in turn.
    pub(super) fn report_panic(&self, panic: Error) {
        if let Some(called) = self.shared().called.take().map(|called| *called) {
            #[cfg(feature = "contextvars")]
            let _entered = called.context.map(|context| Entered::new(Some(context)));
            report_callback(self, || (called.describe)(), panic);
            if let Err(panic) = panics::caught(|| drop(called.describe)) {
                self.report_panic(panic);
            }
            return;
        }
        let tasks = self.shared().tasks.borrow().clone();
        let panic = match tasks {
            Some(tasks) => panics::caught(|| tasks.take_panic(panic)).unwrap_or_else(Some),
            None => Some(panic),
        };
        let Some(panic) = panic else { return };
        let mut context = ExceptionContext::new("Exception in a drop after a callback");
        context.exception = Some(panic);
        self.call_exception_handler(&context);
    }
}
