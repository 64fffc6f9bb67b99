//! [`Watched`]: what is looked at beside running a loop, where somebody has asked for it.
//!
//! Mostly nobody has. So all of it stands behind one pointer, which is set when something is turned
//! on: a loop that nobody watches pays for a look at that, and a program in which nobody ever does has
//! none of the code.

use core::cell::Cell;
#[cfg(all(unix, feature = "signals"))]
use {alloc::rc::Rc, core::cell::RefCell};

use super::clock::{Clock, Nanos, Seconds};
use super::disorder::Chance;
use super::entry::Entry;
#[cfg(all(unix, feature = "signals"))]
use super::interrupt::Interrupt;
use super::loop_ref::LoopRef;
use super::schedule_hash::ScheduleHash;
#[cfg(feature = "trace")]
use super::trace::Tracing;
use crate::logging::say;
use crate::panics;

#[derive(Default)]
pub(super) struct Watched {
    /// Set while anything here is on, or debug mode.
    onlooker: Cell<Option<&'static Onlooker>>,
    pub(super) hash: ScheduleHash,
    pub(super) chance: Chance,
    #[cfg(feature = "trace")]
    pub(super) tracing: Tracing,
    #[cfg(all(unix, feature = "signals"))]
    interrupt: RefCell<Option<Rc<Interrupt>>>,
}

/// What looks on.
struct Onlooker {
    begin_round: fn(&LoopRef, usize),
    note_due: fn(&LoopRef, &[(Nanos, Entry)]),
    puts_off: fn(&Chance) -> bool,
    run: fn(&LoopRef, Entry),
}

static ONLOOKER: Onlooker = Onlooker {
    begin_round: LoopRef::look_at_round,
    note_due: LoopRef::look_at_due,
    puts_off: Chance::puts_off,
    run: LoopRef::look_at_run,
};

impl LoopRef {
    /// Whether each entry, round and wait is looked at.
    #[inline]
    pub(super) fn is_watched(&self) -> bool {
        self.shared().watched.onlooker.get().is_some()
    }

    /// Something was turned on or off.
    pub(super) fn update_watched(&self) {
        let watched = &self.shared().watched;
        let any = self.debug() || watched.hash.is_on() || watched.chance.is_on();
        #[cfg(feature = "trace")]
        let any = any || watched.tracing.is_on();
        #[cfg(all(unix, feature = "signals"))]
        let any = any || watched.interrupt.borrow().is_some();
        watched.onlooker.set(any.then_some(&ONLOOKER));
    }

    /// A round of `count` entries begins.
    #[cold]
    pub(super) fn begin_watched_round(&self, count: usize) {
        if let Some(onlooker) = self.shared().watched.onlooker.get() {
            (onlooker.begin_round)(self, count);
        }
    }

    /// Timers are due, and stand in the order in which they will run.
    #[cold]
    pub(super) fn note_due(&self, due: &[(Nanos, Entry)]) {
        if let Some(onlooker) = self.shared().watched.onlooker.get() {
            (onlooker.note_due)(self, due);
        }
    }

    /// Whether what may come now or later, by the machine's will, is to come later.
    pub(super) fn puts_off(&self) -> bool {
        let watched = &self.shared().watched;
        watched.onlooker.get().is_some_and(|onlooker| (onlooker.puts_off)(&watched.chance))
    }

    /// Takes what has come during the wait: from other threads, as this one has waited.
    pub(super) fn take_new_mail(&self) {
        if !self.inbox().is_empty() && !self.puts_off() {
            self.take_mail();
        }
    }

    #[cold]
    pub(super) fn run_watched(&self, entry: Entry) {
        match self.shared().watched.onlooker.get() {
            Some(onlooker) => (onlooker.run)(self, entry),
            None => entry.run(self),
        }
    }

    fn look_at_round(&self, count: usize) {
        let shared = self.shared();
        if count > 0 {
            shared.watched.chance.shuffle_ready(&shared.ready, count);
            shared.watched.hash.begin_round(self.virtual_now(), count);
        }
    }

    fn look_at_due(&self, due: &[(Nanos, Entry)]) {
        let watched = &self.shared().watched;
        if self.virtual_now().is_some() {
            due.iter().for_each(|(when, _)| watched.hash.note_due(*when));
        }
        #[cfg(feature = "trace")]
        due.iter().for_each(|(when, job)| watched.tracing.note_due(*when, job));
    }

    fn look_at_run(&self, entry: Entry) {
        self.shared().watched.hash.note_entry(&entry);
        #[cfg(feature = "trace")]
        let _span = self.shared().watched.tracing.span_of(&entry);
        if self.debug() {
            self.run_timed(entry)
        } else {
            entry.run(self)
        }
        #[cfg(all(unix, feature = "signals"))]
        self.take_interrupt();
    }

    /// What Ctrl-C does while a main task runs.
    #[cfg(all(unix, feature = "signals"))]
    pub(super) fn interrupt(&self) -> Option<Rc<Interrupt>> {
        self.shared().watched.interrupt.borrow().clone()
    }

    #[cfg(all(unix, feature = "signals"))]
    pub(super) fn set_interrupt(&self, interrupt: Option<Rc<Interrupt>>) {
        let before = self.shared().watched.interrupt.replace(interrupt);
        drop(before);
        self.update_watched();
    }

    /// Runs it, and warns if that takes long.
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
            Clock::Virtual(now) => Some(now.get()),
        }
    }
}
