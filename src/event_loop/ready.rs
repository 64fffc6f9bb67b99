//! The ready queue: first in, first out, and a turn's round is frozen before it runs.
//!
//! **Round Invariant**: what a turn runs was on the queue when the turn froze its length. What
//! those entries schedule is put behind them and waits for the next turn, so that no callback can
//! keep the loop from its timers and its sockets.

use alloc::collections::TryReserveError;
use core::cell::Cell;

use super::entry::{Entry, EntrySlot};
use super::ring::Ring;

/// Beyond this capacity an empty queue gives its memory back, unless some was reserved.
const RETAINED_CAPACITY: usize = 1024;

/// Entries in the order of their scheduling, a word each.
pub(crate) struct ReadyQueue<L: 'static> {
    ring: Ring<L>,
    /// The number behind the last entry of the round.
    round_end: Cell<usize>,
    /// An empty queue keeps this capacity.
    kept: Cell<usize>,
}

impl<L> ReadyQueue<L> {
    pub(crate) const fn new() -> ReadyQueue<L> {
        let kept = Cell::new(RETAINED_CAPACITY);
        ReadyQueue { ring: Ring::new(), round_end: Cell::new(0), kept }
    }

    #[inline]
    pub(crate) fn push(&self, entry: Entry<L>) {
        self.ring.push(entry);
    }

    pub(crate) fn extend(&self, new: impl Iterator<Item = Entry<L>>) {
        new.for_each(|entry| self.ring.push(entry));
    }

    #[inline]
    pub(crate) fn pop(&self) -> Option<Entry<L>> {
        self.ring.pop()
    }

    /// Freezes what is on the queue as a round, and returns its length.
    #[inline]
    pub(super) fn begin_round(&self) -> usize {
        self.round_end.set(self.ring.tail());
        self.len()
    }

    /// Removes the first entry, if it is of the round.
    #[inline]
    pub(super) fn pop_in_round(&self) -> Option<Entry<L>> {
        self.ring.pop_before(self.round_end.get())
    }

    /// Changes the order of the first `count` entries, between two rounds.
    pub(super) fn with_first(&self, count: usize, change: impl FnOnce(&mut [EntrySlot<L>])) {
        self.ring.with_first(count, change);
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.ring.len()
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.ring.is_empty()
    }

    /// Makes room for `entries`, and gives no memory back any more.
    pub(super) fn reserve(&self, entries: usize) -> Result<(), TryReserveError> {
        self.ring.reserve(entries)?;
        self.kept.set(usize::MAX);
        Ok(())
    }

    /// Gives back the memory that a burst has left, once the queue is empty.
    pub(crate) fn shrink(&self) {
        if self.is_empty() && self.ring.capacity() > self.kept.get() {
            self.ring.free_memory();
        }
    }
}
