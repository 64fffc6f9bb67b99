//! [`Wheel`]: a hierarchical timer wheel: what is behind [`TimerWheel`](super::TimerWheel), and, with
//! keys that are no more than an index, behind the timers of a loop.
//!
//! # How it works
//!
//! Written in base 64, a deadline has eleven digits; in base 8, where memory is scarce, it has 22. A timer
//! waits on the level of the highest digit in which its deadline differs from the present, in the slot
//! of that digit: the next ticks have a slot each, later ones share a slot of 64 ticks, of 4096, and so
//! on. When the present enters a slot, the timers in it that are not due yet move to lower levels. A timer
//! moves at most once for each digit, however far away it was, and most are cancelled before they move.
//!
//! | operation | cost |
//! | --- | --- |
//! | `insert`, `remove` | constant |
//! | `expire` | what comes due, sorted among those that shared a slot, and what moves |
//! | `earliest_bound` | constant |
//! | `next_deadline` | constant, but one slot's length where its earliest was cancelled |
//!
//! # What always holds
//!
//! **Place Invariant.** A timer is in the slot that `place` gives for the wheel's present and the
//! timer's deadline, and in no other. Hence
//!
//! - places are in the order of time: all in a lower place is due before all in a higher one;
//! - equal deadlines share a slot;
//! - the deadline alone tells where a timer is, so no timer has to remember it.
//!
//! A deadline that is past already when its timer is inserted counts as the present, the slot of which
//! on level 0 is the lowest place in use. So it is before all that is later, and the sort below
//! puts it in order among its like: the past needs no list of its own. Nor can the present leave
//! such a timer behind: only `expire` moves it, and empties that slot first.
//!
//! **Made Invariant.** Timers of one slot that have the same deadline are listed in the order
//! made: lists are only appended to, and a slot's timers move in list order. So a stable sort by
//! deadline gives a slot's (deadline, made) order, and no sort is needed across slots.
//!
//! **Low Invariant.** No deadline in a slot is earlier than the slot's `low`, and unless that is
//! `Low::Stale`, one is equal to it.

use alloc::{boxed::Box, vec::Vec};
use core::mem;

use super::SCARCE;
use super::sort::sort_by_key;
use super::timer_key::Keys;

/// Bits of a digit. Where memory is scarce, a level takes 192 bytes in place of 1,536.
const DIGIT: u32 = if SCARCE { 3 } else { 6 };
const SLOTS: usize = 1 << DIGIT;
/// So many digits cover 64 bits.
const LEVELS: usize = u64::BITS.div_ceil(DIGIT) as usize;
/// The end of a list.
const NIL: u32 = u32::MAX;
/// Storage for up to so many timers is kept when the wheel becomes empty.
const KEPT: usize = 1024;

/// The slot in which a deadline waits at a given present: the level times the slots of one,
/// plus the digit.
#[inline(always)]
fn place(present: u64, when: u64) -> usize {
    let when = when.max(present);
    let highest = (u64::BITS - 1) - ((present ^ when) | (SLOTS as u64 - 1)).leading_zeros();
    let level = highest / DIGIT;
    let digit = (when >> (level * DIGIT)) as usize % SLOTS;
    level as usize * SLOTS + digit
}

/// Timers in order of (deadline, made), with insertion and removal in constant time. Payloads are never
/// dropped inside a call.
pub(crate) struct Wheel<T, K> {
    /// The latest time that `expire` was told.
    pub(super) present: u64,
    /// By index; `None` for one that is free.
    payloads: Vec<Option<T>>,
    /// The place of the timer that has the payload of the same index; of an index that is free, which is
    /// free behind it. Apart from the payloads, because a walk over a list knows the next place
    /// only when it has seen the one before: so a walk sees less memory.
    links: Vec<Link>,
    /// Looked at only where a timer is made.
    pub(super) keys: K,
    /// The first index that is free.
    free: u32,
    len: usize,
    /// A bit for each slot with timers in it, a word for each level.
    occupied: [u64; LEVELS],
    /// A bit for each level with timers in it.
    levels: u32,
    /// The slots of each level that was ever used.
    slots: [Option<Box<[Slot; SLOTS]>>; LEVELS],
}

/// A timer's deadline, and its neighbours in its slot's list.
#[derive(Clone, Copy)]
struct Link {
    when: u64,
    next: u32,
    prev: u32,
}

/// A list of timers, and the earliest deadline among them as far as it is known.
#[derive(Clone, Copy)]
struct Slot {
    head: u32,
    tail: u32,
    low: u64,
    low_is: Low,
}

