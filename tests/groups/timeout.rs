//! `timeout`: which cancellations are its own, and what is left of them.

use std::cell::RefCell;
use std::rc::Rc;

use callsoon::{
    AnyFuture, ErrorKind, EventLoop, Timeout, create_task, current_task, running_loop, sleep,
    timeout, timeout_at, yield_now,
};

use crate::driver::{run, secs};
use crate::parts::{cancel_me_after, fails, now, oops, pending, shown};
use crate::support::trace::Trace;

fn cancelling() -> usize {
    current_task().expect("inside of a task").cancelling()
}

#[test]
fn a_body_in_time_is_left_alone() {
    run(async {
        let body = timeout(secs(2), async |scope| {
            sleep(secs(1)).await?;
            assert_eq!(scope.when(), Some(secs(2)));
            assert!(!scope.expired());
            Ok(7)
        });
        assert_eq!(body.await?, 7);
        assert_eq!(running_loop()?.pending_timers(), 0);
        assert_eq!(
            shown(timeout(secs(2), async |_| fails::<i32>(1, "own").await).await),
            "ValueError: own"
        );
        assert_eq!(timeout(None, async |scope| Ok(scope.when())).await?, None);
        Ok(())
    })
    .unwrap();
}

// CPython: test_timeouts.TimeoutTests.test_timeout_basic
// CPython: test_timeouts.TimeoutTests.test_waiter_cancelled
#[test]
fn the_deadline_cancels_the_body_and_the_count_is_as_before() {
    run(async {
        let trace = Trace::new();
        let late = timeout(secs(1), async |scope| {
            let interrupted = pending::<i32>()?.await;
            trace.push(format!("{} {}", shown(interrupted.clone()), cancelling()));
            trace.push(scope.expired());
            sleep(secs(1)).await?;
            interrupted
        });
        trace.push(shown(late.await));
        trace.push(format!("{} {}", now()?, cancelling()));
        trace.expect(["CancelledError 1", "true", "TimeoutError", "2 0"]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_deadline_on_the_clock_may_have_passed() {
    run(async {
        sleep(secs(5)).await?;
        assert_eq!(
            shown(timeout_at(secs(6), async |_| pending::<i32>()?.await).await),
            "TimeoutError"
        );
        assert_eq!(now()?, 6);
        assert_eq!(
            shown(timeout_at(secs(1), async |_| pending::<i32>()?.await).await),
            "TimeoutError"
        );
        assert_eq!(now()?, 6);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_body_that_swallows_the_cancellation_has_its_say() {
    run(async {
        let scope = Timeout::after(secs(1));
        let left = scope.scope(async |_| Ok(sleep(secs(5)).await.is_err()));
        assert!(left.await?);
        assert!(scope.expired());
        let other = timeout(secs(1), async |_| {
            assert!(sleep(secs(5)).await.is_err());
            Err::<(), _>(oops("instead"))
        });
        assert_eq!(shown(other.await), "ValueError: instead");
        assert_eq!(cancelling(), 0);
        sleep(secs(1)).await?;
        Ok(())
    })
    .unwrap();
}

#[test]
fn without_an_await_a_timeout_of_no_time_does_not_expire() {
    run(async {
        let scope = Timeout::after(secs(0));
        assert_eq!(scope.scope(async |_| Ok(7)).await?, 7);
        assert!(!scope.expired());
        yield_now().await?;
        yield_now().await
    })
    .unwrap();
}

#[test]
fn outside_cancellation_stays_one_though_the_deadline_passes() {
    for seconds in [1, 2, 3] {
        run(async move {
            let scope = Rc::new(RefCell::new(None));
            let own = scope.clone();
            let task = create_task(async move {
                let timeout = Timeout::after(secs(2));
                own.replace(Some(timeout.clone()));
                cancel_me_after(seconds)?;
                let slow_to_leave = async |_| {
                    let interrupted = pending::<i32>()?.await;
                    while now()? < 4 {
                        let _ = sleep(secs(1)).await;
                    }
                    interrupted
                };
                timeout.scope(slow_to_leave).await
            });
            assert_eq!(shown(task.clone().await), "CancelledError", "at {seconds}");
            assert_eq!(task.cancelling(), 1);
            assert!(scope.take().expect("it was entered").expired());
            Ok(())
        })
        .unwrap();
    }
}

#[test]
fn cancel_request_from_before_the_scope_is_left_alone() {
    run(async {
        let task = create_task(async {
            let me = current_task().expect("inside of a task");
            me.cancel();
            assert!(yield_now().await.is_err());
            let late = timeout(secs(1), async |_| pending::<i32>()?.await).await;
            assert_eq!((shown(late), me.cancelling()), ("TimeoutError".to_owned(), 1));
            Ok(())
        });
        task.await
    })
    .unwrap();
}

// CPython: test_timeouts.TimeoutTests.test_nested_timeouts_concurrent
// CPython: test_timeouts.TimeoutTests.test_nested_timeouts_loop_busy
#[test]
fn nested_scope_with_the_passed_deadline_converts() {
    for (outer, inner, expected) in [
        (1, 2, ["CancelledError", "TimeoutError"]),
        (2, 1, ["TimeoutError", "outer goes on"]),
        // Both alarms go off before the task goes on: the inner one sees two requests.
        (1, 1, ["CancelledError", "TimeoutError"]),
    ] {
        run(async move {
            let trace = Trace::new();
            let both = timeout(secs(outer), async |_| {
                let late = timeout(secs(inner), async |_| pending::<i32>()?.await).await;
                trace.push(shown(late.clone()));
                match late {
                    Err(error) if error.is_cancelled() => Err(error),
                    _ => Ok("outer goes on"),
                }
            });
            trace.push(both.await.map_or_else(|error| error.to_string(), str::to_owned));
            trace.expect(expected);
            assert_eq!(cancelling(), 0);
            Ok(())
        })
        .unwrap();
    }
}

#[test]
fn a_deadline_can_be_moved_while_the_body_runs() {
    run(async {
        let moved = timeout(secs(1), async |scope| {
            scope.reschedule(secs(3))?;
            assert_eq!(scope.when(), Some(secs(3)));
            pending::<i32>()?.await
        });
        assert_eq!((shown(moved.await), now()?), ("TimeoutError".to_owned(), 3));
        let gone = timeout(secs(1), async |scope| {
            scope.reschedule(None)?;
            sleep(secs(5)).await
        });
        gone.await?;
        let sooner = timeout(None, async |scope| {
            scope.reschedule(secs(0))?;
            pending::<i32>()?.await
        });
        assert_eq!((shown(sooner.await), now()?), ("TimeoutError".to_owned(), 8));
        assert_eq!(running_loop()?.pending_timers(), 0);
        Ok(())
    })
    .unwrap();
}

#[test]
fn reschedule_takes_a_scheduled_alarm_back_for_the_next_one() {
    run(async {
        let later = timeout(secs(0), async |scope| {
            scope.reschedule(secs(0))?;
            scope.reschedule(secs(5))?;
            sleep(secs(4)).await?;
            assert!(!scope.expired());
            pending::<i32>()?.await
        });
        assert_eq!((shown(later.await), now()?), ("TimeoutError".to_owned(), 5));
        let on = running_loop()?;
        let moved = Rc::new(RefCell::new(None::<Timeout>));
        let mover = moved.clone();
        // Due with the alarm, and made before it: both are in the ready queue when it is moved.
        on.call_at(secs(6), move || match &*mover.borrow() {
            Some(scope) => scope.reschedule(secs(8)),
            None => Ok(()),
        })?;
        let later = timeout_at(secs(6), async |scope| {
            moved.replace(Some(scope));
            pending::<i32>()?.await
        });
        assert_eq!((shown(later.await), now()?), ("TimeoutError".to_owned(), 8));
        let again = timeout(secs(0), async |scope| {
            scope.reschedule(secs(0))?;
            yield_now().await?;
            assert!(scope.expired());
            pending::<i32>()?.await
        });
        assert_eq!((shown(again.await), now()?), ("TimeoutError".to_owned(), 8));
        assert_eq!(on.pending_timers(), 0);
        Ok(())
    })
    .unwrap();
}

// CPython: test_timeouts.TimeoutTests.test_timeout_finished
// CPython: test_timeouts.TimeoutTests.test_timeout_expired
// CPython: test_timeouts.TimeoutTests.test_timeout_expiring
// CPython: test_timeouts.TimeoutTests.test_timeout_not_entered
#[test]
fn scope_is_rescheduled_only_while_active_and_entered_once() {
    run(async {
        let scope = Timeout::after(secs(1));
        let refused = |scope: &Timeout| {
            let error = scope.reschedule(secs(9)).unwrap_err();
            (error.kind(), error.message())
        };
        let runtime = |message: &str| (ErrorKind::Runtime, message.to_owned());
        assert_eq!(refused(&scope), runtime("Timeout has not been entered"));
        let late = scope.scope(async |scope| {
            let interrupted = pending::<i32>()?.await;
            assert_eq!(refused(&scope), runtime("Cannot change state of expiring Timeout"));
            interrupted
        });
        assert_eq!(shown(late.await), "TimeoutError");
        assert_eq!(refused(&scope), runtime("Cannot change state of expired Timeout"));
        let again = scope.scope(async |_| Ok(())).await;
        assert_eq!(again.unwrap_err().kind(), ErrorKind::Runtime);
        let in_time = Timeout::after(secs(1));
        in_time.scope(async |_| Ok(())).await?;
        assert_eq!(refused(&in_time), runtime("Cannot change state of finished Timeout"));
        assert_eq!((scope.expired(), in_time.expired()), (true, false));
        Ok(())
    })
    .unwrap();
}

// CPython: test_timeouts.TimeoutTests.test_repr_active
// CPython: test_timeouts.TimeoutTests.test_repr_expired
// CPython: test_timeouts.TimeoutTests.test_repr_finished
// CPython: test_timeouts.TimeoutTests.test_repr_disabled
#[test]
fn it_shows_its_state() {
    run(async {
        let finished = Timeout::after(None);
        let inside = async |scope: Timeout| Ok(format!("{scope:?}"));
        assert_eq!(finished.scope(inside).await?, "<Timeout [active] when=None>");
        assert_eq!(format!("{finished:?}"), "<Timeout [finished]>");
        let scope = Timeout::after(secs(1));
        assert_eq!(format!("{scope:?}"), "<Timeout [created]>");
        let late = scope.scope(async |scope| {
            assert_eq!(format!("{scope:?}"), "<Timeout [active] when=1s>");
            pending::<i32>()?.await
        });
        assert!(late.await.is_err());
        assert_eq!(format!("{scope:?}"), "<Timeout [expired]>");
        Ok(())
    })
    .unwrap();
}

// CPython: test_timeouts.TimeoutTests.test_timeout_without_task
#[test]
fn it_needs_a_task() {
    let event_loop = EventLoop::with_virtual_time();
    let kind = Rc::new(RefCell::new(None));
    let seen = kind.clone();
    let outside = move || {
        let mut entered = std::pin::pin!(timeout(secs(1), async |_| Ok(())));
        let waker = std::task::Waker::noop();
        let polled = entered.as_mut().poll(&mut std::task::Context::from_waker(waker));
        seen.replace(Some(format!("{polled:?}")));
    };
    event_loop.call_soon(outside).unwrap();
    event_loop.run_once(None).unwrap();
    let shown = kind.take().expect("it was polled");
    assert_eq!(shown, "Ready(Err(RuntimeError(\"Timeout should be used inside a task\")))");
}
