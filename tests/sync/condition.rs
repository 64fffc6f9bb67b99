//! `Condition`: a task has released the lock while it waits, and holds it when it goes on. If it
//! ends before it receives its notification, another waiter receives it.

use std::cell::Cell;
use std::rc::Rc;

use callsoon::{Condition, ErrorKind, Lock, Task};

use crate::by_hand::{poll_once, run, says, turns};
use crate::support::trace::Trace;

/// Tasks that acquire the lock and wait, one a name.
fn line<const N: usize>(condition: &Condition, trace: &Trace, names: [&str; N]) -> Vec<Task<()>> {
    let waiting = names.map(|name| {
        let condition = condition.clone();
        says(trace, name, async move { condition.scope(async || condition.wait().await).await })
    });
    waiting.into()
}

// CPython: test_locks.ConditionTests.test_wait_unacquired
// CPython: test_locks.ConditionTests.test_notify_unacquired
// CPython: test_locks.ConditionTests.test_notify_all_unacquired
#[test]
fn waiting_and_notifying_need_the_lock() {
    run(async {
        let condition = Condition::new();
        let errors = [
            condition.wait().await.unwrap_err(),
            condition.notify(1).unwrap_err(),
            condition.notify_all().unwrap_err(),
        ];
        assert!(errors.iter().all(|error| error.kind() == ErrorKind::Runtime));
        let messages = errors.map(|error| error.message());
        assert_eq!(messages[0], "cannot wait on un-acquired lock");
        assert_eq!(messages[1], "cannot notify on un-acquired lock");
        assert_eq!(messages[2], messages[1]);
        Ok(())
    });
}

// CPython: test_locks.ConditionTests.test_wait
#[test]
fn wait_releases_the_lock_and_returns_when_it_is_free_again() {
    run(async {
        let (condition, trace) = (Condition::new(), Trace::new());
        let tasks = line(&condition, &trace, ["waiting"]);
        turns(1).await?;
        assert_eq!(format!("{condition:?}"), "<Condition [unlocked, waiters:1]>");
        condition.acquire().await?;
        condition.notify(1)?;
        turns(3).await?;
        trace.expect_nothing();
        condition.release()?;
        turns(1).await?;
        trace.expect(["waiting: Ok(())"]);
        assert!(tasks[0].done());
        assert_eq!(format!("{condition:?}"), "<Condition [unlocked]>");
        Ok(())
    });
}

// CPython: test_locks.ConditionTests.test_notify
#[test]
fn so_many_are_notified_in_the_order_in_which_they_came() {
    run(async {
        let (condition, trace) = (Condition::new(), Trace::new());
        line(&condition, &trace, ["1", "2", "3", "4", "5"]);
        turns(1).await?;
        condition.scope(async || condition.notify(0)).await?;
        turns(5).await?;
        trace.expect_nothing();
        condition
            .scope(async || {
                // The second call passes over the waiter that the first has notified.
                condition.notify(1)?;
                condition.notify(1)
            })
            .await?;
        turns(5).await?;
        trace.expect(["1: Ok(())", "2: Ok(())"]);
        condition.scope(async || condition.notify(2)).await?;
        turns(5).await?;
        trace.expect(["3: Ok(())", "4: Ok(())"]);
        condition.scope(async || condition.notify(7)).await?;
        turns(5).await?;
        trace.expect(["5: Ok(())"]);
        Ok(())
    });
}

// CPython: test_locks.ConditionTests.test_wait
// CPython: test_locks.ConditionTests.test_notify_all
#[test]
fn all_are_notified_and_have_the_lock_one_after_the_other() {
    run(async {
        let (condition, trace) = (Condition::new(), Trace::new());
        for name in ["1", "2", "3"] {
            let (condition, trace) = (condition.clone(), trace.clone());
            callsoon::create_task(async move {
                let _guard = condition.lock().await?;
                condition.wait().await?;
                trace.push(format_args!("{name} in"));
                turns(1).await?;
                trace.push(format_args!("{name} out"));
                Ok(())
            });
        }
        turns(1).await?;
        condition.scope(async || condition.notify_all()).await?;
        turns(10).await?;
        trace.expect(["1 in", "1 out", "2 in", "2 out", "3 in", "3 out"]);
        assert!(!condition.locked());
        Ok(())
    });
}

// CPython: test_locks.ConditionTests.test_wait_cancel_contested
#[test]
fn cancelled_wait_reacquires_the_lock_before_its_last_error() {
    run(async {
        let (condition, trace) = (Condition::new(), Trace::new());
        let waiting = {
            let condition = condition.clone();
            says(&trace, "waiting", async move {
                condition.acquire().await?;
                let ended = condition.wait().await;
                condition.release()?;
                ended
            })
        };
        turns(1).await?;
        condition.acquire().await?;
        waiting.cancel_with("first");
        turns(2).await?;
        waiting.cancel_with("second");
        turns(2).await?;
        assert!(!waiting.done());
        condition.release()?;
        turns(1).await?;
        trace.expect(["waiting: Err(CancelledError(\"second\"))"]);
        assert!(!condition.locked());
        Ok(())
    });
}

