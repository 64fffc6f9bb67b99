//! `Condition::scope` and `Lock::scope` around a wait that is dropped half way, which leaves the scope
//! without the lock.

use std::time::Duration;

use callsoon::{Condition, Error, ErrorKind, Lock, Result, Task, create_task, sleep, yield_now};

use crate::by_hand::{at_once, poll_once, run, turns};
use crate::support::trace::Trace;

const SECOND: Duration = Duration::from_secs(1);

/// A task that has the lock for a second.
fn holds(condition: &Condition, trace: &Trace, name: &'static str) -> Task<()> {
    let (condition, trace) = (condition.clone(), trace.clone());
    create_task(async move {
        let outcome = condition
            .scope(async || {
                trace.push(format!("{name} in"));
                sleep(SECOND).await?;
                trace.push(format!("{name} out"));
                Ok(())
            })
            .await;
        trace.push(format!("{name} {:?}", outcome.map_err(|error| error.message())));
        Ok(())
    })
}

fn own_error() -> Error {
    Error::new(ErrorKind::Value, "own")
}

#[test]
fn a_dropped_wait_leaves_the_lock_to_the_next_holder() {
    run(async {
        let (condition, trace) = (Condition::new(), Trace::new());
        let mut others = Vec::new();
        condition
            .scope(async || {
                assert!(!at_once(condition.wait()).await);
                others.extend([holds(&condition, &trace, "B"), holds(&condition, &trace, "C")]);
                turns(3).await
            })
            .await?;
        trace.push("A left");
        for other in others {
            other.await?;
        }
        let expected = ["B in", "A left", "B out", "B Ok(())", "C in", "C out", "C Ok(())"];
        trace.expect(expected);
        Ok(())
    });
}

#[test]
fn the_error_of_a_body_that_dropped_a_wait_is_kept() {
    run(async {
        let (condition, trace) = (Condition::new(), Trace::new());
        for taken in [false, true] {
            let outcome: Result<()> = condition
                .scope(async || {
                    assert!(!at_once(condition.wait()).await);
                    if taken {
                        holds(&condition, &trace, "B");
                        turns(2).await?;
                    }
                    Err(own_error())
                })
                .await;
            assert_eq!(outcome.unwrap_err().message(), "own");
            assert_eq!(condition.locked(), taken);
        }
        Ok(())
    });
}

#[test]
fn a_wait_dropped_in_line_for_the_lock_is_as_one_before() {
    run(async {
        let (condition, trace) = (Condition::new(), Trace::new());
        condition
            .scope(async || {
                let mut wait = Box::pin(condition.wait());
                assert!(poll_once(wait.as_mut()).await.is_pending());
                let other = holds(&condition, &trace, "B");
                turns(2).await?;
                condition.notify(1)?; // B has the lock
                assert!(poll_once(wait.as_mut()).await.is_pending());
                drop(wait);
                assert!(!other.done());
                Ok(())
            })
            .await?;
        assert!(condition.locked());
        trace.expect(["B in"]);
        Ok(())
    });
}

#[test]
fn a_lock_acquired_again_by_hand_is_the_scopes() {
    run(async {
        let lock = Lock::new();
        let condition = Condition::with_lock(lock.clone());
        for by_try in [false, true] {
            lock.scope(async || {
                assert!(!at_once(condition.wait()).await);
                assert!(!lock.locked());
                if by_try {
                    assert!(lock.try_acquire());
                } else {
                    lock.acquire().await?;
                }
                Ok(())
            })
            .await?;
            assert!(!lock.locked());
            let guard = condition.lock().await?;
            assert!(!at_once(condition.wait()).await);
            condition.acquire().await?;
            drop(guard);
            assert!(!lock.locked());
        }
        Ok(())
    });
}

#[test]
fn a_lock_acquired_by_hand_elsewhere_is_not_the_scopes() {
    run(async {
        let condition = Condition::new();
        let own = condition.clone();
        let scope = create_task(async move {
            own.scope(async || {
                assert!(!at_once(own.wait()).await);
                turns(3).await
            })
            .await
        });
        yield_now().await?;
        condition.acquire().await?;
        scope.await?;
        assert!(condition.locked());
        condition.release()
    });
}

#[test]
fn a_second_wait_that_ends_gives_the_scope_its_lock_for_good() {
    run(async {
        let condition = Condition::new();
        condition
            .scope(async || {
                assert!(!at_once(condition.wait()).await);
                condition.acquire().await?;
                let notifier = condition.clone();
                create_task(async move { notifier.scope(async || notifier.notify(1)).await });
                condition.wait().await
            })
            .await?;
        assert!(!condition.locked());
        Ok(())
    });
}

/// `async with` releases whatever holds the lock, as CPython does it.
#[test]
fn a_lock_released_by_hand_in_a_scope_is_as_in_cpython() {
    run(async {
        let (condition, trace) = (Condition::new(), Trace::new());
        let outcome = condition.scope(async || condition.release()).await;
        assert_eq!(outcome.unwrap_err().message(), "Lock is not acquired.");
        let outcome: Result<()> = condition
            .scope(async || {
                condition.release()?;
                Err(own_error())
            })
            .await;
        assert_eq!(outcome.unwrap_err().message(), "Lock is not acquired.");
        let other = condition
            .scope(async || {
                condition.release()?;
                let other = holds(&condition, &trace, "B");
                turns(2).await?;
                Ok(other)
            })
            .await?;
        assert!(!condition.locked());
        other.await?;
        trace.expect(["B in", "B out", "B Err(\"Lock is not acquired.\")"]);
        Ok(())
    });
}
