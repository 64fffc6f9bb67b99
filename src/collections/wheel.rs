//! [`Wheel`]: a hierarchical timer wheel: what is behind [`TimerWheel`](super::TimerWheel) and behind the
//! timers of a loop. Each timer has a [`Link`], which stands wherever its [`Links`] are.
//!
//! # How it works
//!
//! Written in base 64, a deadline has eleven digits. A timer waits on the level of the highest digit in
//! which its deadline differs from the present, in the slot of that digit: the next ticks have a slot
//! each, later ones share a slot of 64 ticks, of 4096, and so on. When the present enters a slot, the
//! timers in it that are not due yet move to lower levels. A timer moves at most once for each digit,
//! however far away it was, and most are cancelled before they move. A slot's list is sorted when it is due;
//! where there are many timers, in memory of its own, as a list's is seen many times by a sort.
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

use alloc::boxed::Box;
use alloc::collections::TryReserveError;
use alloc::vec::Vec;
use core::mem;

use super::sort::Sorter;
use super::wheel_links::{At, Link, Links};
use super::wheel_lists::{List, sorted};

/// Bits of a digit.
const DIGIT: u32 = 6;
const SLOTS: usize = 1 << DIGIT;
/// So many timers are in the cache, where it costs little to walk over a list again and again, as a sort does.
const CACHED: usize = 8192;
/// Where there are more, a slot of so many is sorted in memory of its own.
const LONG: usize = 128;
/// So many digits cover the bits of a time.
const LEVELS: usize = u64::BITS.div_ceil(DIGIT) as usize;
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

/// Timers in order of (deadline, made), with insertion and removal in constant time.
pub(crate) struct Wheel<S: Links> {
    /// The latest time that `expire` was told.
    pub(super) present: u64,
    pub(crate) links: S,
    len: usize,
    /// Room for the sorting of many timers, where they were reserved.
    sorter: Option<Boxed<Sorter<S::At>>>,
    /// A bit for each level with timers in it.
    in_use: u32,
    /// The levels that were ever used.
    levels: [Option<Boxed<Level<S::At>>>; LEVELS],
}

/// Memory of its own: an array, as only that of a list can be asked for without a panic.
type Boxed<T> = Box<[T; 1]>;

/// The slots of a digit.
struct Level<A> {
    /// A bit for each slot with timers in it.
    occupied: u64,
    slots: [Slot<A>; SLOTS],
    /// By slot.
    low_is: [Low; SLOTS],
}

/// A list of timers, and the earliest deadline among them as far as it is known.
#[derive(Clone, Copy)]
struct Slot<A> {
    head: A,
    tail: A,
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

impl<A: At> Slot<A> {
    const EMPTY: Slot<A> = Slot { head: A::NIL, tail: A::NIL, low: u64::MAX };
}

impl<A: At> Level<A> {
    const EMPTY: Level<A> =
        Level { occupied: 0, slots: [Slot::EMPTY; SLOTS], low_is: [Low::Head; SLOTS] };

    /// A slot has no timers any more. Returns true if no other has.
    #[inline(always)]
    fn vacate(&mut self, digit: usize) -> bool {
        self.occupied &= !(1 << digit);
        self.occupied == 0
    }
}

impl<S: Links> Wheel<S> {
    /// An empty wheel with 0 as the present.
    pub(crate) const fn new(links: S) -> Wheel<S> {
        let levels = [const { None }; LEVELS];
        Wheel { present: 0, links, len: 0, sorter: None, in_use: 0, levels }
    }

    /// Adds a timer that is due at `when`, as its link says.
    #[inline]
    pub(crate) fn insert(&mut self, at: S::At, when: u64) {
        self.append(at, when);
        self.len += 1;
    }

    /// Removes a timer that is in. Afterwards [`rest`](Wheel::rest) is called.
    #[inline]
    pub(crate) fn remove(&mut self, at: S::At) {
        self.unlink(at);
        self.len -= 1;
    }

    /// Makes room for so many timers, but for their links, whenever they are due, and keeps it.
    pub(crate) fn reserve(&mut self, timers: usize) -> Result<(), TryReserveError> {
        for level in self.levels.iter_mut().filter(|level| level.is_none()) {
            *level = boxed(Level::EMPTY)?;
        }
        if timers > CACHED {
            let mut sorter = Sorter::new();
            sorter.reserve(timers)?;
            self.sorter = boxed(sorter)?;
        }
        Ok(())
    }

