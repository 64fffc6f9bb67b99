//! [`Keys`] of the timers of a wheel: [`TimerKey`], and [`Generations`], which make sure that no two
//! timers of a wheel ever have the same; or plain indexes.
//!
//! **Key Invariant.** Each timer of an index has a higher generation than all that the index
//! served before, also where all was forgotten meanwhile. An index that has come to the highest
//! there is serves no more.

use alloc::vec::Vec;
use core::num::NonZeroU32;

/// A timer in a [`TimerWheel`](super::TimerWheel), from
/// [`TimerWheel::insert`](super::TimerWheel::insert).
///
/// No two timers of a wheel ever have the same key: the key of a timer that fired or was
/// cancelled finds nothing, even when its storage serves another timer by then. Keys mean
/// nothing to any other wheel.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TimerKey {
    pub(super) index: u32,
    generation: NonZeroU32,
}

/// The keys that tell the timers apart that an index serves one after the other.
pub(crate) trait Keys {
    type Key;

    /// The first key of `index`, which is the number of those before.
    fn begin(&mut self, index: u32) -> Self::Key;

    /// The next key of `index`, if there is one left.
    fn next(&mut self, index: u32) -> Option<Self::Key>;

    /// Forgets all indexes, and says so, unless it takes them to tell which keys were given.
    fn forget(&mut self) -> bool;
}

/// A key is the index itself: the caller knows by the payload whether the timer is still its own.
impl Keys for () {
    type Key = u32;

    #[inline]
    fn begin(&mut self, index: u32) -> u32 {
        index
    }

    #[inline]
    fn next(&mut self, index: u32) -> Option<u32> {
        Some(index)
    }

    fn forget(&mut self) -> bool {
        true
    }
}

/// By index, the generation of the timer that it serves, or has served last.
pub(super) struct Generations {
    last: Vec<NonZeroU32>,
    /// That of an index that is new.
    first: NonZeroU32,
    /// The highest that was given.
    newest: NonZeroU32,
}

impl Generations {
    pub(super) fn new() -> Generations {
        Generations { last: Vec::new(), first: NonZeroU32::MIN, newest: NonZeroU32::MIN }
    }

    /// Returns true if `key` is the last that its index was given.
    #[inline]
    pub(super) fn is_last(&self, key: TimerKey) -> bool {
        self.last.get(key.index as usize) == Some(&key.generation)
    }

    pub(super) fn capacity(&self) -> usize {
        self.last.capacity()
    }
}

impl Keys for Generations {
    type Key = TimerKey;

    #[inline]
    fn begin(&mut self, index: u32) -> TimerKey {
        self.last.push(self.first);
        TimerKey { index, generation: self.first }
    }

    #[inline]
    fn next(&mut self, index: u32) -> Option<TimerKey> {
        let last = &mut self.last[index as usize];
        let generation = last.checked_add(1)?;
        *last = generation;
        self.newest = self.newest.max(generation);
        Some(TimerKey { index, generation })
    }

    fn forget(&mut self) -> bool {
        let Some(first) = self.newest.checked_add(1) else { return false };
        *self = Generations { last: Vec::new(), first, newest: first };
        true
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn an_index_serves_until_no_generation_is_left() {
        let mut generations = Generations::new();
        let first = generations.begin(0);
        let second = generations.next(0).unwrap();
        assert_ne!(first, second);
        assert!(generations.is_last(second) && !generations.is_last(first));
        generations.last[0] = NonZeroU32::MAX;
        assert_eq!(generations.next(0), None);
        assert!(!generations.is_last(TimerKey { index: 1, ..first }));
    }

    #[test]
    fn what_is_forgotten_never_comes_again() {
        let mut generations = Generations::new();
        let first = generations.begin(0);
        let second = generations.next(0).unwrap();
        assert!(generations.forget() && generations.capacity() == 0);
        assert!(!generations.is_last(first) && !generations.is_last(second));
        let third = generations.begin(0);
        assert!(third.generation > second.generation);
        generations.newest = NonZeroU32::MAX;
        assert!(!generations.forget() && generations.is_last(third));
    }

    #[test]
    fn a_key_is_two_words_of_32_bits() {
        assert_eq!(size_of::<Option<TimerKey>>(), 8);
    }
}
