//! The ready queue: first in, first out, and a turn's round is frozen before it runs.
//!
//! **Round Invariant**: what a turn runs was on the queue when the turn froze its length. What
//! those entries schedule is put behind them and waits for the next turn, so that no callback can
//! keep the loop from its timers and its sockets.

use super::entry::{Entry, EntrySlot};
use super::ring::Ring;

/// Beyond this capacity an empty queue gives its memory back.
pub(super) const RETAINED_CAPACITY: usize = 1024;

/// Entries in the order of their scheduling, a word each.
pub(crate) struct ReadyQueue<L: 'static>(Ring<L>);

impl<L> ReadyQueue<L> {
    pub(crate) const fn new() -> ReadyQueue<L> {
        ReadyQueue(Ring::new())
    }

    #[inline]
    pub(crate) fn push(&self, entry: Entry<L>) {
        self.0.push(entry);
    }

    pub(crate) fn extend(&self, new: impl Iterator<Item = Entry<L>>) {
        new.for_each(|entry| self.0.push(entry));
    }

    #[inline]
    pub(crate) fn pop(&self) -> Option<Entry<L>> {
        self.0.pop()
    }

    /// Changes the order of the first `count` entries.
    pub(super) fn with_first(&self, count: usize, change: impl FnOnce(&mut [EntrySlot<L>])) {
        self.0.with_first(count, change);
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Gives back the memory that a burst has left, once the queue is empty.
    pub(crate) fn shrink(&self) {
        if self.is_empty() && self.0.capacity() > RETAINED_CAPACITY {
            self.0.free_memory();
        }
    }
}
