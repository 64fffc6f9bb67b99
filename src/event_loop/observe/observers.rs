//! [`Observers`]: what looks on while a loop runs: debug mode, the schedule hash, disorder, the
//! trace, and interrupts.
//!
//! The loop knows them as one [`Observer`], made when the first is turned on: a loop that is not
//! observed pays for a look at a flag, and a program that turns none on has none of the code.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::any::Any;
use core::cell::Cell;

use core::time::Duration;

use super::disorder::Disorder;
#[cfg(feature = "events")]
use super::recorded_loops::note_made;
use super::schedule_hash::ScheduleHash;
#[cfg(feature = "trace")]
use super::trace::Tracing;
#[cfg(feature = "signals")]
use crate::collections::RefCell;
use crate::collections::Rng;
#[cfg(feature = "contextvars")]
use crate::context::{Entered, is_used_here};
use crate::event_loop::clock::{Clock, Nanos, Seconds};
use crate::event_loop::loop_ref::{Entry, LoopRef, Observer};
#[cfg(feature = "signals")]
use crate::event_loop::poller::Interrupt;
use crate::logging::say;
use crate::panics;

#[derive(Default)]
pub(crate) struct Observers {
    pub(super) hash: ScheduleHash,
    disorder: Cell<Option<Disorder>>,
    /// From how long on a callback is called slow, where that was set.
    slow: Cell<Option<Duration>>,
    rng: Rng,
    #[cfg(feature = "trace")]
    pub(super) tracing: Tracing,
    #[cfg(feature = "signals")]
    interrupt: RefCell<Option<Rc<Interrupt>>>,
}

impl Observers {
    pub(super) fn start_disorder(&self, disorder: Option<Disorder>) {
        self.disorder.set(disorder);
        self.rng.seed(disorder.map_or(0, |disorder| disorder.seed()));
    }

    pub(super) fn disorder(&self) -> Option<Disorder> {
        self.disorder.get()
    }

    fn are_on(&self) -> bool {
        let any = self.hash.is_on() || self.disorder.get().is_some();
        #[cfg(feature = "trace")]
        let any = any || self.tracing.is_on();
        #[cfg(feature = "contextvars")]
        let any = any || is_used_here();
        #[cfg(feature = "signals")]
        let any = any || self.interrupt.borrow().is_some();
        any
    }
}

impl Observer for Observers {
    fn begin_round(&self, on: &LoopRef, count: usize) {
        if count == 0 {
            return;
        }
        if self.disorder.get().is_some_and(|disorder| disorder.all_that_is_ready) {
            on.shared().ready.with_first(count, |entries| self.rng.shuffle(entries));
        }
        self.hash.begin_round(on.virtual_now(), count);
    }

    fn take_due_timers(&self, on: &LoopRef, now: Nanos) {
        let shared = on.shared();
        let mut due = Vec::new();
        shared.calls.timers.borrow_mut().expire(now, &mut |timers, at| {
            let when = timers[at].when();
            due.extend(timers.take(at).map(|entry| (when, entry)));
        });
        if on.virtual_now().is_some() {
            due.iter().for_each(|(when, _)| self.hash.note_due(*when));
        }
        #[cfg(feature = "trace")]
        due.iter().for_each(|(when, entry)| self.tracing.note_due(*when, entry));
        shared.ready.extend(due.into_iter().map(|(_when, entry)| entry));
    }

    /// Once in four times, where there is disorder.
    fn defers(&self) -> bool {
        self.disorder.get().is_some() && self.rng.below(4) == 0
    }

    fn run(&self, on: &LoopRef, entry: Entry) {
        self.hash.note_entry(&entry);
        #[cfg(feature = "trace")]
        let _span = self.tracing.span_of(&entry);
        #[cfg(feature = "contextvars")]
        let _entered = Entered::of_entry(on.context_of(&entry));
        if on.debug() {
            on.run_timed(entry)
        } else {
            entry.run(on)
        }
        #[cfg(feature = "signals")]
        on.take_interrupt();
    }

    fn as_any(self: Rc<Self>) -> Rc<dyn Any> {
        self
    }
}

impl LoopRef {
    /// Returns whether the observer looks at each entry, round and wait.
    #[inline]
    pub(crate) fn is_observed(&self) -> bool {
        self.shared().observed.get()
    }

