//! `timeout` in and around other things: what leaves which scope, and in what state it is then.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use callsoon::{
    AnyFuture, ErrorKind, EventLoop, Result, TaskGroup, Timeout, create_task, current_task,
    running_loop, sleep, timeout, timeout_at,
};

use crate::driver::{run, secs, turn};
use crate::parts::{fails, now, oops, pending, shown};

fn cancelling() -> usize {
    current_task().expect("inside of a task").cancelling()
}

/// Runs `body` in a scope, and says how that ended and whether the scope has expired.
async fn within<T: std::fmt::Debug>(
    scope: Timeout,
    body: impl AsyncFnOnce(Timeout) -> Result<T>,
) -> Result<(String, bool)> {
    let ended = shown(scope.scope(body).await);
    Ok((ended, scope.expired()))
}

fn timed_out() -> (String, bool) {
    ("TimeoutError".to_owned(), true)
}

// CPython: test_timeouts.TimeoutTests.test_timeout_at_basic
// CPython: test_timeouts.TimeoutTests.test_timeout_not_called
#[test]
fn a_deadline_stands_where_it_was_set_after_it_has_passed_too() {
    run(async {
        sleep(secs(5)).await?;
        let scope = Timeout::at(secs(6));
        assert_eq!(within(scope.clone(), async |_| sleep(secs(10)).await).await?, timed_out());
        assert_eq!(scope.when(), Some(secs(6)));
        let in_time = Timeout::after(secs(10));
        let slept = within(in_time.clone(), async |_| sleep(secs(1)).await).await?;
        assert_eq!((slept, in_time.when()), (("()".to_owned(), false), Some(secs(16))));
        Ok(())
    })
    .unwrap();
}

// CPython: test_timeouts.TimeoutTests.test_timeout_disabled
// CPython: test_timeouts.TimeoutTests.test_timeout_at_disabled
#[test]
fn without_a_deadline_none_expires() {
    run(async {
        for scope in [Timeout::after(None), Timeout::at(None)] {
            let slept = within(scope.clone(), async |_| sleep(secs(1)).await).await?;
            assert_eq!((slept, scope.when()), (("()".to_owned(), false), None));
        }
        timeout_at(None, async |_| sleep(secs(1)).await).await?;
        assert_eq!(now()?, 3);
        Ok(())
    })
    .unwrap();
}

// CPython: test_timeouts.TimeoutTests.test_timeout_zero
// CPython: test_timeouts.TimeoutTests.test_timeout_zero_sleep_zero
// CPython: test_timeouts.TimeoutTests.test_timeout_in_the_past_sleep_zero
#[test]
fn past_deadline_expires_at_the_first_await_that_waits() {
    run(async {
        sleep(secs(5)).await?;
        let yields = async |_| sleep(Duration::ZERO).await;
        let waits = async |_| sleep(secs(10)).await;
        for when in [secs(5), secs(1)] {
            assert_eq!(within(Timeout::at(when), yields).await?, timed_out());
            assert_eq!(within(Timeout::at(when), waits).await?, timed_out());
        }
        let scope = Timeout::after(Duration::ZERO);
        assert_eq!(within(scope.clone(), waits).await?, timed_out());
        assert_eq!((scope.when(), now()?), (Some(secs(5)), 5));
        Ok(())
    })
    .unwrap();
}

// CPython: test_timeouts.TimeoutTests.test_foreign_exception_passed
// CPython: test_timeouts.TimeoutTests.test_foreign_exception_on_timeout
// CPython: test_timeouts.TimeoutTests.test_foreign_exception_on_timeout_2
#[test]
fn error_of_the_body_passes_before_and_after_the_deadline() {
    run(async {
        let early = within(Timeout::after(secs(1)), async |_| Err::<(), _>(oops("own"))).await?;
        assert_eq!(early, ("ValueError: own".to_owned(), false));
        let late = within(Timeout::after(secs(1)), async |_| {
            assert!(sleep(secs(10)).await.is_err());
            Err::<(), _>(oops("in the cleanup"))
        });
        assert_eq!(late.await?, ("ValueError: in the cleanup".to_owned(), true));
        assert_eq!(cancelling(), 0);
        Ok(())
    })
    .unwrap();
}

// CPython: test_timeouts.TimeoutTests.test_foreign_cancel_doesnt_timeout_if_not_expired
#[test]
fn a_cancel_before_the_deadline_is_none_of_the_scopes() {
    run(async {
        let task = create_task(async {
            let scope = Timeout::after(secs(10));
            let ended = scope.scope(async |_| {
                current_task().expect("inside of a task").cancel();
                sleep(secs(10)).await
            });
            assert!(ended.await.unwrap_err().is_cancelled());
            Ok((scope.expired(), format!("{scope:?}"), cancelling()))
        });
        assert_eq!(task.await?, (false, "<Timeout [finished]>".to_owned(), 1));
        assert_eq!(now()?, 0);
        Ok(())
    })
    .unwrap();
}

// CPython: test_timeouts.TimeoutTests.test_outer_task_is_not_cancelled
#[test]
fn a_task_that_catches_its_timeout_is_not_cancelled() {
    run(async {
        let task = create_task(async {
            Ok(shown(timeout(secs(1), async |_| sleep(secs(10)).await).await))
        });
        assert_eq!((&task).await?, "TimeoutError");
        assert!(task.done() && !task.cancelled());
        Ok(())
    })
    .unwrap();
}

