//! [`ScheduleHash`]: one number for what a loop has run, and in which order.

use core::cell::Cell;

use super::clock::Nanos;
use super::disorder::mixed;
use super::entry::Entry;
use super::loop_ref::LoopRef;

/// What a job does next, as far as that is the same in each run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mark {
    /// A callback that was scheduled by itself, or by a timer.
    Call,
    /// The step of a task, by the number of its making.
    Step(u64),
    /// A done callback of a task.
    TaskDone(u64),
    /// A done callback of a future.
    FutureDone,
    /// The end of a sleep.
    Sleep,
    /// A waker that is woken.
    Wake,
}

impl Mark {
    fn number(self) -> u64 {
        let (kind, task) = match self {
            Mark::Call => (1, 0),
            Mark::Step(task) => (2, task),
            Mark::TaskDone(task) => (3, task),
            Mark::FutureDone => (4, 0),
            Mark::Sleep => (5, 0),
            Mark::Wake => (6, 0),
        };
        kind << 56 ^ task
    }
}

/// None while nobody has asked for it.
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

    /// A turn without anything in it is no round: how often a loop looks in vain is nobody's.
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
            self.add(entry.mark().number());
        }
    }
}

impl LoopRef {
    /// Begins to make the [`schedule_hash`](LoopRef::schedule_hash), anew if there was one. Off at
    /// first, because it costs a little for each entry.
    pub fn start_schedule_hash(&self) {
        self.shared().watched.hash.start();
        self.update_watched();
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
        self.shared().watched.hash.hash.get()
    }
}
