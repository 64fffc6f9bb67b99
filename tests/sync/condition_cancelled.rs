//! `Condition`: waits that are cancelled or out of time, before they are notified and after.

use std::cell::Cell;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use callsoon::{Condition, ErrorKind, Task, running_loop, sleep, timeout, wait_for};

use crate::by_hand::{poll_once, run, says, turns};
use crate::support::trace::Trace;

/// A task that waits with the lock, says what that wait ended with, and passes it on.
fn waits(condition: &Condition, trace: &Trace, wake: &Rc<Cell<bool>>) -> Task<()> {
    let (condition, trace, wake) = (condition.clone(), trace.clone(), wake.clone());
    callsoon::create_task(async move {
        let waiting = async || {
            let outcome = condition.wait_for(|| wake.get()).await;
            trace.push(format!("{outcome:?} with the lock: {}", condition.locked()));
            outcome
        };
        condition.scope(waiting).await
    })
}

// CPython: test_locks.ConditionTests.test_wait_cancel_contested
// CPython: test_locks.ConditionTests.test_wait_cancel_after_notify
// CPython: test_locks.ConditionTests.test_cancelled_error_wakeup
// CPython: test_locks.ConditionTests.test_cancelled_error_re_aquire
#[test]
fn cancelled_wait_returns_the_same_error_in_either_phase() {
    for notified in [false, true] {
        run(async move {
            let (condition, trace) = (Condition::new(), Trace::new());
            let wake = Rc::new(Cell::new(false));
            let waiting = waits(&condition, &trace, &wake);
            turns(1).await?;
            condition.acquire().await?;
            if notified {
                wake.set(true);
                condition.notify(1)?;
                turns(1).await?;
            }
            waiting.cancel_with("foo");
            turns(2).await?;
            trace.expect_nothing();
            condition.release()?;
            let error = (&waiting).await.unwrap_err();
            assert_eq!((error.is_cancelled(), &*error.message()), (true, "foo"));
            trace.expect([r#"Err(CancelledError("foo")) with the lock: true"#]);
            assert_eq!(format!("{condition:?}"), "<Condition [unlocked]>");
            Ok(())
        });
    }
}

/// The task awaits a plain future besides, which is cancelled with the same error.
// CPython: test_locks.ConditionTests.test_cancelled_error_wakeup
// CPython: test_locks.ConditionTests.test_cancelled_error_re_aquire
#[test]
fn condition_passes_on_the_very_error_of_a_cancelled_wait() {
    for notified in [false, true] {
        run(async move {
            let condition = Condition::new();
            let own = condition.clone();
            let waiting = callsoon::create_task(async move {
                let plain = running_loop()?.create_future::<()>();
                let mut beside = pin!((&plain).into_future());
                assert!(poll_once(beside.as_mut()).await.is_pending());
                let outcome = own.scope(async || own.wait_for(|| false).await).await;
                let raised = plain.result().unwrap_err();
                assert!(outcome.as_ref().is_err_and(|error| error.ptr_eq(&raised)));
                outcome
            });
            turns(1).await?;
            condition.acquire().await?;
            if notified {
                condition.notify(1)?;
                turns(1).await?;
            }
            waiting.cancel_with("foo");
            turns(2).await?;
            condition.release()?;
            assert_eq!(format!("{:?}", waiting.await), r#"Err(CancelledError("foo"))"#);
            Ok(())
        });
    }
}

/// A wait of one that has the lock already, cancelled, has it again.
// CPython: test_locks.ConditionTests.test_wait_cancel
#[test]
fn a_wait_that_is_cancelled_ends_with_the_lock_held() {
    run(async {
        let condition = Condition::new();
        condition.acquire().await?;
        let own = condition.clone();
        let waiting = callsoon::create_task(async move { own.wait().await });
        turns(1).await?;
        assert_eq!(format!("{condition:?}"), "<Condition [unlocked, waiters:1]>");
        waiting.cancel();
        assert!(waiting.await.unwrap_err().is_cancelled());
        assert_eq!(format!("{condition:?}"), "<Condition [locked]>");
        Ok(())
    });
}

// CPython: test_locks.ConditionTests.test_timeout_in_block
#[test]
fn a_wait_that_is_out_of_time_ends_with_the_lock_held() {
    run(async {
        let condition = Condition::new();
        let _guard = condition.lock().await?;
        let own = condition.clone();
        let late = wait_for(async move { own.wait().await }, Duration::from_secs(1)).await;
        assert_eq!(late.unwrap_err().kind(), ErrorKind::Timeout);
        assert_eq!(format!("{condition:?}"), "<Condition [locked]>");
        Ok(())
    });
}

/// Two consumers and one item: it is consumed, though the one that was told of it is cancelled,
/// in the turn of the notification or while it waits for the lock.
// CPython: test_locks.ConditionTests.test_cancelled_wakeup
// CPython: test_locks.ConditionTests.test_cancelled_wakeup_relock
#[test]
fn item_is_consumed_though_the_notified_consumer_is_cancelled() {
    for turns_later in [0, 1] {
        run(async move {
            let (condition, items) = (Condition::new(), Rc::new(Cell::new(0)));
            let consume = || {
                let (condition, items) = (condition.clone(), items.clone());
                callsoon::create_task(async move {
                    let _guard = condition.lock().await?;
                    loop {
                        condition.wait_for(|| items.get() != 0).await?;
                        if items.get() < 0 {
                            return Ok(());
                        }
                        items.set(items.get() - 1);
                    }
                })
            };
            let consumers: [Task<()>; 2] = [consume(), consume()];
            turns(1).await?;
            let _guard = condition.lock().await?;
            items.set(1);
            condition.notify(1)?;
            turns(turns_later).await?;
            consumers[0].cancel();
            let consumed = timeout(Duration::from_secs(1), async |_| {
                condition.wait_for(|| items.get() == 0).await
            });
            // No task notifies of that: the wait times out, and the item is gone by then.
            assert_eq!(consumed.await.unwrap_err().kind(), ErrorKind::Timeout);
            assert_eq!(items.get(), 0);
            items.set(-1);
            condition.notify_all()?;
            condition.release()?;
            assert!((&consumers[0]).await.unwrap_err().is_cancelled());
            (&consumers[1]).await
        });
    }
}

// CPython: test_locks.ConditionTests.test_wait_for_unacquired
#[test]
fn wait_for_needs_the_lock_only_if_its_predicate_is_false() {
    run(async {
        let condition = Condition::new();
        condition.wait_for(|| true).await?;
        let error = condition.wait_for(|| false).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Runtime);
        Ok(())
    });
}

// CPython: test_locks.ConditionTests.test_repr
// CPython: test_locks.ConditionTests.test_context_manager
#[test]
fn it_shows_its_lock_and_its_line() {
    run(async {
        let (condition, trace) = (Condition::new(), Trace::new());
        let shown = || format!("{condition:?}");
        assert_eq!(shown(), "<Condition [unlocked]>");
        assert_eq!(condition.scope(async || Ok(shown())).await?, "<Condition [locked]>");
        for count in 1..=2 {
            let own = condition.clone();
            let waits = async move { own.scope(async || own.wait().await).await };
            says(&trace, "waiting", waits);
            turns(1).await?;
            assert_eq!(shown(), format!("<Condition [unlocked, waiters:{count}]>"));
        }
        condition.acquire().await?;
        assert_eq!(shown(), "<Condition [locked, waiters:2]>");
        condition.notify_all()?;
        condition.release()?;
        sleep(Duration::from_secs(1)).await?;
        trace.expect(["waiting: Ok(())"; 2]);
        Ok(())
    });
}
