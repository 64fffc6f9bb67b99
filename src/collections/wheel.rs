//! [`Wheel`]: a hierarchical timer wheel: what is behind [`TimerWheel`](super::TimerWheel), and, with
//! keys that are no more than an index, behind the timers of a loop.
//!
//! # How it works
//!
//! Written in base 64, a deadline has eleven digits. A timer waits on the level of the highest digit in
//! which its deadline differs from the present, in the slot of that digit: the next ticks have a slot
//! each, later ones share a slot of 64 ticks, of 4096, and so on. When the present enters a slot, the
//! timers in it that are not due yet move to lower levels. A timer moves at most once for each digit,
//! however far away it was, and most are cancelled before they move.
//!
//! Where memory is scarce, the digits are those of base 4, of the deadline without its lowest 24 bits: so
//! many ticks share the lowest slots, and a timer in the slot of the present that is not due yet stays in it.
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
//! made: lists are only appended to, and a slot's timers move in list order. So a stable sort of its
//! list by deadline, which needs no memory, gives a slot's (deadline, made) order, and no sort is needed
//! across slots.
//!
//! **Low Invariant.** No deadline in a slot is earlier than the slot's `low`, and unless that is
//! `Low::Stale`, one is equal to it.

use alloc::{boxed::Box, vec::Vec};
use core::mem;

use super::SCARCE;
use super::timer_key::Keys;

/// Bits of a digit. Where memory is scarce, a level takes 80 bytes in place of 1,096.
const DIGIT: u32 = if SCARCE { 2 } else { 6 };
/// Bits below the lowest digit. A level that no deadline needs takes no memory: of nanoseconds, 24 bits are
/// about 17 milliseconds.
const FINE: u32 = if SCARCE { 24 } else { 0 };
pub(super) const SLOTS: usize = 1 << DIGIT;
/// So many digits cover the other bits.
const LEVELS: usize = (u64::BITS - FINE).div_ceil(DIGIT) as usize;
/// The end of a list.
pub(super) const NIL: u32 = u32::MAX;

/// Storage for up to so many timers is kept when the wheel becomes empty, unless some was reserved.
const KEPT: usize = 1024;

/// The slot in which a deadline waits at a given present: the level times the slots of one,
/// plus the digit.
#[inline(always)]
fn place(present: u64, when: u64) -> usize {
    let (present, when) = (present >> FINE, when.max(present) >> FINE);
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
    pub(super) payloads: Vec<Option<T>>,
    /// The place of the timer that has the payload of the same index; of an index that is free, which is
    /// free behind it. Apart from the payloads, because a walk over a list knows the next place
    /// only when it has seen the one before: so a walk sees less memory.
    pub(super) links: Vec<Link>,
    /// Looked at only where a timer is made.
    pub(super) keys: K,
    /// The first index that is free.
    pub(super) free: u32,
    len: usize,
    /// Storage for up to so many timers is kept.
    pub(super) kept: usize,
    /// A bit for each level with timers in it.
    in_use: u32,
    /// The levels that were ever used.
    pub(super) levels: [Option<LevelBox>; LEVELS],
}

/// A level in memory of its own: an array, as only that of a list can be asked for without a panic.
pub(super) type LevelBox = Box<[Level; 1]>;

/// The slots of a digit.
pub(super) struct Level {
    /// A bit for each slot with timers in it.
    occupied: u64,
    slots: [Slot; SLOTS],
    /// By slot.
    low_is: [Low; SLOTS],
}

/// A timer's deadline, and its neighbours in its slot's list.
#[derive(Clone, Copy)]
pub(super) struct Link {
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
    const EMPTY: Slot = Slot { head: NIL, tail: NIL, low: u64::MAX };
}

impl Level {
    pub(super) const EMPTY: Level =
        Level { occupied: 0, slots: [Slot::EMPTY; SLOTS], low_is: [Low::Head; SLOTS] };

    /// A slot has no timers any more. Returns true if no other has.
    #[inline(always)]
    fn vacate(&mut self, digit: usize) -> bool {
        self.occupied &= !(1 << digit);
        self.occupied == 0
    }
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
            kept: KEPT,
            in_use: 0,
            levels: [const { None }; LEVELS],
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

