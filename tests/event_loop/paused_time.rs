//! Virtual time that is paused, moved by hand, and resumed.

use std::time::Duration;

use callsoon::{ErrorKind, EventLoop, create_task, run_on, running_loop, sleep, yield_now};

use crate::support::trace::Trace;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn timers_wait_while_time_is_paused_and_go_on_afterwards() {
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    event_loop.call_later(SECOND, trace.says("one second")).unwrap();
    event_loop.pause_time().unwrap();
    assert_eq!(event_loop.run_once(Some(10 * SECOND)).unwrap(), 0);
    assert_eq!(event_loop.time(), Duration::ZERO);
    assert_eq!(event_loop.run_once(None).unwrap_err().kind(), ErrorKind::Stalled);
    event_loop.resume_time().unwrap();
    assert_eq!(event_loop.run_once(None).unwrap(), 1);
    assert_eq!(event_loop.time(), SECOND);
    trace.expect(["one second"]);
}

#[test]
fn advance_makes_the_timers_due_in_the_order_of_their_times() {
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    event_loop.pause_time().unwrap();
    for (name, delay) in [("three", 3), ("one", 1), ("two", 2), ("also one", 1)] {
        event_loop.call_later(delay * SECOND, trace.says(name)).unwrap();
    }
    event_loop.advance_time(2 * SECOND).unwrap();
    trace.expect_nothing();
    assert_eq!(event_loop.run_once(None).unwrap(), 3);
    trace.expect(["one", "also one", "two"]);
    event_loop.advance_time(SECOND).unwrap();
    assert_eq!(event_loop.run_once(None).unwrap(), 1);
    assert_eq!(event_loop.time(), 3 * SECOND);
}

#[test]
fn advance_moves_a_clock_that_is_not_paused() {
    run_on(&EventLoop::with_virtual_time(), async {
        let on = running_loop()?;
        let sleeper = create_task(sleep(5 * SECOND));
        yield_now().await?;
        on.advance_time(2 * SECOND)?;
        assert_eq!(on.time(), 2 * SECOND);
        sleeper.await?;
        assert_eq!(on.time(), 5 * SECOND);
        Ok(())
    })
    .unwrap();
}

#[test]
fn advance_beyond_the_clocks_range_is_refused() {
    let event_loop = EventLoop::with_virtual_time();
    assert_eq!(event_loop.advance_time(Duration::MAX).unwrap_err().kind(), ErrorKind::Value);
    assert_eq!(event_loop.time(), Duration::ZERO);
}

#[test]
fn real_time_can_be_neither_paused_nor_moved() {
    let event_loop = EventLoop::new();
    let refused =
        [event_loop.pause_time(), event_loop.resume_time(), event_loop.advance_time(SECOND)];
    for outcome in refused {
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Runtime);
        assert_eq!(error.message(), "the time of this loop isn't virtual");
    }
}
