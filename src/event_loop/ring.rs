//! [`Ring`]: entries, first in, first out.
//!
//! **Ring Invariant**: the number of slots is zero or a power of two. Each entry has a number, one
//! higher than that of the entry before, which wraps around. The entries are in the slots of the numbers
//! from `head` up to `tail`, taken modulo the number of slots; all other slots are free.

use alloc::collections::TryReserveError;
use alloc::vec::Vec;
use core::cell::Cell;

use super::entry::{Entry, EntrySlot, Slots};

/// Slots of the smallest ring that is not empty.
const FEWEST: usize = 8;

pub(super) struct Ring<L: 'static> {
    slots: Slots<L>,
    head: Cell<usize>,
    tail: Cell<usize>,
}

impl<L> Ring<L> {
    pub(super) const fn new() -> Ring<L> {
        Ring { slots: Slots::new(), head: Cell::new(0), tail: Cell::new(0) }
    }

    #[inline]
    pub(super) fn push(&self, entry: Entry<L>) {
        let number = self.tail.get();
        match self.slots.put(number, entry) {
            Ok(()) => self.tail.set(number.wrapping_add(1)),
            Err(entry) => self.push_to_larger(entry),
        }
    }

    #[cold]
    #[inline(never)]
    fn push_to_larger(&self, entry: Entry<L>) {
        self.slots.change(|slots| self.double(slots));
        self.push(entry);
    }

    fn double(&self, slots: &mut Vec<EntrySlot<L>>) {
        let before = slots.len();
        slots.resize_with((before * 2).max(FEWEST), || EntrySlot::FREE);
        self.spread(slots, before);
    }

    /// Makes room for `entries` in all.
    pub(super) fn reserve(&self, entries: usize) -> Result<(), TryReserveError> {
        let mut outcome = Ok(());
        self.slots.change(|slots| {
            let all = entries.max(FEWEST).checked_next_power_of_two();
            outcome = slots
                .try_reserve_exact(all.map_or(usize::MAX, |all| all.saturating_sub(slots.len())));
            while outcome.is_ok() && slots.len() < entries {
                self.double(slots);
            }
        });
        outcome
    }

    /// Moves the entries of a ring to where their numbers are in one of twice the slots, of which they
    /// are in the lower half, `before`: those before the wrap, or those behind it.
    fn spread(&self, slots: &mut [EntrySlot<L>], before: usize) {
        let first = self.head.get() & before.saturating_sub(1);
        let moved = if self.head.get() & before == 0 { 0..first } else { first..before };
        moved.for_each(|at| slots.swap(at, before + at));
    }

    /// Moves the entries so that the first is in the first slot, and has the number zero.
    fn straighten(&self, slots: &mut [EntrySlot<L>]) {
        let (len, mask) = (self.len(), slots.len().saturating_sub(1));
        slots.rotate_left(self.head.get() & mask);
        self.head.set(0);
        self.tail.set(len);
    }

    #[inline]
    pub(super) fn pop(&self) -> Option<Entry<L>> {
        self.pop_before(self.tail.get())
    }

    /// Removes the first entry, unless `end` is its number, or that of the next to come.
    #[inline]
    pub(super) fn pop_before(&self, end: usize) -> Option<Entry<L>> {
        let number = self.head.get();
        if number == end {
            return None;
        }
        let entry = self.slots.take(number)?;
        self.head.set(number.wrapping_add(1));
        Some(entry)
    }

    /// The number of the next entry that is pushed.
    #[inline]
    pub(super) fn tail(&self) -> usize {
        self.tail.get()
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.tail.get().wrapping_sub(self.head.get())
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.head.get() == self.tail.get()
    }

    /// For how many entries there is room.
    pub(super) fn capacity(&self) -> usize {
        self.slots.len()
    }

    /// Frees the memory of an empty ring.
    pub(super) fn free_memory(&self) {
        debug_assert!(self.is_empty());
        self.slots.change(|slots| *slots = Vec::new());
    }

    /// Changes the order of the first `count` entries, which `change` exchanges, and numbers all anew.
    pub(super) fn with_first(&self, count: usize, change: impl FnOnce(&mut [EntrySlot<L>])) {
        self.slots.change(|slots| {
            self.straighten(slots);
            change(&mut slots[..count]);
        });
    }
}

impl<L> Drop for Ring<L> {
    fn drop(&mut self) {
        while let Some(entry) = self.pop() {
            drop(entry);
        }
    }
}

#[cfg(not(any(loom, shuttle)))]
#[cfg(test)]
mod tests {
    use alloc::collections::VecDeque;
    use alloc::rc::Rc;
    use alloc::string::String;

    use super::*;
    use crate::event_loop::job::{Job, JobCell};
    use crate::event_loop::loop_ref::LoopRef;

    struct Nothing;

    impl Job for Nothing {
        fn run(_this: Rc<JobCell<Self>>, _event_loop: &LoopRef) {}

        fn describe(&self) -> String {
            String::new()
        }
    }

    #[test]
    fn ring_is_a_queue() {
        let mut random = fastrand::Rng::with_seed(3);
        for start in [0, 5, usize::MAX - 2] {
            let ring = Ring::new();
            ring.head.set(start);
            ring.tail.set(start);
            let mut model = VecDeque::new();
            for _ in 0..5_000 {
                match random.u8(..16) {
                    0 => {
                        let count = random.usize(..=model.len());
                        ring.with_first(count, |first| first.reverse());
                        model.make_contiguous()[..count].reverse();
                    }
                    1..9 => {
                        let entry = Entry::from(JobCell::new(Nothing));
                        model.push_back(entry.address());
                        ring.push(entry);
                    }
                    _ => {
                        let popped = ring.pop().map(|entry| entry.address());
                        assert_eq!(popped, model.pop_front());
                    }
                }
                assert_eq!((ring.len(), ring.is_empty()), (model.len(), model.is_empty()));
            }
            while let Some(entry) = ring.pop() {
                assert_eq!(Some(entry.address()), model.pop_front());
            }
            assert!(model.is_empty());
        }
    }

    #[test]
    fn ring_drops_what_is_left_and_grows_by_doubling() {
        let (job, ring) = (JobCell::new(Nothing), Ring::new());
        for (entries, slots) in [(1, 8), (8, 8), (9, 16), (17, 32)] {
            while ring.len() < entries {
                ring.push(job.clone().into());
            }
            assert_eq!(ring.capacity(), slots);
        }
        assert_eq!(Rc::strong_count(&job), 18);
        drop(ring);
        assert_eq!(Rc::strong_count(&job), 1);
    }
}
