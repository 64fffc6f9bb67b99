//! When timers run, and what cancelling them does.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use callsoon::{EventLoop, TimerHandle};

use crate::machine::Machine;
use crate::support::on_drop::on_drop;
use crate::support::trace::Trace;

const SECOND: Duration = Duration::from_secs(1);
const NANO: Duration = Duration::from_nanos(1);

#[test]
fn a_timer_without_delay_runs_behind_all_that_is_ready() {
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    event_loop.run_once(Some(10 * SECOND)).unwrap();
    event_loop.call_later(Duration::ZERO, trace.says("now")).unwrap();
    event_loop.call_soon(trace.says("soon")).unwrap();
    event_loop.call_at(5 * SECOND, trace.says("five seconds ago")).unwrap();
    assert_eq!(event_loop.run_once(None).unwrap(), 3);
    trace.expect(["soon", "five seconds ago", "now"]);
}

#[test]
fn a_timer_counts_from_the_time_at_which_it_was_made() {
    let event_loop = EventLoop::with_virtual_time();
    event_loop.run_once(Some(3 * SECOND)).unwrap();
    let timer = event_loop.call_later(2 * SECOND, || ()).unwrap();
    assert_eq!(timer.when(), 5 * SECOND);
    assert_eq!(event_loop.call_at(SECOND, || ()).unwrap().when(), SECOND);
}

/// Not so in CPython, where timers of one time leave their heap in an order of its own.
#[test]
fn timers_of_one_time_run_in_the_order_made() {
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    let timers: Vec<_> = (0..100)
        .map(|n| event_loop.call_at([SECOND, 2 * SECOND][n % 2], trace.says(n)).unwrap())
        .collect();
    for cancelled in timers.iter().step_by(7) {
        cancelled.cancel();
    }
    while event_loop.pending_timers() > 0 {
        event_loop.run_once(None).unwrap();
    }
    let left = (0..100).filter(|n| n % 7 != 0);
    let (even, odd): (Vec<_>, Vec<_>) = left.partition(|n| n % 2 == 0);
    trace.expect(even.iter().chain(&odd).map(|n: &usize| n.to_string()));
}

/// A task runs a turn after its sleep is over, so behind the callbacks of the same time.
#[test]
fn timers_of_callbacks_and_sleeps_of_tasks_have_one_order() {
    for seed in 0..10 {
        let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
        let (said, on) = (trace.clone(), event_loop.clone());
        let mut random = fastrand::Rng::with_seed(seed);
        let mut expected = event_loop
            .run_until_complete(async move {
                let (mut timers, mut sleeps, mut left) = (Vec::new(), Vec::new(), Vec::new());
                for made in 0..300 {
                    let delay = random.u32(1..20).pow(random.u32(1..5)) * 1000 * NANO;
                    let says = said.says(made);
                    if random.bool() {
                        timers.push((on.call_at(delay, says)?, (delay, 0, made)));
                    } else {
                        let slept = async move {
                            callsoon::sleep(delay).await?;
                            says();
                            Ok(())
                        };
                        sleeps.push((on.create_task(slept)?, (delay, 1, made)));
                        callsoon::yield_now().await?;
                    }
                    if random.u8(..4) == 0 && !timers.is_empty() {
                        timers.swap_remove(random.usize(..timers.len())).0.cancel();
                    }
                    if random.u8(..4) == 0 && !sleeps.is_empty() {
                        sleeps.swap_remove(random.usize(..sleeps.len())).0.cancel();
                    }
                }
                left.extend(timers.iter().map(|&(_, what)| what));
                left.extend(sleeps.iter().map(|&(_, what)| what));
                callsoon::sleep(Duration::from_secs(1)).await?;
                assert!(timers.iter().all(|(timer, (when, ..))| timer.when() == *when));
                Ok(left)
            })
            .unwrap();
        expected.sort_unstable();
        trace.expect(expected.iter().map(|(_, _, made)| made.to_string()));
        assert_eq!(event_loop.pending_timers(), 0);
    }
}

/// There are so many that they are spread over lower slots before they are sorted.
#[test]
fn many_timers_that_are_due_at_once_run_in_order() {
    let (event_loop, mut random) = (EventLoop::with_virtual_time(), fastrand::Rng::with_seed(4));
    let (ran, mut expected): (Rc<RefCell<Vec<_>>>, Vec<_>) = Default::default();
    let mut timers = Vec::new();
    for made in 0..20_000 {
        let (when, ran) = (1_000 * SECOND + random.u32(..4096) * (1 << 18) * NANO, ran.clone());
        timers.push(event_loop.call_at(when, move || ran.borrow_mut().push((when, made))).unwrap());
        expected.push((when, made));
    }
    let mut turn = |by, gone: usize| {
        timers.iter().skip(gone).step_by(3).for_each(TimerHandle::cancel);
        let now = event_loop.time();
        expected.retain(|&(when, made)| made % 3 != gone || when <= now);
        event_loop.advance_time(by).unwrap();
        event_loop.run_once(Some(Duration::ZERO)).unwrap();
    };
    turn(1_000 * SECOND + SECOND / 2, 0);
    turn(SECOND, 1);
    expected.sort_unstable();
    assert_eq!((event_loop.pending_timers(), &*ran.borrow()), (0, &expected));
}