    /// Has the timer of an index pass on `payload`, if it has one and `is_it` says of its payload that it is
    /// the one that is meant. Returns its deadline and that payload; or else `payload`.
    pub(crate) fn replace(
        &mut self,
        index: u32,
        is_it: impl FnOnce(&T) -> bool,
        payload: T,
    ) -> Result<(u64, T), T> {
        match self.payloads.get_mut(index as usize) {
            Some(Some(own)) if is_it(own) => {
                Ok((self.links[index as usize].when, mem::replace(own, payload)))
            }
            _ => Err(payload),
        }
    }

    /// Takes out every timer with `when <= now`, passes it to `due` in order of (`when`, made), and makes
    /// `now` the present, unless it is earlier.
    pub(crate) fn expire(&mut self, now: u64, due: &mut dyn FnMut(u64, T)) {
        let present = now.max(self.present);
        // Timers below `reached` are earlier than the new present. Those above it are later, and
        // keep their places: down to the digit that sets them apart, the old present and the new
        // one agree. This restores the Place Invariant.
        let reached = place(self.present, present);
        while let Some(first) = self.first().filter(|&first| first < reached) {
            self.take(first, now, due);
        }
        self.present = present;
        if self.first() == Some(reached) {
            self.take(reached, now, due);
        }
        self.give_back();
    }

    /// Takes out every timer, due or not, and passes it to `all` in the same order. The present stays.
    pub(crate) fn drain(&mut self, all: &mut dyn FnMut(u64, T)) {
        while let Some(first) = self.first() {
            self.take(first, u64::MAX, all);
        }
        self.give_back();
    }

    /// The earliest deadline, exactly; `None` when the wheel is empty.
    pub(crate) fn next_deadline(&mut self) -> Option<u64> {
        let first = self.first()?;
        let digit = first % SLOTS;
        let [level] = self.levels[first / SLOTS].as_deref_mut()?;
        let Slot { head, low, .. } = level.slots[digit];
        if level.low_is[digit] != Low::Stale {
            return Some(low);
        }
        let low = earliest_in(&self.links, head, low);
        (level.slots[digit].low, level.low_is[digit]) = (low, Low::Held);
        Some(low)
    }

    /// A time that is not later than the earliest deadline, and mostly is that deadline; `None`
    /// when the wheel is empty.
    #[inline]
    pub(crate) fn earliest_bound(&self) -> Option<u64> {
        let first = self.first()?;
        let [level] = self.levels[first / SLOTS].as_deref()?;
        Some(level.slots[first % SLOTS].low)
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
        let number = self.in_use.trailing_zeros() as usize;
        let [level] = self.levels.get(number)?.as_deref()?;
        // The remainder changes nothing, but has the compiler know a digit: callers take it out again.
        Some(number * SLOTS + level.occupied.trailing_zeros() as usize % SLOTS)
    }

