//! The timer wheel: each of its promises by name, and all of them at once against a sorted map.

#[path = "models/wheel.rs"]
mod wheel;

use std::cell::Cell;
use std::collections::HashSet;
use std::rc::Rc;

use callsoon::__parts::{TimerKey, TimerWheel};
use wheel::{Asked, DAYS_795, Ends, Payload, expired, next_edge, uptimes, wheel_at};

/// The width of a slot on each level.
fn widths() -> impl Iterator<Item = u64> {
    (0..11).map(|level| 1 << (6 * level))
}

#[test]
fn a_new_wheel_is_empty() {
    let mut wheel = TimerWheel::<()>::default();
    assert!(wheel.is_empty());
    assert_eq!(wheel.len(), 0);
    assert_eq!(wheel.capacity(), 0);
    assert_eq!(wheel.next_deadline(), None);
    assert_eq!(wheel.earliest_bound(), None);
    assert_eq!(expired(&mut wheel, u64::MAX), []);
}

#[test]
fn a_timer_is_due_from_its_tick_on_and_not_before() {
    for present in uptimes() {
        for delay in widths().flat_map(|width| [width - 1, width, width + 1]) {
            let Some(when) = present.checked_add(delay).filter(|&when| when > 0) else { continue };
            let mut wheel = wheel_at(present);
            wheel.insert(when, 'a');
            assert_eq!(wheel.next_deadline(), Some(when));
            assert_eq!(expired(&mut wheel, when - 1), [], "{delay} from {present}");
            assert_eq!(wheel.next_deadline(), Some(when));
            assert_eq!(expired(&mut wheel, when), [(when, 'a')], "{delay} from {present}");
            assert_eq!(wheel.next_deadline(), None);
        }
    }
}

#[test]
fn jump_over_a_boundary_takes_only_the_due_timers() {
    for present in uptimes() {
        for width in widths() {
            let Some(edge) = next_edge(present, width) else { continue };
            let mut wheel = wheel_at(present);
            wheel.insert(edge + 1, "after");
            wheel.insert(edge, "at");
            wheel.insert(edge - 1, "before");
            assert_eq!(expired(&mut wheel, edge - 1), [(edge - 1, "before")]);
            assert_eq!(expired(&mut wheel, edge), [(edge, "at")]);
            assert_eq!(expired(&mut wheel, edge + 1), [(edge + 1, "after")]);
        }
    }
}

#[test]
fn deadlines_of_all_levels_come_out_in_order() {
    let mut whens: Vec<u64> =
        widths().flat_map(|width| [width - 1, width, width + 1]).chain([u64::MAX]).collect();
    let mut sorted = whens.clone();
    sorted.sort_unstable();
    fastrand::Rng::with_seed(3).shuffle(&mut whens);

    let mut jumped = TimerWheel::new();
    let mut walked = TimerWheel::new();
    for &when in &whens {
        jumped.insert(when, ());
        walked.insert(when, ());
    }
    let whens_of = |due: Vec<(u64, ())>| due.into_iter().map(|(when, ())| when).collect::<Vec<_>>();
    assert_eq!(whens_of(expired(&mut jumped, u64::MAX)), sorted);

    let mut due = Vec::new();
    while let Some(next) = walked.next_deadline() {
        walked.expire(next, &mut due);
        assert_eq!(due.last(), Some(&(next, ())));
    }
    assert_eq!(whens_of(due), sorted);
}

#[test]
fn equal_deadlines_come_out_in_the_order_made() {
    for when in widths().chain([DAYS_795, u64::MAX]) {
        let mut wheel = TimerWheel::new();
        for made in 0..100 {
            wheel.insert(when, made);
        }
        let fifo: Vec<_> = (0..100).map(|made| (when, made)).collect();
        assert_eq!(expired(&mut wheel, when), fifo);
    }
}

#[test]
fn equal_deadlines_keep_their_order_at_any_distance() {
    let when = DAYS_795;
    let mut wheel = TimerWheel::new();
    // One from each distance, so that each enters on another level than those before it.
    for (made, width) in (0..).zip(widths().take(10).collect::<Vec<_>>().into_iter().rev()) {
        assert_eq!(expired(&mut wheel, when - width.min(when)), []);
        wheel.insert(when, made);
        wheel.insert(when + 1, 100 + made);
    }
    let in_order = |first: i32, when| (first..first + 10).map(move |made| (when, made));
    let all: Vec<_> = in_order(0, when).chain(in_order(100, when + 1)).collect();
    assert_eq!(expired(&mut wheel, u64::MAX), all);
}