#[test]
fn a_timer_is_due_at_its_time_and_not_a_nanosecond_before() {
    let (trace, (machine, event_loop)) = (Trace::new(), Machine::with_loop());
    event_loop.call_at(SECOND, trace.says("due")).unwrap();
    machine.set_now(SECOND - NANO);
    assert_eq!(event_loop.run_once(Some(Duration::ZERO)).unwrap(), 0);
    machine.set_now(SECOND);
    assert_eq!(event_loop.run_once(Some(Duration::ZERO)).unwrap(), 1);
    trace.expect(["due"]);
}

#[test]
fn what_comes_due_while_a_turn_runs_waits_for_the_next_one() {
    let (trace, (machine, event_loop)) = (Trace::new(), Machine::with_loop());
    let (clock, says) = (machine.clone(), trace.clone());
    let slow = move || {
        says.push("slow");
        clock.set_now(2 * SECOND);
    };
    event_loop.call_soon(slow).unwrap();
    event_loop.call_soon(trace.says("after it")).unwrap();
    event_loop.call_at(SECOND, trace.says("timer")).unwrap();
    assert_eq!(event_loop.run_once(None).unwrap(), 2);
    trace.expect(["slow", "after it"]);
    assert_eq!(event_loop.run_once(None).unwrap(), 1);
    trace.expect(["timer"]);
}

#[test]
fn cancelled_timer_does_not_run_though_it_is_ready() {
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    let victim = event_loop.call_later(Duration::ZERO, trace.says("victim"));
    event_loop.call_later(SECOND, trace.says("later")).unwrap();
    let (cancels, returned) = (victim.unwrap(), trace.says("cancel returned"));
    event_loop
        .call_soon(move || {
            cancels.cancel();
            returned();
        })
        .unwrap();
    // The victim is on the ready queue when the first one runs: the turn has counted both.
    assert_eq!(event_loop.run_once(None).unwrap(), 2);
    trace.expect(["cancel returned"]);
    assert_eq!((event_loop.pending_timers(), event_loop.run_once(None).unwrap()), (1, 1));
    trace.expect(["later"]);
}

#[test]
fn cancelling_drops_the_callback_and_what_it_captured_at_once() {
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    let captured = on_drop(trace.says("captured is dropped"));
    let timer = event_loop.call_later(SECOND, move || drop(captured)).unwrap();
    assert!(!timer.cancelled());
    timer.cancel();
    trace.push("cancel returns");
    assert!(timer.cancelled());
    trace.expect(["captured is dropped", "cancel returns"]);
    timer.cancel();
    assert_eq!(event_loop.run_once(Some(2 * SECOND)).unwrap(), 0);
    trace.expect_nothing();
}

#[test]
fn cancel_of_a_timer_that_has_run_leaves_later_timers_alone() {
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    let old = event_loop.call_later(SECOND, trace.says("old")).unwrap();
    assert_eq!(event_loop.run_once(None).unwrap(), 1);
    event_loop.call_later(SECOND, trace.says("new")).unwrap();
    old.cancel();
    assert!(old.cancelled());
    assert_eq!(event_loop.run_once(None).unwrap(), 1);
    trace.expect(["old", "new"]);
}

/// Not so in CPython, where they stay in the heap until they are its head or its majority.
#[test]
fn cancelled_timers_are_gone_at_once() {
    let event_loop = EventLoop::with_virtual_time();
    let timers: Vec<_> =
        (1..=101_u32).map(|n| event_loop.call_later(n * SECOND, || ()).unwrap()).collect();
    assert_eq!(event_loop.pending_timers(), 101);
    for (gone, timer) in timers.iter().rev().enumerate() {
        timer.cancel();
        assert_eq!(event_loop.pending_timers(), 100 - gone);
    }
}

#[test]
fn dropping_a_timers_handle_changes_nothing() {
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    drop(event_loop.call_later(SECOND, trace.says("runs")).unwrap());
    assert_eq!(event_loop.run_once(None).unwrap(), 1);
    trace.expect(["runs"]);
}

#[test]
fn virtual_time_moves_only_from_timer_to_timer() {
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    for days in [400, 1, 30] {
        let (on, says) = (event_loop.clone(), trace.clone());
        let shows = move || {
            let before = on.time();
            std::hint::black_box((0..1000).sum::<u64>());
            assert_eq!(on.time(), before);
            says.push(format!("{days}: {}", on.time().as_secs() / 86_400));
        };
        event_loop.call_later(days * 86_400 * SECOND, shows).unwrap();
    }
    while event_loop.pending_timers() > 0 {
        assert_eq!(event_loop.run_once(None).unwrap(), 1);
    }
    trace.expect(["1: 1", "30: 30", "400: 400"]);
}

#[test]
fn virtual_time_waits_for_what_is_ready() {
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    event_loop.call_later(SECOND, trace.says("timer")).unwrap();
    event_loop.call_soon(trace.says("soon")).unwrap();
    assert_eq!(event_loop.run_once(None).unwrap(), 1);
    assert_eq!(event_loop.time(), Duration::ZERO);
    trace.expect(["soon"]);
    assert_eq!(event_loop.run_once(Some(SECOND / 2)).unwrap(), 0);
    assert_eq!(event_loop.time(), SECOND / 2);
    assert_eq!(event_loop.run_once(Some(SECOND)).unwrap(), 1);
    assert_eq!(event_loop.time(), SECOND);
    trace.expect(["timer"]);
}
