//! [`ScheduleHash`]: a hash of the entries that a loop has run, and of their order.

use core::cell::Cell;

use crate::collections::mixed;
use crate::event_loop::clock::Nanos;
use crate::event_loop::loop_ref::{Entry, LoopRef};

/// None until it is asked for.
#[derive(Default)]
pub(super) struct ScheduleHash {
    hash: Cell<Option<u64>>,
    rounds: Cell<u64>,
}

impl ScheduleHash {
    pub(super) fn is_on(&self) -> bool {
        self.hash.get().is_some()
    }

    fn start(&self) {
        self.hash.set(Some(0));
        self.rounds.set(0);
    }

    fn add(&self, number: u64) {
        self.hash.set(self.hash.get().map(|hash| mixed(hash ^ number)));
    }

    /// Begins a round. An empty turn is none: the number of empty turns depends on the machine.
    pub(super) fn begin_round(&self, now: Option<Nanos>, count: usize) {
        if self.is_on() {
            self.rounds.set(self.rounds.get() + 1);
            self.add(self.rounds.get());
            self.add(now.unwrap_or_default());
            self.add(count as u64);
        }
    }

    pub(super) fn note_due(&self, when: Nanos) {
        self.add(when);
    }

    pub(super) fn note_entry(&self, entry: &Entry) {
        if self.is_on() {
            self.add(entry.kind().number());
        }
    }
}

impl LoopRef {
    /// Begins to make the [`schedule_hash`](LoopRef::schedule_hash), anew if there was one. Off at
    /// first, because it costs a little for each entry.
    pub fn start_schedule_hash(&self) {
        self.observers().hash.start();
        self.update_observed();
    }

    /// A number for all that the loop has run since
    /// [`start_schedule_hash`](LoopRef::start_schedule_hash): turn by turn how many entries there
    /// were, of what kind each was, and which task's; and, where time is virtual, at what time, and
    /// for when its timers were set. `None` if it wasn't started.
    ///
    /// In virtual time, without threads and sockets, equal runs of equal programs have equal
    /// numbers, on every machine. So a run that failed can be told from one that only looks like
    /// it, and where two runs with the same input differ, something in the program is left to
    /// chance. Without virtual time the clock doesn't count, but what comes in a turn still does.
    ///
    /// The number is for runs of one version of this crate.
    ///
    /// ```
    /// use std::time::Duration;
    /// use callsoon::{EventLoop, sleep};
    ///
    /// let hash_of = |millis| {
    ///     let event_loop = EventLoop::with_virtual_time();
    ///     event_loop.start_schedule_hash();
    ///     event_loop.run_until_complete(sleep(Duration::from_millis(millis))).unwrap();
    ///     event_loop.schedule_hash()
    /// };
    /// assert_eq!(hash_of(5), hash_of(5));
    /// assert_ne!(hash_of(5), hash_of(6));
    /// ```
    #[must_use]
    pub fn schedule_hash(&self) -> Option<u64> {
        self.find_observers()?.hash.hash.get()
    }
}