#[test]
fn the_past_is_due_at_once_in_order_and_before_all_else() {
    let mut wheel = wheel_at(1000);
    for (when, name) in [(1001, "later"), (1000, "now"), (7, "b"), (999, "d"), (7, "c"), (0, "a")] {
        wheel.insert(when, name);
    }
    assert_eq!(wheel.next_deadline(), Some(0));
    let due = expired(&mut wheel, 1000);
    assert_eq!(due, [(0, "a"), (7, "b"), (7, "c"), (999, "d"), (1000, "now")]);
    assert_eq!(wheel.next_deadline(), Some(1001));
}

#[test]
fn earlier_now_takes_due_timers_and_does_not_turn_back() {
    let mut wheel = wheel_at(1000);
    wheel.insert(1000, "now");
    wheel.insert(500, "past");
    wheel.insert(1001, "later");
    assert_eq!(expired(&mut wheel, 499), []);
    assert_eq!(expired(&mut wheel, 500), [(500, "past")]);
    assert_eq!(expired(&mut wheel, 999), []);
    assert_eq!(wheel.next_deadline(), Some(1000));
    assert_eq!(expired(&mut wheel, 1001), [(1000, "now"), (1001, "later")]);
}

#[test]
fn short_timers_are_exact_after_any_uptime() {
    for start in uptimes() {
        let mut rng = fastrand::Rng::with_seed(start);
        let mut wheel = wheel_at(start);
        let mut now = start;
        for turn in 0..1000 {
            wheel.insert(now + rng.u64(1..1000), turn);
            let next = wheel.next_deadline().unwrap();
            assert_eq!(expired(&mut wheel, next - 1), []);
            assert_eq!(expired(&mut wheel, next), [(next, turn)]);
            now = next;
        }
    }
}

#[test]
fn the_end_of_time_is_a_deadline_like_any_other() {
    let mut wheel = TimerWheel::new();
    wheel.insert(u64::MAX, 'a');
    assert_eq!(expired(&mut wheel, u64::MAX - 1), []);
    wheel.insert(u64::MAX, 'b');
    assert_eq!(expired(&mut wheel, u64::MAX), [(u64::MAX, 'a'), (u64::MAX, 'b')]);
    // And the wheel serves on: what is inserted now is due.
    wheel.insert(u64::MAX, 'd');
    wheel.insert(3, 'c');
    assert_eq!(expired(&mut wheel, u64::MAX), [(3, 'c'), (u64::MAX, 'd')]);
}

#[test]
fn cancel_gives_the_payload_back_once() {
    let mut wheel = TimerWheel::new();
    let key = wheel.insert(10, "payload");
    assert_eq!(wheel.cancel(key), Some("payload"));
    assert_eq!(wheel.cancel(key), None);
    assert!(wheel.is_empty());
    assert_eq!(expired(&mut wheel, 10), []);
}

#[test]
fn cancel_leaves_the_others_as_they_were() {
    // The first, one between, and the last of one deadline; then one is added to those that are left.
    let mut wheel = TimerWheel::new();
    let keys: Vec<_> = (0..6).map(|made| wheel.insert(1 << 40, made)).collect();
    for gone in [0, 3, 5] {
        assert_eq!(wheel.cancel(keys[gone as usize]), Some(gone));
    }
    wheel.insert(1 << 40, 6);
    assert_eq!(
        expired(&mut wheel, 1 << 40).iter().map(|due| due.1).collect::<Vec<_>>(),
        [1, 2, 4, 6]
    );
}

#[test]
fn a_timer_can_be_cancelled_wherever_time_has_moved_it() {
    for present in widths().map(|width| (1 << 62) - width) {
        let mut wheel = TimerWheel::new();
        let key = wheel.insert(1 << 62, 'a');
        let beside = wheel.insert((1 << 62) + 1, 'b');
        assert_eq!(expired(&mut wheel, present), []);
        assert_eq!(wheel.cancel(key), Some('a'));
        assert_eq!(wheel.next_deadline(), Some((1 << 62) + 1));
        assert_eq!(wheel.cancel(beside), Some('b'));
        assert_eq!(wheel.next_deadline(), None);
    }
}