/// The meaning of a slot's `low`. It is worth a state of its own that a slot is sorted: requests
/// that have one timeout come in order and go in about the same order, each of them the earliest.
#[derive(Clone, Copy, PartialEq)]
enum Low {
    /// The head's deadline, and the list is sorted by deadline.
    Head,
    /// The deadline of some timer in the list, which need not be sorted.
    Held,
    /// The deadline of a timer that was cancelled; those that are left may all be later.
    Stale,
}

impl Slot {
    const EMPTY: Slot = Slot { head: NIL, tail: NIL, low: u64::MAX, low_is: Low::Head };
}

impl<T, K: Keys> Wheel<T, K> {
    /// An empty wheel with 0 as the present.
    pub(crate) const fn new(keys: K) -> Wheel<T, K> {
        Wheel {
            present: 0,
            payloads: Vec::new(),
            links: Vec::new(),
            keys,
            free: NIL,
            len: 0,
            occupied: [0; LEVELS],
            levels: 0,
            slots: [const { None }; LEVELS],
        }
    }

    /// Adds a timer that is due at `when`.
    ///
    /// # Panics
    ///
    /// When `u32::MAX` timers are pending already.
    #[inline]
    pub(crate) fn insert(&mut self, when: u64, payload: T) -> K::Key {
        let (index, key) = self.keep(payload);
        self.len += 1;
        self.append(index, when);
        key
    }

    /// Removes the timer of an index, if it has one and `is_it` says of its payload that it is the one
    /// that is meant.
    pub(crate) fn remove(&mut self, index: u32, is_it: impl FnOnce(&T) -> bool) -> Option<T> {
        let payload = self.payloads.get_mut(index as usize)?.take_if(|payload| is_it(payload))?;
        self.unlink(index);
        self.release(index);
        self.give_back();
        Some(payload)
    }

    /// Moves every timer with `when <= now` to the end of `due`, in order of (`when`, made), and makes
    /// `now` the present, unless it is earlier.
    pub(crate) fn expire(&mut self, now: u64, due: &mut Vec<(u64, T)>) {
        let present = now.max(self.present);
        // Timers below `reached` are earlier than the new present. Those above it are later, and
        // keep their places: down to the digit that sets them apart, the old present and the new
        // one agree. This restores the Place Invariant.
        let reached = place(self.present, present);
        while let Some(first) = self.first().filter(|&first| first < reached) {
            self.take(first, now, due);
        }
        self.present = present;
        if self.occupied[reached / SLOTS] >> (reached % SLOTS) & 1 != 0 {
            self.take(reached, now, due);
        }
        self.give_back();
    }

    /// Moves every timer to the end of `all`, due or not, in the same order. The present stays.
    pub(crate) fn drain(&mut self, all: &mut Vec<(u64, T)>) {
        while let Some(first) = self.first() {
            self.take(first, u64::MAX, all);
        }
        self.give_back();
    }

    /// The earliest deadline, exactly; `None` when the wheel is empty.
    pub(crate) fn next_deadline(&mut self) -> Option<u64> {
        let first = self.first()?;
        let Slot { head, low, low_is, .. } = *self.slot(first);
        if low_is != Low::Stale {
            return Some(low);
        }
        let low = self.earliest_in(head, low);
        let slot = self.slot(first);
        (slot.low, slot.low_is) = (low, Low::Held);
        Some(low)
    }

    /// A time that is not later than the earliest deadline, and mostly is that deadline; `None`
    /// when the wheel is empty.
    #[inline]
    pub(crate) fn earliest_bound(&self) -> Option<u64> {
        if self.is_empty() {
            return None;
        }
        let first = self.first()?;
        Some(self.slots[first / SLOTS].as_ref()?[first % SLOTS].low)
    }