    /// Gives memory back if the last timer is gone.
    #[inline]
    pub(crate) fn rest(&mut self) {
        if self.is_empty() {
            self.links.rest();
        }
    }

    /// Takes out every timer with `when <= now`, passes it to `due` in order of (`when`, made), and makes
    /// `now` the present, unless it is earlier. What `due` gets is in no list any more.
    pub(crate) fn expire(&mut self, now: u64, due: &mut dyn FnMut(&mut S, S::At)) {
        let present = now.max(self.present);
        // Timers below `reached` are earlier than the new present. Those above it are later, and
        // keep their places: down to the digit that sets them apart, the old present and the new
        // one agree. This restores the Place Invariant.
        let reached = place(self.present, present);
        while let Some(first) = self.first().filter(|&first| first <= reached) {
            if first == reached {
                self.present = present;
                self.take(first, now, due);
                break;
            }
            self.take(first, now, due);
        }
        self.present = present;
        self.rest();
    }

    /// Takes out every timer, due or not, and passes it to `all` in the same order. The present stays.
    pub(crate) fn drain(&mut self, all: &mut dyn FnMut(&mut S, S::At)) {
        let present = self.present;
        while let Some(first) = self.first() {
            self.take(first, u64::MAX, all);
        }
        // No timer is left that has a place.
        self.present = present;
        self.rest();
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

    /// Passes each timer that is pending to `each`, in no order.
    pub(crate) fn for_each(&self, each: &mut dyn FnMut(S::At)) {
        for [level] in self.levels.iter().filter_map(Option::as_deref) {
            for slot in &level.slots {
                let mut at = slot.head;
                while at != S::At::NIL {
                    each(at);
                    at = self.links[at].next;
                }
            }
        }
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

    /// The lowest place in use: by the Place Invariant, that of the earliest timer.
    fn first(&self) -> Option<usize> {
        let number = self.in_use.trailing_zeros() as usize;
        let [level] = self.levels.get(number)?.as_deref()?;
        // The remainder changes nothing, but has the compiler know a digit: callers take it out again.
        Some(number * SLOTS + level.occupied.trailing_zeros() as usize % SLOTS)
    }

    /// Puts a timer at the end of its slot's list, as the Made Invariant wants it.
    #[inline(always)]
    fn append(&mut self, at: S::At, when: u64) {
        let place = place(self.present, when);
        let (level, digit) = (place / SLOTS, place % SLOTS);
        let [own] = &mut **self.levels[level].get_or_insert_with(new_level);
        let slot = &mut own.slots[digit];
        let prev = mem::replace(&mut slot.tail, at);
        if prev == S::At::NIL {
            *slot = Slot { head: at, tail: at, low: when };
            own.low_is[digit] = Low::Head;
            own.occupied |= 1 << digit;
            self.in_use |= 1 << level;
        } else {
            let tail = &mut self.links[prev];
            tail.next = at;
            if own.low_is[digit] == Low::Head && when < tail.when() {
                own.low_is[digit] = Low::Held;
            }
            slot.low = slot.low.min(when);
        }
        let link = &mut self.links[at];
        (link.next, link.prev) = (S::At::NIL, prev);
    }

    /// Closes the gap in its slot's list that a timer leaves.
    #[inline(always)]
    fn unlink(&mut self, at: S::At) {
        let Link { when, next, prev } = self.links[at];
        let when = when.get();
        let place = place(self.present, when);
        let digit = place % SLOTS;
        let Some([level]) = self.levels[place / SLOTS].as_deref_mut() else { return };
        let slot = &mut level.slots[digit];
        if prev == S::At::NIL {
            slot.head = next;
        } else {
            self.links[prev].next = next;
        }
        if next == S::At::NIL {
            slot.tail = prev;
        } else {
            self.links[next].prev = prev;
        }
        if slot.head == S::At::NIL {
            if level.vacate(digit) {
                self.in_use &= !(1 << (place / SLOTS));
            }
        } else if when == slot.low {
            match level.low_is[digit] {
                Low::Head => slot.low = self.links[slot.head].when(),
                Low::Held | Low::Stale => level.low_is[digit] = Low::Stale,
            }
        }
    }

    /// Takes a slot in use apart: what is due at `now` goes to `due`, sorted, the rest where it belongs
    /// at the present.
    fn take(&mut self, place: usize, now: u64, due: &mut dyn FnMut(&mut S, S::At)) {
        let digit = place % SLOTS;
        let Some([level]) = self.levels[place / SLOTS].as_deref_mut() else { return };
        let Slot { head, tail, .. } = mem::replace(&mut level.slots[digit], Slot::EMPTY);
        let is_sorted = level.low_is[digit] == Low::Head;
        if level.vacate(digit) {
            self.in_use &= !(1 << (place / SLOTS));
        }
        if head == tail && self.links[head].when() <= now {
            self.len -= 1;
            return due(&mut self.links, head);
        }
        if !is_sorted && self.len > CACHED && self.take_long(head, tail, now, due) {
            return;
        }
        let mut list = List::new();
        self.part(head, now, |links, at, _| list.push(links, at));
        let is_one = list.first == list.last;
        let mut at = list.ended(&mut self.links);
        if !is_sorted && !is_one {
            at = sorted(&mut self.links, at);
        }
        while at != S::At::NIL {
            let next = self.links[at].next;
            self.len -= 1;
            due(&mut self.links, at);
            at = next;
        }
    }

    /// Takes a slot apart that has many timers: they are sorted in memory of their own. Returns false where
    /// they are few, or there is no such memory.
    #[cold]
    #[inline(never)]
    fn take_long(
        &mut self,
        head: S::At,
        tail: S::At,
        now: u64,
        due: &mut dyn FnMut(&mut S, S::At),
    ) -> bool {
        let length = length(&self.links, head, tail);
        let (mut kept, mut new) = (self.sorter.take(), Sorter::new());
        let sorter = kept.as_deref_mut().map_or(&mut new, |[kept]| kept);
        let is_long = length >= LONG && sorter.reserve(length).is_ok();
        if is_long {
            self.part(head, now, |_, at, when| sorter.push(when, at));
            let all = sorter.drain_sorted();
            self.len -= all.len();
            all.for_each(|at| due(&mut self.links, at));
        }
        self.sorter = kept;
        is_long
    }

    /// Puts the timers of the list that begins with `at` where they belong at the present, but for those
    /// that are due at `now`: these go to `due`, with their deadlines.
    #[inline(always)]
    fn part(&mut self, mut at: S::At, now: u64, mut due: impl FnMut(&mut S, S::At, u64)) {
        while at != S::At::NIL {
            let Link { when, next, .. } = self.links[at];
            if when.get() > now {
                self.append(at, when.get());
            } else {
                due(&mut self.links, at, when.get());
            }
            at = next;
        }
    }
}

/// The length of the list from `head` to `tail`. It is walked from both ends: so memory is waited for that two
/// timers are in at once, and is in the cache afterwards.
fn length<S: Links>(links: &S, mut head: S::At, mut tail: S::At) -> usize {
    let mut length = 1;
    while head != tail {
        (head, length) = (links[head].next, length + 1);
        if head != tail {
            (tail, length) = (links[tail].prev, length + 1);
        }
    }
    length
}

/// The earliest deadline of the list that begins with `head`, none of which is earlier than `low`.
fn earliest_in<S: Links>(links: &S, head: S::At, low: u64) -> u64 {
    let (mut at, mut earliest) = (head, u64::MAX);
    // The first of the deadline `low` ends the walk.
    while at != S::At::NIL && earliest != low {
        let link = links[at];
        earliest = earliest.min(link.when());
        at = link.next;
    }
    earliest
}

fn boxed<T>(item: T) -> Result<Option<Boxed<T>>, TryReserveError> {
    let mut one = Vec::new();
    one.try_reserve_exact(1)?;
    one.push(item);
    Ok(one.into_boxed_slice().try_into().ok())
}

/// A level that is used for the first time.
#[cold]
fn new_level<A: At>() -> Boxed<Level<A>> {
    Box::new([Level::EMPTY])
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests;
