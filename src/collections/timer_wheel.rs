//! [`TimerWheel`]: deadlines and payloads in, due payloads out in exact (deadline, made) order.
//!
//! A pure structure: time is a `u64` of ticks, and the wheel reads no clock. It runs no code of a
//! payload: payloads are returned, and dropped by the caller, so that a destructor may call back
//! into the loop and find the wheel whole. How it works is in `wheel`, and in `timer_heap` where memory is scarce.

use alloc::vec::Vec;
use core::fmt;
use core::ops::{Index, IndexMut};

use super::Timers;
use super::timer_key::{Generations, TimerKey};
use super::timer_slab::TimerSlab;
use super::wheel_links::{At, Link, Links};

/// Timers in order of (deadline, made), with insertion and cancellation in constant time; where memory is
/// scarce, cancellation and expiry take logarithmic time, amortised.
///
/// A deadline is a `u64` of ticks (the event loop's are nanoseconds since its clock's start), and
/// any value is a good one, be it in the past or `u64::MAX`. A deadline is due when the time has
/// reached it, at `when <= now`.
///
/// Payloads are never dropped inside a call: each comes back from [`cancel`](Self::cancel),
/// [`expire`](Self::expire) or [`drain`](Self::drain), unless the wheel itself is dropped.
pub struct TimerWheel<T>(pub(super) Timers<TimerSlab<T, Generations, u32>>);

impl At for u32 {
    const NIL: u32 = u32::MAX;

    #[inline(always)]
    fn of(index: u32) -> u32 {
        index
    }

    #[inline(always)]
    fn index(self) -> usize {
        self as usize
    }
}

impl<T> Index<u32> for TimerSlab<T, Generations, u32> {
    type Output = Link<u32>;

    #[inline(always)]
    fn index(&self, at: u32) -> &Link<u32> {
        self.link(at as usize)
    }
}

impl<T> IndexMut<u32> for TimerSlab<T, Generations, u32> {
    #[inline(always)]
    fn index_mut(&mut self, at: u32) -> &mut Link<u32> {
        self.link_mut(at as usize)
    }
}

impl<T> Links for TimerSlab<T, Generations, u32> {
    type At = u32;

    fn rest(&mut self) {
        self.give_back();
    }
}

impl<T> TimerWheel<T> {
    /// Makes an empty wheel with 0 as its present.
    #[must_use]
    pub fn new() -> Self {
        TimerWheel(Timers::new(TimerSlab::new(Generations::new())))
    }

    /// Adds a timer that is due at `when` (in ticks), and returns the key that cancels it.
    ///
    /// A deadline in the past is simply due, and comes out before all later ones.
    ///
    /// # Panics
    ///
    /// When `u32::MAX` timers are pending already, and where there is no memory for one more.
    pub fn insert(&mut self, when: u64, payload: T) -> TimerKey {
        let Ok((index, key)) = self.0.links.keep(when, payload) else {
            panic!("no memory for a timer");
        };
        self.0.insert(index, when);
        key
    }

    /// Removes a timer and gives its payload back; `None` when it fired or was cancelled before.
    pub fn cancel(&mut self, key: TimerKey) -> Option<T> {
        if !self.0.links.keys.is_last(key) {
            return None;
        }
        self.0.links.payload(key.index as usize)?;
        self.0.remove(key.index);
        let payload = self.0.links.take(key.index);
        self.0.rest();
        payload
    }

    /// Moves every timer with `when <= now` to the end of `due`, as (`when`, payload), in order
    /// of (`when`, made).
    ///
    /// The present becomes `now`. Where `now` is earlier than the present, the present stays, and
    /// what is due is still exactly what has `when <= now`.
    pub fn expire(&mut self, now: u64, due: &mut Vec<(u64, T)>) {
        self.0.expire(now, &mut |timers, at| due.extend(timers.take_due(at)));
    }

    /// Moves every timer to the end of `all`, due or not, in the form and order of
    /// [`expire`](Self::expire). The present stays.
    pub fn drain(&mut self, all: &mut Vec<(u64, T)>) {
        self.0.drain(&mut |timers, at| all.extend(timers.take_due(at)));
    }

    /// The earliest deadline, exactly; `None` when the wheel is empty.
    ///
    /// Where the earliest timer was cancelled out of an unsorted slot, this looks through the
    /// rest of that slot. A clock that jumps to the answer, as a virtual one does, takes the slot
    /// apart next, which costs as much; a clock that asks on every turn and rarely gets there is
    /// better served by [`earliest_bound`](Self::earliest_bound).
    pub fn next_deadline(&mut self) -> Option<u64> {
        self.0.next_deadline()
    }

    /// A time that is not later than the earliest deadline, and mostly is that deadline; `None`
    /// when the wheel is empty.
    ///
    /// Where it is not, the timer that had this deadline was cancelled. A clock that sleeps until
    /// then wakes for nothing, but not again for the same slot: [`expire`](Self::expire) takes the
    /// slot apart, and the bounds that come of it are exact.
    #[must_use]
    #[inline]
    pub fn earliest_bound(&self) -> Option<u64> {
        self.0.earliest_bound()
    }

    /// Every timer that is pending, as its deadline and its payload, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        self.0.links.iter()
    }

    /// Returns the number of pending timers.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns true if no timer is pending.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// For how many pending timers there is room without another allocation.
    ///
    /// The room of a timer that is gone serves the next one at once. When the last timer goes and
    /// there was room for more than 1024, all of it is freed.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.0.links.capacity().min(self.0.links.keys.capacity())
    }
}

impl<T> Default for TimerWheel<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for TimerWheel<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimerWheel")
            .field("len", &self.len())
            .field("earliest_bound", &self.earliest_bound())
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn freed_storage_brings_no_key_back() {
        let mut wheel = TimerWheel::new();
        let fill = |wheel: &mut TimerWheel<u64>| -> Vec<TimerKey> {
            (0..=1024_u64).map(|made| wheel.insert(made, made)).collect()
        };
        let keys = fill(&mut wheel);
        keys.iter().for_each(|&key| assert!(wheel.cancel(key).is_some()));
        assert_eq!(wheel.capacity(), 0);
        let others = fill(&mut wheel);
        keys.iter().for_each(|&key| assert!(wheel.cancel(key).is_none()));
        others.iter().for_each(|&key| assert!(wheel.cancel(key).is_some()));
    }
}
