//! The ready queue: first in, first out, and a turn's round is frozen before it runs.
//!
//! **Round Invariant**: what a turn runs was on the queue when the turn froze its length. What
//! those entries schedule is put behind them and waits for the next turn, so that no callback can
//! keep the loop from its timers and its sockets.

use alloc::collections::VecDeque;
use core::cell::RefCell;

/// Beyond this capacity an empty queue gives its memory back.
pub(super) const RETAINED_CAPACITY: usize = 1024;

/// Entries in the order of their scheduling.
pub(crate) struct ReadyQueue<E> {
    entries: RefCell<VecDeque<E>>,
}

impl<E> ReadyQueue<E> {
    pub(crate) const fn new() -> ReadyQueue<E> {
        ReadyQueue { entries: RefCell::new(VecDeque::new()) }
    }

    #[inline]
    pub(crate) fn push(&self, entry: E) {
        self.entries.borrow_mut().push_back(entry);
    }

    pub(crate) fn extend(&self, new: impl Iterator<Item = E>) {
        let mut entries = self.entries.borrow_mut();
        // Most often it is one entry, for which `VecDeque::extend` would take three times as long.
        new.for_each(|entry| entries.push_back(entry));
    }

    #[inline]
    pub(crate) fn pop(&self) -> Option<E> {
        self.entries.borrow_mut().pop_front()
    }

    /// Changes the order of the first `count` entries.
    pub(super) fn with_first(&self, count: usize, change: impl FnOnce(&mut [E])) {
        change(&mut self.entries.borrow_mut().make_contiguous()[..count]);
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.entries.borrow().len()
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.borrow().is_empty()
    }

    /// Gives back the memory that a burst has left, once the queue is empty.
    pub(crate) fn shrink(&self) {
        let mut entries = self.entries.borrow_mut();
        if entries.is_empty() && entries.capacity() > RETAINED_CAPACITY {
            *entries = VecDeque::new();
        }
    }

    /// Takes all entries, to be dropped where no borrow is held.
    pub(crate) fn take_all(&self) -> VecDeque<E> {
        self.entries.take()
    }
}