#[test]
fn stale_key_finds_no_timer_even_in_a_reused_slot() {
    let mut wheel = TimerWheel::new();
    let cancelled = wheel.insert(10, 'a');
    wheel.cancel(cancelled);
    let fired = wheel.insert(10, 'b');
    wheel.expire(10, &mut Vec::new());
    let drained = wheel.insert(20, 'c');
    wheel.drain(&mut Vec::new());
    let alive = wheel.insert(10, 'd');
    for dead in [cancelled, fired, drained] {
        assert_ne!(dead, alive);
        assert_eq!(wheel.cancel(dead), None);
    }
    assert_eq!(wheel.cancel(alive), Some('d'));
}

#[test]
fn keys_are_never_given_twice() {
    let mut wheel = TimerWheel::new();
    let mut keys = HashSet::new();
    for round in 0..100 {
        let key = wheel.insert(round, ());
        assert!(keys.insert(key));
        match round % 3 {
            0 => assert_eq!(wheel.cancel(key), Some(())),
            1 => wheel.expire(round, &mut Vec::new()),
            _ => wheel.drain(&mut Vec::new()),
        }
    }
}

#[test]
fn next_deadline_stays_exact_as_ordered_timers_come_and_go() {
    // One timeout for all: 10,000 timers of one slot, each of them the earliest when it goes.
    let mut wheel = wheel_at(1 << 40);
    let whens = (0..10_000).map(|request| (1 << 40) + 30_000_000_000 + 1000 * request);
    let keys: Vec<_> = whens.map(|when| (when, wheel.insert(when, ()))).collect();
    for (when, key) in keys {
        assert_eq!(wheel.next_deadline(), Some(when));
        assert_eq!(wheel.earliest_bound(), Some(when));
        wheel.cancel(key);
    }
    assert_eq!(wheel.next_deadline(), None);
}

#[test]
fn next_deadline_is_exact_after_removal_from_an_unsorted_slot() {
    let mut wheel = TimerWheel::new();
    let mut whens: Vec<u64> = (0..500).map(|n| (1 << 40) + n / 2).collect();
    fastrand::Rng::with_seed(5).shuffle(&mut whens);
    let mut keys: Vec<_> = whens.iter().map(|&when| (when, wheel.insert(when, ()))).collect();
    keys.sort_by_key(|&(when, _)| when);
    for (when, key) in keys {
        assert_eq!(wheel.next_deadline(), Some(when));
        wheel.cancel(key);
    }
    assert_eq!(wheel.next_deadline(), None);
}

#[test]
fn a_sleeper_wakes_early_once_at_most_for_timers_of_one_slot() {
    let mut rng = fastrand::Rng::with_seed(6);
    let mut wheel = TimerWheel::new();
    let mut keys: Vec<_> = (0..1000)
        .map(|_| (1 << 36) + rng.u64(..1 << 36))
        .map(|when| (when, wheel.insert(when, when)))
        .collect();
    keys.sort_by_key(|&(when, _)| when);
    for &(_, key) in &keys[..900] {
        wheel.cancel(key);
    }
    let first_left = keys[900].0;
    let bound = wheel.earliest_bound().unwrap();
    // Where memory is scarce it is exact.
    assert_eq!(bound < first_left, !cfg!(callsoon_scarce), "else this test shows nothing");
    assert_eq!(expired(&mut wheel, bound.min(first_left - 1)), []);
    assert_eq!(wheel.earliest_bound(), Some(first_left));
    assert_eq!(expired(&mut wheel, first_left), [(first_left, first_left)]);
}

#[test]
fn expire_and_drain_append() {
    let mut wheel = TimerWheel::new();
    wheel.insert(2, 'b');
    wheel.insert(1, 'a');
    wheel.insert(9, 'c');
    let mut due = vec![(5, 'y'), (4, 'x')];
    wheel.expire(2, &mut due);
    wheel.drain(&mut due);
    assert_eq!(due, [(5, 'y'), (4, 'x'), (1, 'a'), (2, 'b'), (9, 'c')]);
}

