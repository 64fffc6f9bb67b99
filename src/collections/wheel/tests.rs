//! The wheel, looked at from within.

use super::*;
use crate::collections::timer_wheel::TimerWheel;

const NIL: u32 = u32::NIL;

/// Walks every list, and asserts what the head of this file says always holds.
fn check(TimerWheel(wheel): &TimerWheel<u64>) {
    let mut listed = 0;
    for at_place in 0..LEVELS * SLOTS {
        let (level, digit) = (at_place / SLOTS, at_place % SLOTS);
        let own = wheel.levels[level].as_deref().map_or(&Level::EMPTY, |[own]| own);
        assert_eq!(wheel.in_use >> level & 1 == 1, own.occupied != 0);
        let (slot, low_is) = (own.slots[digit], own.low_is[digit]);
        let bit = own.occupied >> digit & 1;
        assert_eq!(bit == 1, slot.head != NIL);
        assert_eq!(slot.head == NIL, slot.tail == NIL);
        let mut list = Vec::new();
        let (mut prev, mut at) = (NIL, slot.head);
        while at != NIL {
            let (link, made) = (wheel.links[at], wheel.links.payload(at as usize));
            assert_eq!(link.prev, prev);
            assert_eq!(place(wheel.present, link.when()), at_place, "Place Invariant");
            assert!(slot.low <= link.when(), "Low Invariant");
            list.push((link.when(), *made.expect("a timer in a list has its payload")));
            (prev, at) = (at, link.next);
        }
        assert_eq!(prev, slot.tail);
        let exact = list.iter().any(|&(when, _)| when == slot.low);
        assert!(exact || list.is_empty() || low_is == Low::Stale, "Low Invariant");
        if low_is == Low::Head {
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
                    let now = wheel.0.present.saturating_add(jump);
                    wheel.expire(now, &mut due);
                }
                1 => {
                    let now = wheel.0.present.saturating_sub(3);
                    wheel.expire(now, &mut due);
                }
                2 if !keys.is_empty() => {
                    let (key, made) = keys.swap_remove(rng.usize(..keys.len()));
                    let removed = wheel.cancel(key);
                    assert_ne!(removed.is_some(), due.iter().any(|&(_, own)| own == made));
                }
                3 => assert!(wheel.earliest_bound() <= wheel.next_deadline()),
                4 => {
                    let when = wheel.0.present.saturating_sub(rng.u64(..4));
                    keys.push((wheel.insert(when, step), step));
                }
                _ => {
                    let delay = rng.u64(..) >> rng.u32(..64);
                    let when = wheel.0.present.saturating_add(delay);
                    keys.push((wheel.insert(when, step), step));
                }
            }
            check(&wheel);
        }
    }
}

#[test]
fn level_is_that_of_the_highest_digit_that_differs() {
    let (ten, hundred) = (SLOTS as u64, 1 << (2 * DIGIT));
    let digits = |present, when| (place(present, when) / SLOTS, place(present, when) % SLOTS);
    assert_eq!([ten, hundred - 1].map(|when| digits(0, when)), [(1, 1), (1, SLOTS - 1)]);
    assert_eq!([hundred, hundred + ten].map(|when| digits(hundred - 1, when)), [(2, 1); 2]);
    assert_eq!([0, 2 * ten - 1].map(|when| digits(ten + 2, when)), [(0, 2), (0, SLOTS - 1)]);
    // The last digit has the bits that are left.
    let left = (u64::BITS - 1) % DIGIT + 1;
    assert_eq!(digits(0, u64::MAX), (LEVELS - 1, (1 << left) - 1));
}

#[test]
fn beside_its_key_a_timer_is_16_bytes_and_its_payload() {
    assert_eq!(size_of::<Link<u32>>(), 16);
}

#[test]
fn a_level_takes_memory_from_its_first_timer_on() {
    let mut wheel = TimerWheel::new();
    let used = |TimerWheel(wheel): &TimerWheel<u64>| -> Vec<usize> {
        (0..LEVELS).filter(|&level| wheel.levels[level].is_some()).collect()
    };
    assert_eq!((used(&wheel), wheel.earliest_bound()), (Vec::new(), None));
    wheel.expire(5, &mut Vec::new());
    assert!(used(&wheel).is_empty());
    wheel.insert(1 << (5 * DIGIT), 1);
    wheel.insert(1 << DIGIT, 2);
    assert_eq!(used(&wheel), [1, 5]);
}

#[test]
fn due_timers_of_a_slot_come_in_order_of_deadline_and_making() {
    let mut rng = fastrand::Rng::with_seed(2);
    for length in (0..70).chain([1_000, 4_097, 3 * CACHED as u64]) {
        for deadlines in [1, 3, 50, 1 << 20] {
            let mut wheel = TimerWheel::new();
            let mut expected = Vec::new();
            for made in 0..length {
                let when = (1 << 40) + rng.u64(..deadlines);
                wheel.insert(when, made);
                expected.push((when, made));
            }
            expected.sort_by_key(|&(when, _)| when);
            let mut due = Vec::new();
            wheel.expire(u64::MAX, &mut due);
            assert_eq!(due, expected);
        }
    }
}

#[test]
fn many_timers_come_in_order_up_to_any_time() {
    let mut rng = fastrand::Rng::with_seed(3);
    for is_drained in [false, true] {
        let (mut wheel, mut expected, mut due) = (TimerWheel::new(), Vec::new(), Vec::new());
        for made in 0..3 * CACHED as u64 {
            let when = (1 << 40) + rng.u64(..1 << 33);
            wheel.insert(when, made);
            expected.push((when, made));
        }
        expected.sort_unstable();
        for now in [(1 << 40) + (1 << 31), (1 << 40) + (1 << 32) + 12_345] {
            wheel.expire(now, &mut due);
            assert_eq!(wheel.0.present, now);
            check(&wheel);
            assert_eq!(due, expected[..expected.partition_point(|&(when, _)| when <= now)]);
        }
        if is_drained {
            wheel.drain(&mut due);
            assert_eq!(wheel.0.present, (1 << 40) + (1 << 32) + 12_345);
        } else {
            wheel.expire(u64::MAX, &mut due);
        }
        assert!(wheel.is_empty() && due == expected);
    }
}

#[test]
fn storage_that_was_reserved_is_enough_and_is_kept() {
    let mut wheel = TimerWheel::new();
    wheel.0.links.reserve(2_000).unwrap();
    let room = wheel.0.links.capacity();
    let keys: Vec<_> = (0..room as u64).map(|made| wheel.insert(made, made)).collect();
    keys.into_iter().for_each(|key| _ = wheel.cancel(key));
    assert!(room >= 2_000 && wheel.0.links.capacity() == room);
}