    /// Every timer that is pending, as its deadline and its payload, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        let all = self.payloads.iter().zip(&self.links);
        all.filter_map(|(payload, link)| Some((link.when, payload.as_ref()?)))
    }

    /// Returns the number of pending timers.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Returns true if no timer is pending.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// For how many pending timers there is room without another allocation.
    pub(crate) fn capacity(&self) -> usize {
        self.payloads.capacity().min(self.links.capacity())
    }

    /// A slot that is in use.
    #[inline]
    fn slot(&mut self, place: usize) -> &mut Slot {
        &mut self.slots[place / SLOTS].get_or_insert_with(new_level)[place % SLOTS]
    }

    /// Keeps `payload` at an index that is free, or else a new one.
    #[inline(always)]
    fn keep(&mut self, payload: T) -> (u32, K::Key) {
        while self.free != NIL {
            let index = self.free;
            self.free = self.links[index as usize].next;
            if let Some(key) = self.keys.next(index) {
                self.payloads[index as usize] = Some(payload);
                return (index, key);
            }
        }
        let index = self.payloads.len();
        assert!(index < NIL as usize, "too many timers are pending");
        self.payloads.push(Some(payload));
        self.links.push(Link { when: 0, next: NIL, prev: NIL });
        (index as u32, self.keys.begin(index as u32))
    }

    /// The index has served its timer.
    fn release(&mut self, index: u32) {
        self.links[index as usize].next = self.free;
        self.free = index;
        self.len -= 1;
    }

    /// The lowest place in use: by the Place Invariant, that of the earliest timer.
    fn first(&self) -> Option<usize> {
        let level = self.levels.trailing_zeros() as usize;
        let slots = self.occupied.get(level)?;
        Some(level * SLOTS + slots.trailing_zeros() as usize)
    }

    fn occupy(&mut self, place: usize) {
        self.occupied[place / SLOTS] |= 1 << (place % SLOTS);
        self.levels |= 1 << (place / SLOTS);
    }

    fn vacate(&mut self, place: usize) {
        let slots = &mut self.occupied[place / SLOTS];
        *slots &= !(1 << (place % SLOTS));
        if *slots == 0 {
            self.levels &= !(1 << (place / SLOTS));
        }
    }

    /// The earliest deadline of the list that begins with `head`, none of which is earlier than `low`.
    fn earliest_in(&self, head: u32, low: u64) -> u64 {
        let (mut at, mut earliest) = (head, u64::MAX);
        // The first of the deadline `low` ends the walk.
        while at != NIL && earliest != low {
            let link = self.links[at as usize];
            earliest = earliest.min(link.when);
            at = link.next;
        }
        earliest
    }

    /// Puts a timer at the end of its slot's list, as the Made Invariant wants it.
    #[inline(always)]
    fn append(&mut self, index: u32, when: u64) {
        let place = place(self.present, when);
        let slot = &mut self.slots[place / SLOTS].get_or_insert_with(new_level)[place % SLOTS];
        let prev = mem::replace(&mut slot.tail, index);
        if prev == NIL {
            *slot = Slot { head: index, tail: index, low: when, low_is: Low::Head };
            self.occupy(place);
        } else {
            let tail = &mut self.links[prev as usize];
            tail.next = index;
            if slot.low_is == Low::Head && when < tail.when {
                slot.low_is = Low::Held;
            }
            slot.low = slot.low.min(when);
        }
        self.links[index as usize] = Link { when, next: NIL, prev };
    }

    /// Closes the gap in its slot's list that a timer leaves.
    #[inline(always)]
    fn unlink(&mut self, index: u32) {
        let link = self.links[index as usize];
        let place = place(self.present, link.when);
        let slot = &mut self.slots[place / SLOTS].get_or_insert_with(new_level)[place % SLOTS];
        match link.prev {
            NIL => slot.head = link.next,
            prev => self.links[prev as usize].next = link.next,
        }
        match link.next {
            NIL => slot.tail = link.prev,
            next => self.links[next as usize].prev = link.prev,
        }
        if slot.head == NIL {
            self.vacate(place);
        } else if link.when == slot.low {
            match slot.low_is {
                Low::Head => slot.low = self.links[slot.head as usize].when,
                Low::Held | Low::Stale => slot.low_is = Low::Stale,
            }
        }
    }

    /// Moves a timer that is due, and is on no list any more, to the end of `due`.
    #[inline(always)]
    fn take_due(&mut self, index: u32, due: &mut Vec<(u64, T)>) {
        if let Some(payload) = self.payloads[index as usize].take() {
            due.push((self.links[index as usize].when, payload));
        }
        self.release(index);
    }

    /// Takes a slot in use apart: what is due at `now` goes to `due`, sorted, the rest where it belongs
    /// at the present.
    fn take(&mut self, place: usize, now: u64, due: &mut Vec<(u64, T)>) {
        self.vacate(place);
        let Slot { head: mut at, tail, .. } = mem::replace(self.slot(place), Slot::EMPTY);
        if at == tail && self.links[at as usize].when <= now {
            return self.take_due(at, due);
        }
        let start = due.len();
        while at != NIL {
            let Link { when, next, .. } = self.links[at as usize];
            if when <= now {
                self.take_due(at, due);
            } else {
                self.append(at, when);
            }
            at = next;
        }
        // A stable sort: it leaves equal deadlines as the Made Invariant has them.
        sort_by_key(&mut due[start..], |&(when, _)| when);
    }

    /// Frees the storage when the last of many timers is gone.
    #[inline]
    fn give_back(&mut self) {
        if self.is_empty() && self.payloads.capacity() > KEPT {
            self.free_storage();
        }
    }

    #[cold]
    fn free_storage(&mut self) {
        if self.keys.forget() {
            self.payloads = Vec::new();
            self.links = Vec::new();
            self.free = NIL;
        }
    }
}