#[test]
fn cancelled_notified_waiter_passes_its_notification_on() {
    run(async {
        let (condition, trace) = (Condition::new(), Trace::new());
        let tasks = line(&condition, &trace, ["first", "second"]);
        turns(1).await?;
        condition.scope(async || condition.notify(1)).await?;
        tasks[0].cancel();
        turns(4).await?;
        trace.expect(["first: Err(CancelledError())", "second: Ok(())"]);
        Ok(())
    });
}

#[test]
fn dropped_notified_waiter_passes_its_notification_on() {
    run(async {
        let (condition, trace) = (Condition::new(), Trace::new());
        condition.acquire().await?;
        let mut first = Box::pin(condition.wait());
        assert!(poll_once(first.as_mut()).await.is_pending());
        line(&condition, &trace, ["second"]);
        turns(1).await?;
        condition.scope(async || condition.notify(1)).await?;
        turns(3).await?;
        trace.expect_nothing();
        drop(first);
        turns(2).await?;
        trace.expect(["second: Ok(())"]);
        assert!(!condition.locked());
        Ok(())
    });
}

#[test]
fn waiter_dropped_at_the_lock_passes_its_notification_on() {
    run(async {
        let (condition, trace) = (Condition::new(), Trace::new());
        condition.acquire().await?;
        let mut first = Box::pin(condition.wait());
        assert!(poll_once(first.as_mut()).await.is_pending());
        line(&condition, &trace, ["second"]);
        turns(1).await?;
        condition.acquire().await?;
        condition.notify(1)?;
        assert!(poll_once(first.as_mut()).await.is_pending());
        drop(first);
        condition.release()?;
        turns(2).await?;
        trace.expect(["second: Ok(())"]);
        assert!(!condition.locked());
        Ok(())
    });
}

/// The guard outside of a `wait` that is dropped half way must not release what it lost.
#[test]
fn guard_does_not_release_a_lock_that_a_dropped_wait_released() {
    run(async {
        let condition = Condition::new();
        let mut waiting = Box::pin(condition.scope(async || condition.wait().await));
        assert!(poll_once(waiting.as_mut()).await.is_pending());
        condition.acquire().await?;
        drop(waiting);
        assert!(condition.locked());
        Ok(())
    });
}

#[test]
fn a_guard_releases_what_a_wait_has_acquired_again() {
    run(async {
        let condition = Condition::new();
        let guard = condition.lock().await?;
        let mut waiting = Box::pin(condition.wait());
        assert!(poll_once(waiting.as_mut()).await.is_pending());
        condition.scope(async || condition.notify(1)).await?;
        waiting.await?;
        assert!(condition.locked());
        drop(guard);
        assert!(!condition.locked());
        Ok(())
    });
}

// CPython: test_locks.ConditionTests.test_wait_for
#[test]
fn a_predicate_is_asked_at_once_and_after_each_notification() {
    run(async {
        let (condition, trace) = (Condition::new(), Trace::new());
        let asked = Rc::new(Cell::new(0));
        condition.scope(async || condition.wait_for(|| true).await).await?;
        {
            let (condition, asked) = (condition.clone(), asked.clone());
            says(&trace, "waiting", async move {
                let _guard = condition.lock().await?;
                let third = || {
                    asked.set(asked.get() + 1);
                    asked.get() == 3
                };
                condition.wait_for(third).await
            });
        }
        turns(1).await?;
        assert_eq!(asked.get(), 1);
        for _ in 0..2 {
            trace.expect_nothing();
            condition.scope(async || condition.notify_all()).await?;
            turns(2).await?;
        }
        trace.expect(["waiting: Ok(())"]);
        Ok(())
    });
}

// CPython: test_locks.ConditionTests.test_explicit_lock
#[test]
fn two_conditions_may_share_a_lock() {
    run(async {
        let lock = Lock::new();
        let [one, other] = [(); 2].map(|()| Condition::with_lock(lock.clone()));
        let trace = Trace::new();
        let locked = || [lock.locked(), one.locked(), other.locked()];
        assert_eq!(one.scope(async || Ok(locked())).await?, [true; 3]);
        assert_eq!(locked(), [false; 3]);
        assert_eq!(lock.scope(async || Ok(locked())).await?, [true; 3]);
        line(&one, &trace, ["one"]);
        line(&other, &trace, ["other"]);
        turns(2).await?;
        lock.acquire().await?;
        assert!(one.locked());
        other.notify_all()?;
        one.release()?;
        turns(3).await?;
        trace.expect(["other: Ok(())"]);
        Ok(())
    });
}