#[test]
fn drain_takes_everything_in_order_and_leaves_the_present() {
    let mut wheel = wheel_at(100);
    for (when, name) in [(u64::MAX, 'e'), (DAYS_795, 'c'), (DAYS_795, 'd'), (100, 'b'), (3, 'a')] {
        wheel.insert(when, name);
    }
    let mut all = Vec::new();
    wheel.drain(&mut all);
    assert_eq!(all, [(3, 'a'), (100, 'b'), (DAYS_795, 'c'), (DAYS_795, 'd'), (u64::MAX, 'e')]);
    assert!(wheel.is_empty());
    assert_eq!(wheel.next_deadline(), None);

    wheel.insert(102, 'g');
    wheel.insert(101, 'f');
    assert_eq!(expired(&mut wheel, 100), []);
    assert_eq!(expired(&mut wheel, 101), [(101, 'f')]);
    assert_eq!(expired(&mut wheel, 102), [(102, 'g')]);
}

#[test]
fn storage_of_gone_timers_is_used_again() {
    let mut wheel = TimerWheel::new();
    let mut pending: Vec<_> = (0..8).map(|when| wheel.insert(when + (1 << 40), ())).collect();
    let room = wheel.capacity();
    for turn in 0..1000 {
        wheel.cancel(pending.remove(0));
        pending.push(wheel.insert(turn + (1 << 40), ()));
    }
    assert_eq!((wheel.len(), wheel.capacity()), (8, room));
}

#[test]
fn storage_is_given_back_when_the_last_of_many_timers_goes() {
    type Going = fn(&mut TimerWheel<u64>, Vec<TimerKey>);
    let ways: [Going; 3] = [
        |wheel, keys| keys.into_iter().for_each(|key| assert!(wheel.cancel(key).is_some())),
        |wheel, _| wheel.expire(u64::MAX, &mut Vec::new()),
        |wheel, _| wheel.drain(&mut Vec::new()),
    ];
    for go in ways {
        let mut wheel = TimerWheel::new();
        let keys = (0..100_000).map(|n| wheel.insert(n * n, n)).collect();
        assert!(wheel.capacity() >= 100_000);
        go(&mut wheel, keys);
        assert_eq!((wheel.len(), wheel.capacity()), (0, 0));
        // And the wheel serves on.
        let key = wheel.insert(1, 1);
        assert_eq!(wheel.cancel(key), Some(1));
        assert!((1..=1024).contains(&wheel.capacity()), "a little room is kept");
    }
}

#[test]
fn debug_asks_nothing_of_the_payload() {
    struct Opaque;
    let mut wheel = wheel_at(7);
    wheel.insert(9, Opaque);
    assert_eq!(format!("{wheel:?}"), "TimerWheel { len: 1, earliest_bound: Some(9), .. }");
}

#[test]
fn a_wheel_that_is_dropped_drops_what_is_pending_once() {
    let drops = Rc::new(Cell::new(0));
    let mut wheel = TimerWheel::new();
    for id in 0..10 {
        wheel.insert(id, Payload { id, drops: drops.clone() });
    }
    let due = expired(&mut wheel, 3);
    assert_eq!(drops.get(), 0);
    drop(wheel);
    assert_eq!(drops.get(), 6);
    drop(due);
    assert_eq!(drops.get(), 10);
}

/// `lives` wheels of `steps` steps each, compared with their models after each step.
fn live(seed: u64, lives: u64, steps: u64, crowded: bool) {
    for life in 0..lives {
        let mut rng = fastrand::Rng::with_seed(seed + life);
        let asked = if life % 2 == 0 { Asked::Always } else { Asked::Seldom };
        let ends = if life % 3 == 0 { Ends::Expired } else { Ends::Drained };
        let mut left = 0..steps;
        let goes_on = || left.next().is_some();
        wheel::live(&mut |count| rng.u64(0..count), goes_on, crowded, asked, ends);
    }
}

#[test]
fn short_lives_agree_with_a_sorted_map() {
    live(1_000_000, 12_000, 100, false);
}

#[test]
fn long_lives_agree_with_a_sorted_map() {
    live(2_000_000, 200, 6_000, false);
}

#[test]
fn crowded_lives_agree_with_a_sorted_map() {
    live(3_000_000, 60, 10_000, true);
}
