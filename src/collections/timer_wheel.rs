//! A hierarchical timer wheel: deadlines and payloads in, due payloads out in exact
//! (deadline, made) order.
//!
//! It is a pure structure. Time is a `u64` of ticks, and what a tick is worth the caller knows;
//! the wheel reads no clock. It never runs a payload's code either: payloads are handed back, and
//! dropped by whoever takes them, so that a destructor may come back to the loop and find the
//! wheel whole.
//!
//! # How it works
//!
//! Written in base 64, a deadline has eleven digits. A timer waits on the level of the highest
//! digit in which its deadline differs from the present, in the slot of that digit: the next
//! ticks have a slot each, later ones share a slot of 64 ticks, of 4096, and so on. When the
//! present enters a slot, the timers in it that are not due yet move to lower levels. A timer
//! moves at most ten times, however far away it was, and most are cancelled before they move.
//!
//! | operation | cost |
//! | --- | --- |
//! | `insert`, `cancel` | constant |
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
//! A deadline that is past already when its timer is inserted counts as the present, whose slot
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

use alloc::{boxed::Box, vec, vec::Vec};
use core::{fmt, mem};

use super::timer_key::{Generations, TimerKey};

/// A digit is six bits wide, so that the slots of a level fit the bits of a `u64`.
const DIGIT: u32 = 6;
const SLOTS: usize = 1 << DIGIT;
/// Eleven digits of six bits cover 64 bits.
const LEVELS: usize = u64::BITS.div_ceil(DIGIT) as usize;
/// The end of a list.
const NIL: u32 = u32::MAX;
/// Storage for up to so many timers is kept when the wheel becomes empty.
const KEPT: usize = 1024;

/// The slot in which a deadline waits at a given present: the level times 64, plus the digit.
fn place(present: u64, when: u64) -> usize {
    let when = when.max(present);
    let highest = (u64::BITS - 1) - ((present ^ when) | (SLOTS as u64 - 1)).leading_zeros();
    let level = highest / DIGIT;
    let digit = (when >> (level * DIGIT)) as usize % SLOTS;
    level as usize * SLOTS + digit
}

/// Timers in order of (deadline, made), with insertion and cancellation in constant time.
///
/// A deadline is a `u64` of ticks (the event loop's are nanoseconds since its clock's start), and
/// any value is a good one, be it in the past or `u64::MAX`. A deadline is due when the time has
/// reached it, at `when <= now`.
///
/// Payloads are never dropped inside a call: each comes back from [`cancel`](Self::cancel),
/// [`expire`](Self::expire) or [`drain`](Self::drain), unless the wheel itself is dropped.
pub struct TimerWheel<T> {
    /// The latest time that `expire` was told.
    present: u64,
    /// By index; `None` for one that is free.
    payloads: Vec<Option<T>>,
    /// Where the timer stands whose payload has the same index; of an index that is free, which is
    /// free behind it. Apart from the payloads, because whoever walks a list knows the next place
    /// only when it has seen the one before: so a walk sees less memory.
    links: Vec<Link>,
    /// Looked at only where a timer is made or cancelled.
    generations: Generations,
    /// The first index that is free.
    free: u32,
    len: usize,
    /// A bit for each slot with timers in it, a word for each level.
    occupied: [u64; LEVELS],
    /// A bit for each level with timers in it.
    levels: u32,
    slots: Box<[Slot]>,
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

/// What a slot's `low` is. It is worth a state of its own that a slot is sorted: requests that
/// have one timeout come in order and go in about the same order, each of them the earliest.
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

impl<T> TimerWheel<T> {
    /// An empty wheel, whose present is 0.
    #[must_use]
    pub fn new() -> Self {
        TimerWheel {
            present: 0,
            payloads: Vec::new(),
            links: Vec::new(),
            generations: Generations::new(),
            free: NIL,
            len: 0,
            occupied: [0; LEVELS],
            levels: 0,
            slots: vec![Slot::EMPTY; LEVELS * SLOTS].into_boxed_slice(),
        }
    }