/// The slots of a level that is used for the first time.
#[cold]
fn new_level() -> Box<[Slot; SLOTS]> {
    Box::new([Slot::EMPTY; SLOTS])
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    /// Walks every list, and asserts what the head of this file says always holds.
    fn check(wheel: &Wheel<u64, ()>) {
        let mut listed = 0;
        let level = |level: &Option<Box<[Slot; SLOTS]>>| level.as_deref().copied();
        let slots = wheel.slots.iter().flat_map(|own| level(own).unwrap_or([Slot::EMPTY; SLOTS]));
        for (at_place, slot) in slots.enumerate() {
            let occupied = wheel.occupied[at_place / SLOTS];
            assert_eq!(wheel.levels >> (at_place / SLOTS) & 1 == 1, occupied != 0);
            let bit = occupied >> (at_place % SLOTS) & 1;
            assert_eq!(bit == 1, slot.head != NIL);
            assert_eq!(slot.head == NIL, slot.tail == NIL);
            let mut list = Vec::new();
            let (mut prev, mut at) = (NIL, slot.head);
            while at != NIL {
                let (link, made) = (wheel.links[at as usize], wheel.payloads[at as usize]);
                assert_eq!(link.prev, prev);
                assert_eq!(place(wheel.present, link.when), at_place, "Place Invariant");
                assert!(slot.low <= link.when, "Low Invariant");
                list.push((link.when, made.expect("a timer in a list has its payload")));
                (prev, at) = (at, link.next);
            }
            assert_eq!(prev, slot.tail);
            let exact = list.iter().any(|&(when, _)| when == slot.low);
            assert!(exact || list.is_empty() || slot.low_is == Low::Stale, "Low Invariant");
            if slot.low_is == Low::Head {
                assert!(list.is_sorted(), "Low::Head");
            }
            listed += list.len();
            list.sort_by_key(|&(when, _)| when);
            assert!(list.is_sorted(), "Made Invariant");
        }
        assert_eq!(listed, wheel.len());
    }

    #[test]
    fn invariants_hold_after_every_step() {
        let mut rng = fastrand::Rng::with_seed(1);
        for _ in 0..20 {
            let mut wheel = Wheel::new(());
            let (mut keys, mut due) = (Vec::new(), Vec::new());
            for step in 0..400 {
                match rng.u32(0..8) {
                    0 => {
                        let jump = rng.u64(..) >> rng.u32(1..64);
                        wheel.expire(wheel.present.saturating_add(jump), &mut due);
                    }
                    1 => wheel.expire(wheel.present - wheel.present.min(3), &mut due),
                    2 if !keys.is_empty() => {
                        let (key, made) = keys.swap_remove(rng.usize(..keys.len()));
                        let removed = wheel.remove(key, |payload| *payload == made);
                        assert_ne!(removed.is_some(), due.iter().any(|&(_, own)| own == made));
                    }
                    3 => assert!(wheel.earliest_bound() <= wheel.next_deadline()),
                    4 => {
                        let when = wheel.present.saturating_sub(rng.u64(..4));
                        keys.push((wheel.insert(when, step), step));
                    }
                    _ => {
                        let delay = rng.u64(..) >> rng.u32(..64);
                        let when = wheel.present.saturating_add(delay);
                        keys.push((wheel.insert(when, step), step));
                    }
                }
                check(&wheel);
            }
        }
    }

    #[test]
    fn level_is_that_of_the_highest_digit_that_differs() {
        assert_eq!([0, 1, 63].map(|when| place(0, when)), [0, 1, 63]);
        assert_eq!([64, 128, 4095].map(|when| place(0, when)), [65, 66, 127]);
        assert_eq!([4096, 5000].map(|when| place(4095, when)), [129, 129]);
        assert_eq!([0, 70, 127].map(|when| place(70, when)), [6, 6, 63]);
        assert_eq!(place(0, u64::MAX), 10 * SLOTS + 15);
    }

    #[test]
    fn beside_its_key_a_timer_is_16_bytes_and_its_payload() {
        assert_eq!(size_of::<Link>(), 16);
    }

    #[test]
    fn a_level_takes_memory_from_its_first_timer_on() {
        let mut wheel = Wheel::new(());
        let used = |wheel: &Wheel<u64, ()>| -> Vec<usize> {
            (0..LEVELS).filter(|&level| wheel.slots[level].is_some()).collect()
        };
        assert_eq!((used(&wheel), wheel.earliest_bound()), (Vec::new(), None));
        wheel.expire(5, &mut Vec::new());
        assert!(used(&wheel).is_empty());
        wheel.insert(1 << 33, 1);
        wheel.insert(70, 2);
        assert_eq!(used(&wheel), [1, 5]);
    }
}
