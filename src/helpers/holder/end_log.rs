//! [`EndLog`]: the watched tasks of a holder that have ended, in the order of their ends, until nothing
//! needs them any more.
//!
//! A task that was taken out of the holder's list is hidden. It stays in the log while its call is still
//! to come, and while a clean-up may put it into the list again.
//!
//! **Log Invariant**: ends are numbered from the beginning of the log. An end is removed when it is
//! hidden, its call has come, no clean-up needs it, and those before it are gone.

use alloc::collections::VecDeque;

use super::held::Held;
use crate::collections::Key;

/// A round of a `finish`: a holder counts them from one.
pub(crate) type Round = u64;

/// A round or a moment that never comes.
pub(super) const NEVER: u64 = u64::MAX;

/// The rounds by which it is known for which of them the end of a task counts.
#[derive(Clone, Copy)]
pub(crate) struct Rounds {
    /// The last round that had begun when the task was added, when a waiter was first added to it
    /// behind its watch, and when it ended.
    pub(super) added: Round,
    pub(super) joined: Round,
    pub(crate) ended: Round,
}

impl Rounds {
    /// Returns whether a callback that was added to the task at the beginning of `round` would be
    /// called right behind the watch.
    pub(crate) fn count_for(&self, round: Round) -> bool {
        self.added < round && round <= self.ended && round <= self.joined
    }
}

/// A watched task that has ended.
pub(super) struct End {
    pub(super) key: Key,
    pub(super) task: Held,
    pub(super) rounds: Rounds,
    /// It may be in the list under another key too.
    pub(super) again: bool,
    /// The call that follows the end of a watched task has come.
    pub(super) called: bool,
    /// The number of clean-ups that had begun when it was hidden.
    pub(super) hidden: u64,
}

impl End {
    fn is_hidden(&self) -> bool {
        self.hidden != NEVER
    }
}

/// The places in the list and in the log at which a clean-up began.
#[derive(Clone, Copy, Default)]
pub(super) struct Begin {
    /// The first key, and the number of the first end, that came after it.
    pub(super) key: Key,
    end: u64,
    /// The number of clean-ups that had begun, with this one.
    cleans: u64,
}

impl Begin {
    /// Returns whether the task of end number `number` was in the list at the beginning.
    fn knows(&self, number: u64, end: &End) -> bool {
        end.hidden >= self.cleans && (number < self.end || end.key < self.key)
    }
}

#[derive(Default)]
pub(super) struct EndLog {
    ends: VecDeque<End>,
    /// The number of the first end in the log, and that of the first that was not called.
    first: u64,
    to_call: u64,
    /// The number of ends that are not hidden.
    listed: usize,
    /// The number of clean-ups that have begun.
    cleans: u64,
}

impl EndLog {
    #[inline]
    pub(super) fn push(&mut self, end: End) {
        self.listed += usize::from(!end.is_hidden());
        self.ends.push_back(end);
    }

    /// Returns how many ends are not hidden.
    #[inline]
    pub(super) fn listed(&self) -> usize {
        self.listed
    }

    /// Returns the ends that are not hidden.
    pub(super) fn iter(&self) -> impl Iterator<Item = &End> {
        self.ends.iter().filter(|end| !end.is_hidden())
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Returns the beginning of a clean-up that begins now, where the next key is `key`.
    #[inline]
    pub(super) fn begin_clean(&mut self, key: Key) -> Begin {
        self.cleans += 1;
        Begin { key, end: self.first + self.ends.len() as u64, cleans: self.cleans }
    }

    /// The moment at which something is hidden now.
    #[inline]
    pub(super) fn now(&self) -> u64 {
        self.cleans
    }

    /// Notes that the call of `key` has come. Returns the rounds of a task that is not there `again`.
    #[inline]
    pub(super) fn note_called(&mut self, key: Key) -> Option<Rounds> {
        let next = (self.to_call - self.first) as usize;
        // The calls come in the order of the ends, unless the ready queue is shuffled.
        let in_order = self.ends.get(next).is_some_and(|end| end.key == key);
        let at = if in_order { next } else { self.find_behind(next, key)? };
        let end = &mut self.ends[at];
        end.called = true;
        let rounds = Some(end.rounds).filter(|_| !end.again);
        while self.ends.get((self.to_call - self.first) as usize).is_some_and(|end| end.called) {
            self.to_call += 1;
        }
        rounds
    }

    #[cold]
    fn find_behind(&self, next: usize, key: Key) -> Option<usize> {
        let mut behind = self.ends.iter().enumerate().skip(next);
        behind.find(|(_, end)| end.key == key && !end.called).map(|(at, _)| at)
    }

    /// Hides all ends.
    #[inline]
    pub(super) fn hide_all(&mut self) {
        // By places, as an iterator over both parts of the deque costs more than the few ends here.
        let mut at = self.ends.len();
        while self.listed > 0 && at > 0 {
            at -= 1;
            let end = &mut self.ends[at];
            self.listed -= usize::from(!end.is_hidden());
            end.hidden = end.hidden.min(self.cleans);
        }
    }

    /// Hides the ends of the tasks `is_it`.
    pub(super) fn hide(&mut self, is_it: impl Fn(&End) -> bool) {
        for end in self.ends.iter_mut().filter(|end| !end.is_hidden() && is_it(end)) {
            end.hidden = self.cleans;
            self.listed -= 1;
        }
    }

    /// The clean-up that began at `begin` was finished: hides the ends before it, and lists the other ends
    /// that were in the list by then.
    #[inline]
    pub(super) fn finish_clean(&mut self, begin: Begin) {
        for at in 0..self.ends.len() {
            let (number, end) = (self.first + at as u64, &mut self.ends[at]);
            if number < begin.end {
                self.listed -= usize::from(!end.is_hidden());
                end.hidden = end.hidden.min(self.cleans);
            } else if end.is_hidden() && begin.knows(number, end) {
                end.hidden = NEVER;
                self.listed += 1;
            }
        }
    }

    /// Returns the tasks that were in the list when a clean-up began at `begin`.
    pub(super) fn known_at(&self, begin: Begin) -> impl Iterator<Item = &Held> {
        let known = (self.first..).zip(&self.ends);
        known.filter(move |(number, end)| begin.knows(*number, end)).map(|(_, end)| &end.task)
    }

    /// Returns whether the first end is hidden, and its call has come.
    #[inline]
    pub(super) fn is_first_over(&self) -> bool {
        self.ends.front().is_some_and(|end| end.called && end.is_hidden())
    }

    /// Removes the first end, unless one of the clean-ups that began at `begins` needs it.
    #[inline]
    pub(super) fn pop_unneeded(&mut self, mut begins: impl Iterator<Item = Begin>) -> Option<End> {
        let (first, number) = (self.ends.front()?, self.first);
        if begins.any(|begin| begin.knows(number, first)) {
            return None;
        }
        self.first += 1;
        self.to_call = self.to_call.max(self.first);
        self.ends.pop_front()
    }
}