    /// Puts a timer at the end of its slot's list, as the Made Invariant wants it.
    #[inline(always)]
    fn append(&mut self, index: u32, when: u64) {
        let place = place(self.present, when);
        let (level, digit) = (place / SLOTS, place % SLOTS);
        let [own] = &mut **self.levels[level].get_or_insert_with(new_level);
        let slot = &mut own.slots[digit];
        let prev = mem::replace(&mut slot.tail, index);
        if prev == NIL {
            *slot = Slot { head: index, tail: index, low: when };
            own.low_is[digit] = Low::Head;
            own.occupied |= 1 << digit;
            self.in_use |= 1 << level;
        } else {
            let tail = &mut self.links[prev as usize];
            tail.next = index;
            if own.low_is[digit] == Low::Head && when < tail.when {
                own.low_is[digit] = Low::Held;
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
        let digit = place % SLOTS;
        let Some([level]) = self.levels[place / SLOTS].as_deref_mut() else { return };
        let slot = &mut level.slots[digit];
        match link.prev {
            NIL => slot.head = link.next,
            prev => self.links[prev as usize].next = link.next,
        }
        match link.next {
            NIL => slot.tail = link.prev,
            next => self.links[next as usize].prev = link.prev,
        }
        if slot.head == NIL {
            if level.vacate(digit) {
                self.in_use &= !(1 << (place / SLOTS));
            }
        } else if link.when == slot.low {
            match level.low_is[digit] {
                Low::Head => slot.low = self.links[slot.head as usize].when,
                Low::Held | Low::Stale => level.low_is[digit] = Low::Stale,
            }
        }
    }

    /// Passes a timer that is due, and is on no list any more, to `due`.
    #[inline(always)]
    fn take_due(&mut self, index: u32, due: &mut dyn FnMut(u64, T)) {
        let payload = self.payloads[index as usize].take();
        let when = self.links[index as usize].when;
        self.release(index);
        if let Some(payload) = payload {
            due(when, payload);
        }
    }

    /// Takes a slot in use apart: what is due at `now` goes to `due`, sorted, the rest where it belongs
    /// at the present.
    fn take(&mut self, place: usize, now: u64, due: &mut dyn FnMut(u64, T)) {
        let digit = place % SLOTS;
        let Some([level]) = self.levels[place / SLOTS].as_deref_mut() else { return };
        let Slot { head, tail, .. } = mem::replace(&mut level.slots[digit], Slot::EMPTY);
        let is_sorted = level.low_is[digit] == Low::Head;
        if level.vacate(digit) {
            self.in_use &= !(1 << (place / SLOTS));
        }
        let is_due = head == tail && self.links[head as usize].when <= now;
        let mut at = if is_due { head } else { self.part(head, now, is_sorted) };
        while at != NIL {
            let next = self.links[at as usize].next;
            self.take_due(at, due);
            at = next;
        }
    }

    /// Puts the timers of the list that begins with `at` where they belong at the present, but for those
    /// that are due at `now`. Returns the first of these, sorted.
    fn part(&mut self, mut at: u32, now: u64, is_sorted: bool) -> u32 {
        let (mut first, mut last) = (NIL, NIL);
        while at != NIL {
            let Link { when, next, .. } = self.links[at as usize];
            if when > now {
                self.append(at, when);
            } else {
                self.join(&mut first, last, at);
                last = at;
            }
            at = next;
        }
        if last != NIL {
            self.links[last as usize].next = NIL;
        }
        if is_sorted || first == last { first } else { self.sorted(first) }
    }

    /// Has `next` follow `last`, or be the first where there is none.
    #[inline(always)]
    fn join(&mut self, first: &mut u32, last: u32, next: u32) {
        match last {
            NIL => *first = next,
            last => self.links[last as usize].next = next,
        }
    }

    /// Sorts the timers of the list that begins with `at` by deadline; equal ones keep their order. Returns
    /// the first. No link has its `prev` any more.
    #[inline(never)]
    fn sorted(&mut self, mut at: u32) -> u32 {
        // The list of a number is one of two to that power of runs that were sorted, joined, or none. What
        // is in it stood before all that is in the lists of lower numbers.
        let mut runs = [NIL; u32::BITS as usize];
        while at != NIL {
            let mut run = at;
            at = self.cut_behind_run(at);
            for before in &mut runs {
                let before = mem::replace(before, if *before == NIL { run } else { NIL });
                if before == NIL {
                    break;
                }
                run = self.merged(before, run);
            }
        }
        for before in runs {
            at = self.merged(before, at);
        }
        at
    }

    /// Cuts a list behind the sorted run that it begins with. Returns the rest.
    #[inline(always)]
    fn cut_behind_run(&mut self, mut at: u32) -> u32 {
        loop {
            let Link { when, next, .. } = self.links[at as usize];
            if next == NIL || self.links[next as usize].when < when {
                self.links[at as usize].next = NIL;
                return next;
            }
            at = next;
        }
    }

    /// Joins two sorted lists: of equal deadlines, those in `before` come first.
    fn merged(&mut self, mut before: u32, mut later: u32) -> u32 {
        let (mut first, mut last) = (NIL, NIL);
        while before != NIL && later != NIL {
            let is_next = self.links[before as usize].when <= self.links[later as usize].when;
            let from = if is_next { &mut before } else { &mut later };
            let next = mem::replace(from, self.links[*from as usize].next);
            self.join(&mut first, last, next);
            last = next;
        }
        let rest = if before == NIL { later } else { before };
        self.join(&mut first, last, rest);
        first
    }
}

/// The earliest deadline of the list that begins with `head`, none of which is earlier than `low`.
fn earliest_in(links: &[Link], head: u32, low: u64) -> u64 {
    let (mut at, mut earliest) = (head, u64::MAX);
    // The first of the deadline `low` ends the walk.
    while at != NIL && earliest != low {
        let link = links[at as usize];
        earliest = earliest.min(link.when);
        at = link.next;
    }
    earliest
}

/// A level that is used for the first time.
#[cold]
fn new_level() -> LevelBox {
    Box::new([Level::EMPTY])
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests;