// CPython: test_timeouts.TimeoutTests.test_nested_timeouts
#[test]
fn nested_scopes_with_one_deadline_both_expire_and_outer_raises() {
    run(async {
        let deadline = running_loop()?.time() + secs(1);
        let (outer, inner) = (Timeout::at(deadline), Timeout::at(deadline));
        let own = inner.clone();
        let both = outer.scope(async move |_| {
            let ended = own.scope(async |_| sleep(secs(10)).await).await;
            assert!(ended.as_ref().is_err_and(|error| error.is_cancelled()));
            ended
        });
        assert_eq!(shown(both.await), "TimeoutError");
        assert!(outer.expired() && inner.expired());
        Ok(())
    })
    .unwrap();
}

// CPython: test_timeouts.TimeoutTests.test_nested_timeout_in_finally
#[test]
fn a_scope_in_the_clean_up_of_another_has_a_time_of_its_own() {
    run(async {
        let both = timeout(secs(1), async |_| {
            let interrupted = sleep(secs(10)).await;
            let inner = timeout(secs(1), async |_| sleep(secs(10)).await).await;
            assert_eq!((shown(inner), cancelling(), now()?), ("TimeoutError".to_owned(), 1, 2));
            interrupted
        });
        assert_eq!((shown(both.await), cancelling()), ("TimeoutError".to_owned(), 0));
        Ok(())
    })
    .unwrap();
}

// CPython: test_timeouts.TimeoutTests.test_timeout_after_cancellation
// CPython: test_timeouts.TimeoutTests.test_cancel_in_timeout_after_cancellation
#[test]
fn scope_after_a_caught_cancellation_knows_its_own_from_others() {
    run(async {
        let task = create_task(async {
            let me = current_task().expect("inside of a task");
            me.cancel();
            assert!(sleep(secs(1)).await.is_err());
            let late = timeout(secs(0), async |_| sleep(secs(1)).await).await;
            assert_eq!((shown(late), me.cancelling()), ("TimeoutError".to_owned(), 1));
            let cancelled = timeout(secs(1), async |_| {
                me.cancel();
                sleep(secs(2)).await
            });
            assert!(cancelled.await.unwrap_err().is_cancelled());
            Ok(me.cancelling())
        });
        assert_eq!(task.await?, 2);
        assert_eq!(now()?, 0);
        Ok(())
    })
    .unwrap();
}

// CPython: test_timeouts.TimeoutTests.test_reschedule
#[test]
fn another_task_may_move_the_deadline_and_take_it_away() {
    run(async {
        let handed_on = pending()?;
        let hand_on = handed_on.clone();
        let task = create_task(timeout(secs(10), async move |scope| {
            hand_on.set_result(scope)?;
            sleep(secs(50)).await
        }));
        let scope: Timeout = handed_on.await?;
        assert_eq!(scope.when(), Some(secs(10)));
        scope.reschedule(secs(30))?;
        assert_eq!(scope.when(), Some(secs(30)));
        scope.reschedule(None)?;
        assert_eq!(scope.when(), None);
        sleep(secs(40)).await?;
        assert!(!task.done());
        task.cancel();
        assert!(task.await.unwrap_err().is_cancelled());
        assert!(!scope.expired());
        Ok(())
    })
    .unwrap();
}

// CPython: test_timeouts.TimeoutTests.test_timeout_already_entered
// CPython: test_timeouts.TimeoutTests.test_timeout_double_enter
#[test]
fn a_scope_is_entered_once_and_not_from_inside_either() {
    run(async {
        let scope = Timeout::after(secs(1));
        let itself = scope.clone();
        let refused = scope.scope(async move |_| Ok(itself.scope(async |_| Ok(())).await));
        let amid = refused.await?.unwrap_err();
        let after = scope.scope(async |_| Ok(())).await.unwrap_err();
        for error in [amid, after] {
            let expected = (ErrorKind::Runtime, "Timeout has already been entered".to_owned());
            assert_eq!((error.kind(), error.message()), expected);
        }
        assert_eq!(running_loop()?.pending_timers(), 0);
        Ok(())
    })
    .unwrap();
}

// CPython: test_timeouts.TimeoutTests.test_timeout_taskgroup
#[test]
fn error_of_an_interrupted_group_precedes_the_timeout() {
    run(async {
        let late = timeout(secs(1), async |_| {
            TaskGroup::scope(async |group| {
                group.create_task(async {
                    assert!(sleep(secs(60)).await.is_err());
                    fails::<()>(0, "in the cleanup").await
                })?;
                sleep(secs(60)).await
            })
            .await
        });
        let error = late.await.unwrap_err();
        assert_eq!((error.kind(), error.group().len()), (ErrorKind::Group, 1));
        assert_eq!(error.group()[0].message(), "in the cleanup");
        assert_eq!((now()?, cancelling()), (1, 0));
        Ok(())
    })
    .unwrap();
}

#[test]
fn timeout_alarm_left_in_a_closed_loop_hides_no_other() {
    let other = EventLoop::with_virtual_time();
    let kept = Rc::new(RefCell::new(None));
    let keeps = kept.clone();
    let leaves = other.create_task(async move {
        let scope = Timeout::at(secs(0));
        keeps.replace(Some(scope.clone()));
        scope.scope(async |_| Ok(())).await
    });
    turn(&other, 1);
    assert!(leaves.unwrap().done());
    // The alarm stands in the ready queue still.
    drop(other);
    kept.take();
    run(async {
        let slow = timeout(secs(1), async |_| sleep(secs(5)).await).await;
        assert_eq!(slow.unwrap_err().kind(), ErrorKind::Timeout);
        Ok(())
    })
    .unwrap();
}