    /// Returns whether the observer looks at each entry and round, or they are recorded.
    #[inline]
    pub(crate) fn is_watched(&self) -> bool {
        #[cfg(feature = "events")]
        return self.shared().watched.get();
        #[cfg(not(feature = "events"))]
        self.is_observed()
    }

    fn set_observer(&self, observer: Rc<dyn Observer>) {
        let before = self.shared().observer.replace(Some(observer));
        drop(before);
    }

    /// Returns the loop, which is new. It records its events if those of this thread are to be.
    pub(crate) fn noted(self) -> LoopRef {
        #[cfg(feature = "events")]
        note_made(&self);
        self
    }

    /// The loop's observers, made when first asked for.
    pub(super) fn observers(&self) -> Rc<Observers> {
        self.find_observers().unwrap_or_else(|| {
            let observers = Rc::new(Observers::default());
            self.set_observer(observers.clone());
            observers
        })
    }

    /// The loop's observers, if any was ever turned on.
    pub(super) fn find_observers(&self) -> Option<Rc<Observers>> {
        self.observer()?.as_any().downcast().ok()
    }

    /// Notes that something was turned on or off.
    pub(super) fn update_observed(&self) {
        let observers = self.observers();
        let are_on = self.debug() || observers.are_on();
        self.shared().observed.set(are_on);
        #[cfg(feature = "events")]
        self.shared().watched.set(are_on || self.records_events());
    }

    fn begin_observed_round(&self, count: usize) {
        if let Some(observer) = self.observer() {
            observer.begin_round(self, count);
        }
    }

    /// Tells the observer that a round of `count` entries begins, or notes it, or both.
    #[cold]
    pub(crate) fn begin_watched_round(&self, count: usize) {
        if self.is_observed() {
            self.begin_observed_round(count);
        }
        #[cfg(feature = "events")]
        self.log_round(count);
    }

    /// Has each entry run in a context of its own from now on.
    #[cfg(feature = "contextvars")]
    pub(crate) fn observe_contexts(&self) {
        if !self.is_observed() {
            self.update_observed();
        }
    }

    /// Sets from how long on a callback is called slow.
    pub fn set_slow_callback_duration(&self, duration: Duration) {
        self.observers().slow.set(Some(duration));
    }

    /// From how long on a callback is called slow; 100 ms at first.
    #[must_use]
    pub fn slow_callback_duration(&self) -> Duration {
        let slow = self.find_observers().and_then(|observers| observers.slow.get());
        slow.unwrap_or(Duration::from_millis(100))
    }

    pub(crate) fn turn_debug(&self, on: bool) {
        self.shared().debug.set(on);
        self.update_observed();
    }

    /// Returns the interrupt that Ctrl-C sets off, if one is engaged: while a main task runs.
    #[cfg(feature = "signals")]
    pub(crate) fn interrupt(&self) -> Option<Rc<Interrupt>> {
        self.find_observers()?.interrupt.borrow().clone()
    }

    #[cfg(feature = "signals")]
    pub(crate) fn set_interrupt(&self, interrupt: Option<Rc<Interrupt>>) {
        let before = self.observers().interrupt.replace(interrupt);
        drop(before);
        self.update_observed();
    }

    /// Calls the interrupt's callback if the signal has arrived.
    #[cfg(feature = "signals")]
    pub(crate) fn take_interrupt(&self) {
        if let Some(interrupt) = self.interrupt() {
            interrupt.take();
        }
    }

    /// Runs `entry`, and warns if that takes long.
    fn run_timed(&self, entry: Entry) {
        let start = self.time();
        let describe = entry.describe();
        if let Err(panic) = panics::caught(|| entry.run(self)) {
            self.report_panic(panic);
        }
        let took = self.time().saturating_sub(start);
        if took >= self.slow_callback_duration() {
            let warn = || say!(Warn, "Executing {} took {} seconds", describe(), Seconds(took));
            let _ = panics::caught(warn);
        }
    }

    /// The time, where it is the same in each run.
    fn virtual_now(&self) -> Option<Nanos> {
        match &self.shared().clock {
            Clock::Host => None,
            Clock::Virtual(clock) => Some(clock.now()),
        }
    }
}
