//! `sleep`: how long it takes on the loop's clock, and what it leaves behind.

use std::time::Duration;

use callsoon::{EventLoop, create_task, running_loop, sleep, yield_now};

use crate::combinators::{boxed, select};
use crate::driver::{run, secs, settle, turn};
use crate::support::trace::Trace;

// CPython: test_tasks.BaseTaskTests.test_sleep
#[test]
fn a_sleep_takes_its_time_and_no_more() {
    run(async {
        for delay in [Duration::from_nanos(1), Duration::from_micros(1500), secs(86_400 * 365)] {
            let start = running_loop()?.time();
            sleep(delay).await?;
            assert_eq!(running_loop()?.time() - start, delay);
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn sleep_for_no_time_makes_no_timer_and_takes_no_time() {
    let event_loop = EventLoop::with_virtual_time();
    let task = event_loop.create_task(sleep(Duration::ZERO)).unwrap();
    turn(&event_loop, 1);
    assert_eq!(event_loop.pending_timers(), 0);
    assert!(!task.done());
    turn(&event_loop, 1);
    assert!(task.done());
    assert_eq!(event_loop.time(), Duration::ZERO);
}

#[test]
fn sleepers_wake_by_time_and_then_by_creation() {
    run(async {
        let trace = Trace::new();
        for (name, delay) in [("a", 3), ("b", 1), ("c", 2), ("d", 1), ("e", 3)] {
            let own = trace.clone();
            create_task(async move {
                sleep(secs(delay)).await?;
                own.push(name);
                Ok(())
            });
        }
        sleep(secs(10)).await?;
        trace.expect(["b", "d", "c", "a", "e"]);
        Ok(())
    })
    .unwrap();
}

// CPython: test_tasks.BaseTaskTests.test_cancel
// CPython: test_tasks.BaseTaskTests.test_sleep_cancel
#[test]
fn a_cancelled_sleep_takes_its_timer_back() {
    let event_loop = EventLoop::with_virtual_time();
    let task = event_loop.create_task(sleep(secs(10))).unwrap();
    turn(&event_loop, 1);
    assert_eq!(event_loop.pending_timers(), 1);
    assert!(task.cancel());
    settle(&event_loop);
    assert!(task.cancelled());
    assert_eq!((event_loop.pending_timers(), event_loop.time()), (0, Duration::ZERO));
}

#[test]
fn a_dropped_sleep_takes_its_timer_back() {
    let event_loop = EventLoop::with_virtual_time();
    let task = event_loop
        .create_task(async {
            select(vec![boxed(sleep(secs(10))), boxed(async { yield_now().await })]).await?;
            yield_now().await
        })
        .unwrap();
    turn(&event_loop, 1);
    assert_eq!(event_loop.pending_timers(), 1);
    turn(&event_loop, 1);
    assert_eq!(event_loop.pending_timers(), 0);
    assert!(!task.done());
}

#[test]
fn a_sleep_starts_when_it_is_awaited() {
    run(async {
        let later = sleep(secs(5));
        sleep(secs(2)).await?;
        later.await?;
        assert_eq!(running_loop()?.time(), secs(7));
        Ok(())
    })
    .unwrap();
}

#[test]
fn cancel_in_the_timers_turn_wins_over_the_end_of_the_sleep() {
    let event_loop = EventLoop::with_virtual_time();
    let task = event_loop.create_task(sleep(secs(1))).unwrap();
    turn(&event_loop, 1);
    event_loop.run_once(None).unwrap();
    assert_eq!(event_loop.time(), secs(1));
    assert!(!task.done(), "the timer has fired, its task has yet to wake");
    assert!(task.cancel());
    settle(&event_loop);
    assert!(task.cancelled());
}

#[test]
fn sleeping_for_ever_is_possible() {
    let event_loop = EventLoop::with_virtual_time();
    let task = event_loop.create_task(sleep(Duration::MAX)).unwrap();
    turn(&event_loop, 1);
    assert_eq!(event_loop.pending_timers(), 1);
    event_loop.run_until_complete(sleep(secs(1_000_000))).unwrap();
    assert!(!task.done());
    assert!(task.cancel());
    settle(&event_loop);
    assert_eq!(event_loop.pending_timers(), 0);
}