    /// Adds a timer that is due at `when` (in ticks), and returns the key that cancels it.
    ///
    /// A deadline in the past is simply due, and comes out before all later ones.
    ///
    /// # Panics
    ///
    /// When `u32::MAX` timers are pending already.
    pub fn insert(&mut self, when: u64, payload: T) -> TimerKey {
        let key = self.keep(payload);
        self.len += 1;
        self.append(key.index, when);
        key
    }

    /// Removes a timer and gives its payload back; `None` when it fired or was cancelled before.
    pub fn cancel(&mut self, key: TimerKey) -> Option<T> {
        if !self.generations.is_last(key) {
            return None;
        }
        let index = key.index as usize;
        let payload = self.payloads[index].take()?;
        self.unlink(self.links[index]);
        self.release(key.index);
        self.give_back();
        Some(payload)
    }

    /// Moves every timer with `when <= now` to the end of `due`, as (`when`, payload), in order
    /// of (`when`, made).
    ///
    /// The present becomes `now`. Where `now` is earlier than the present, the present stays, and
    /// what is due is still exactly what has `when <= now`.
    pub fn expire(&mut self, now: u64, due: &mut Vec<(u64, T)>) {
        let present = now.max(self.present);
        // What is below `reached` is earlier than the new present. What is above it is later, and
        // keeps its place: down to the digit that sets it apart, the old present and the new one
        // agree. This restores the Place Invariant.
        let reached = place(self.present, present);
        while let Some(first) = self.first().filter(|&first| first < reached) {
            self.take(first, now, due);
        }
        self.present = present;
        self.take(reached, now, due);
        self.give_back();
    }

    /// Moves every timer to the end of `all`, due or not, in the form and order of
    /// [`expire`](Self::expire). The present stays.
    pub fn drain(&mut self, all: &mut Vec<(u64, T)>) {
        while let Some(first) = self.first() {
            self.take(first, u64::MAX, all);
        }
        self.give_back();
    }

    /// The earliest deadline, exactly; `None` when the wheel is empty.
    ///
    /// Where the earliest timer was cancelled out of an unsorted slot, this looks through the
    /// rest of that slot. A clock that jumps to the answer, as a virtual one does, takes the slot
    /// apart next, which costs as much; a clock that asks on every turn and rarely gets there is
    /// better served by [`earliest_bound`](Self::earliest_bound).
    pub fn next_deadline(&mut self) -> Option<u64> {
        let first = self.first()?;
        if self.slots[first].low_is == Low::Stale {
            let low = self.earliest_in(first);
            let slot = &mut self.slots[first];
            (slot.low, slot.low_is) = (low, Low::Held);
        }
        Some(self.slots[first].low)
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
        if self.is_empty() {
            return None;
        }
        self.first().map(|first| self.slots[first].low)
    }

    /// Every timer that is pending, as its deadline and its payload, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        let all = self.payloads.iter().zip(&self.links);
        all.filter_map(|(payload, link)| Some((link.when, payload.as_ref()?)))
    }

