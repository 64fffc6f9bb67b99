//! Clocks that stand still, go back, or jump by years.

use std::time::Duration;

use callsoon::EventLoop;

use crate::support::hand_clock::HandClock;
use crate::support::trace::Trace;

const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

fn lying() -> (HandClock, EventLoop, Trace) {
    let clock = HandClock::default();
    (clock.clone(), EventLoop::with_host(clock), Trace::new())
}

#[test]
fn stopped_clock_holds_timers_and_nothing_else() {
    let (clock, event_loop, trace) = lying();
    event_loop.call_later(Duration::from_nanos(1), trace.says("timer")).unwrap();
    event_loop.call_later(Duration::ZERO, trace.says("due")).unwrap();
    for turn in 0..100 {
        event_loop.call_soon(trace.says(format!("turn {turn}"))).unwrap();
        event_loop.run_once(None).unwrap();
    }
    let turns = (1..100).map(|turn| format!("turn {turn}"));
    trace.expect(["turn 0".to_owned(), "due".to_owned()].into_iter().chain(turns));
    // With nothing ready it sleeps each time, and doesn't take the return for the time it asked.
    for _ in 0..3 {
        assert_eq!(event_loop.run_once(None).unwrap(), 0);
    }
    assert_eq!(clock.sleeps.get(), 3);
    clock.now.set(Duration::from_nanos(1));
    event_loop.run_once(None).unwrap();
    trace.expect(["timer"]);
}

#[test]
fn a_clock_that_goes_back_makes_no_timer_run_early_or_twice() {
    let (clock, event_loop, trace) = lying();
    clock.now.set(YEAR);
    event_loop.call_later(Duration::from_secs(1), trace.says("a second later")).unwrap();
    event_loop.run_once(Some(Duration::ZERO)).unwrap();
    clock.now.set(Duration::from_secs(5));
    event_loop.run_once(Some(Duration::ZERO)).unwrap();
    event_loop.call_later(Duration::from_secs(1), trace.says("after the jump back")).unwrap();
    event_loop.run_once(Some(Duration::ZERO)).unwrap();
    trace.expect_nothing();
    clock.now.set(Duration::from_secs(6));
    event_loop.run_once(Some(Duration::ZERO)).unwrap();
    trace.expect(["after the jump back"]);
    clock.now.set(YEAR + Duration::from_secs(1));
    event_loop.run_once(Some(Duration::ZERO)).unwrap();
    trace.expect(["a second later"]);
    assert_eq!(event_loop.pending_timers(), 0);
}

#[test]
fn clock_jump_of_years_runs_due_timers_once_and_in_order() {
    let (clock, event_loop, trace) = lying();
    for days in [300, 1, 30, 365 * 40] {
        let at = Duration::from_secs(days * 24 * 3600);
        event_loop.call_at(at, trace.says(format!("day {days}"))).unwrap();
    }
    clock.now.set(YEAR);
    event_loop.run_once(Some(Duration::ZERO)).unwrap();
    trace.expect(["day 1", "day 30", "day 300"]);
    // The latest time that there is, which is further than the loop counts.
    clock.now.set(Duration::MAX);
    event_loop.call_later(Duration::MAX, trace.says("never")).unwrap();
    event_loop.run_once(Some(Duration::ZERO)).unwrap();
    event_loop.run_once(Some(Duration::ZERO)).unwrap();
    trace.expect(["day 14600", "never"]);
}