    /// How many timers are pending.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no timer is pending.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// For how many pending timers there is room without another allocation.
    ///
    /// The room of a timer that is gone serves the next one at once. When the last timer goes and
    /// there was room for more than 1024, all of it is freed.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.payloads.capacity().min(self.links.capacity()).min(self.generations.capacity())
    }

    /// Keeps `payload` at an index that is free, or else a new one.
    fn keep(&mut self, payload: T) -> TimerKey {
        while self.free != NIL {
            let index = self.free;
            self.free = self.links[index as usize].next;
            if let Some(key) = self.generations.next(index) {
                self.payloads[index as usize] = Some(payload);
                return key;
            }
        }
        let index = self.payloads.len();
        assert!(index < NIL as usize, "too many timers are pending");
        self.payloads.push(Some(payload));
        self.links.push(Link { when: 0, next: NIL, prev: NIL });
        self.generations.begin(index as u32)
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

    /// The earliest deadline of a slot that is in use, by walking its list.
    fn earliest_in(&self, place: usize) -> u64 {
        let Slot { head, low, .. } = self.slots[place];
        let (mut at, mut earliest) = (head, u64::MAX);
        // Nothing is earlier than `low`, so the first of that deadline ends the walk.
        while at != NIL && earliest != low {
            let link = self.links[at as usize];
            earliest = earliest.min(link.when);
            at = link.next;
        }
        earliest
    }

    /// Puts a timer at the end of its slot's list, as the Made Invariant wants it.
    fn append(&mut self, index: u32, when: u64) {
        let place = place(self.present, when);
        let slot = &mut self.slots[place];
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
    fn unlink(&mut self, link: Link) {
        let place = place(self.present, link.when);
        let slot = &mut self.slots[place];
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

    /// Takes a slot apart: what is due at `now` goes to `due`, sorted, the rest where it belongs
    /// at the present.
    fn take(&mut self, place: usize, now: u64, due: &mut Vec<(u64, T)>) {
        self.vacate(place);
        let mut at = mem::replace(&mut self.slots[place], Slot::EMPTY).head;
        let start = due.len();
        while at != NIL {
            let Link { when, next, .. } = self.links[at as usize];
            if when <= now {
                if let Some(payload) = self.payloads[at as usize].take() {
                    due.push((when, payload));
                }
                self.release(at);
            } else {
                self.append(at, when);
            }
            at = next;
        }
        // A stable sort: it leaves equal deadlines as the Made Invariant has them.
        if due.len() - start > 1 {
            due[start..].sort_by_key(|&(when, _)| when);
        }
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
        if self.generations.forget() {
            self.payloads = Vec::new();
            self.links = Vec::new();
            self.free = NIL;
        }
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
            .field("present", &self.present)
            .field("len", &self.len())
            .field("earliest_bound", &self.earliest_bound())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Walks every list, and asserts what the head of this file says always holds.
    fn check(wheel: &TimerWheel<u64>) {
        let mut listed = 0;
        for (at_place, slot) in wheel.slots.iter().enumerate() {
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
            let mut wheel = TimerWheel::new();
            let (mut keys, mut due) = (Vec::new(), Vec::new());
            for step in 0..400 {
                match rng.u32(0..8) {
                    0 => {
                        let jump = rng.u64(..) >> rng.u32(1..64);
                        wheel.expire(wheel.present.saturating_add(jump), &mut due);
                    }
                    1 => wheel.expire(wheel.present - wheel.present.min(3), &mut due),
                    2 if !keys.is_empty() => {
                        wheel.cancel(keys.swap_remove(rng.usize(..keys.len())));
                    }
                    3 => assert!(wheel.earliest_bound() <= wheel.next_deadline()),
                    4 => keys.push(wheel.insert(wheel.present.saturating_sub(rng.u64(..4)), step)),
                    _ => {
                        let delay = rng.u64(..) >> rng.u32(..64);
                        keys.push(wheel.insert(wheel.present.saturating_add(delay), step));
                    }
                }
                check(&wheel);
            }
        }
    }

    #[test]
    fn beside_its_generation_a_timer_is_16_bytes_and_its_payload() {
        let payload = size_of::<Option<alloc::rc::Rc<dyn fmt::Debug>>>();
        assert_eq!(payload + size_of::<Link>(), 32);
    }

    #[test]
    fn freed_storage_brings_no_key_back() {
        let mut wheel = TimerWheel::new();
        let fill = |wheel: &mut TimerWheel<u64>| -> Vec<TimerKey> {
            (0..=KEPT as u64).map(|made| wheel.insert(made, made)).collect()
        };
        let keys = fill(&mut wheel);
        keys.iter().for_each(|&key| assert!(wheel.cancel(key).is_some()));
        assert_eq!(wheel.capacity(), 0);
        let others = fill(&mut wheel);
        keys.iter().for_each(|&key| assert!(wheel.cancel(key).is_none()));
        check(&wheel);
        others.iter().for_each(|&key| assert!(wheel.cancel(key).is_some()));
    }
}
