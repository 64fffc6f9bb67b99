//! `Semaphore` and `BoundedSemaphore`: no permit is lost, and none comes twice.

use std::pin::pin;

use callsoon::{BoundedSemaphore, Error, ErrorKind, Semaphore, Task, create_task, yield_now};

use crate::by_hand::{at_once, poll_once, run, says, turns};
use crate::support::trace::Trace;

/// Tasks that stand in line, one a name.
fn line<const N: usize>(semaphore: &Semaphore, trace: &Trace, names: [&str; N]) -> Vec<Task<()>> {
    let waiting = names.map(|name| {
        let semaphore = semaphore.clone();
        says(trace, name, async move { semaphore.acquire().await })
    });
    waiting.into()
}

// CPython: test_locks.SemaphoreTests.test_acquire
// CPython: test_locks.SemaphoreTests.test_release_no_waiters
#[test]
fn permits_that_are_there_are_taken_without_giving_way() {
    run(async {
        let semaphore = Semaphore::new(2);
        assert!(at_once(semaphore.acquire()).await);
        assert!(!semaphore.locked());
        assert!(semaphore.try_acquire());
        assert!(semaphore.locked());
        assert_eq!(semaphore.value(), 0);
        assert!(!semaphore.try_acquire());
        assert!(!at_once(semaphore.acquire()).await);
        semaphore.release();
        assert_eq!(semaphore.value(), 1);
        Ok(())
    });
}

// CPython: test_locks.SemaphoreTests.test_acquire
#[test]
fn releases_in_a_row_wake_a_waiter_each() {
    run(async {
        let (semaphore, trace) = (Semaphore::new(0), Trace::new());
        line(&semaphore, &trace, ["first", "second", "third"]);
        turns(1).await?;
        let late = line(&semaphore, &trace, ["late"]);
        semaphore.release();
        semaphore.release();
        assert_eq!(semaphore.value(), 0);
        turns(1).await?;
        trace.expect(["first: Ok(())", "second: Ok(())"]);
        assert_eq!(format!("{semaphore:?}"), "<Semaphore [locked, waiters:2]>");
        semaphore.release();
        turns(1).await?;
        trace.expect(["third: Ok(())"]);
        assert!(!late[0].done());
        Ok(())
    });
}

// CPython: test_locks.SemaphoreTests.test_repr
// CPython: test_locks.SemaphoreTests.test_acquire
#[test]
fn release_gives_its_permit_to_the_first_waiter_at_once() {
    run(async {
        let (semaphore, trace) = (Semaphore::new(0), Trace::new());
        let tasks = line(&semaphore, &trace, ["first", "second"]);
        turns(1).await?;
        assert_eq!(format!("{semaphore:?}"), "<Semaphore [locked, waiters:2]>");
        semaphore.release();
        assert_eq!(semaphore.value(), 0);
        turns(2).await?;
        trace.expect(["first: Ok(())"]);
        semaphore.release();
        turns(2).await?;
        trace.expect(["second: Ok(())"]);
        assert!(tasks.iter().all(Task::done));
        semaphore.release();
        assert_eq!(format!("{semaphore:?}"), "<Semaphore [unlocked, value:1]>");
        Ok(())
    });
}

#[test]
fn semaphore_is_locked_until_the_woken_tasks_have_run() {
    run(async {
        let (semaphore, trace) = (Semaphore::new(0), Trace::new());
        line(&semaphore, &trace, ["woken"]);
        turns(1).await?;
        semaphore.release();
        semaphore.release();
        assert_eq!((semaphore.value(), semaphore.locked()), (1, true));
        assert!(!semaphore.try_acquire());
        // A task that comes now queues, and gets the spare permit from the woken task as that runs.
        let late = line(&semaphore, &trace, ["late"]);
        for task in late {
            task.await?;
        }
        trace.expect(["woken: Ok(())", "late: Ok(())"]);
        assert_eq!(semaphore.value(), 0);
        Ok(())
    });
}

/// The woken waiter has another behind it, and only the woken one can pass the permit on.
#[test]
fn woken_acquirer_forwards_a_spare_permit() {
    run(async {
        let (semaphore, trace) = (Semaphore::new(0), Trace::new());
        line(&semaphore, &trace, ["woken"]);
        turns(1).await?;
        semaphore.release();
        semaphore.release();
        let mut late = Box::pin(semaphore.acquire());
        assert!(poll_once(late.as_mut()).await.is_pending());
        assert_eq!(semaphore.value(), 1);
        turns(1).await?;
        assert_eq!(semaphore.value(), 0);
        late.await?;
        Ok(())
    });
}

#[test]
fn cancelled_woken_waiter_passes_its_permit_on() {
    run(async {
        let (semaphore, trace) = (Semaphore::new(0), Trace::new());
        let tasks = line(&semaphore, &trace, ["first", "second"]);
        turns(1).await?;
        semaphore.release();
        tasks[0].cancel();
        turns(2).await?;
        trace.expect(["first: Err(CancelledError())", "second: Ok(())"]);
        assert_eq!(semaphore.value(), 0);
        Ok(())
    });
}

#[test]
fn a_woken_waiter_that_is_dropped_gives_its_permit_back() {
    run(async {
        let (semaphore, trace) = (Semaphore::new(0), Trace::new());
        let mut first = Box::pin(semaphore.acquire());
        assert!(poll_once(first.as_mut()).await.is_pending());
        let tasks = line(&semaphore, &trace, ["second"]);
        turns(1).await?;
        semaphore.release();
        drop(first);
        turns(2).await?;
        trace.expect(["second: Ok(())"]);
        assert!(tasks[0].done());

        let mut only = Box::pin(semaphore.acquire());
        assert!(poll_once(only.as_mut()).await.is_pending());
        semaphore.release();
        assert_eq!(semaphore.value(), 0);
        drop(only);
        assert_eq!(format!("{semaphore:?}"), "<Semaphore [unlocked, value:1]>");
        Ok(())
    });
}

// CPython: test_locks.SemaphoreTests.test_initial_value_zero
// CPython: test_locks.SemaphoreTests.test_acquire_cancel
#[test]
fn a_waiter_that_goes_asleep_makes_no_permit() {
    run(async {
        let (semaphore, trace) = (Semaphore::new(0), Trace::new());
        let tasks = line(&semaphore, &trace, ["cancelled"]);
        let mut dropped = Box::pin(semaphore.acquire());
        assert!(poll_once(dropped.as_mut()).await.is_pending());
        turns(1).await?;
        tasks[0].cancel();
        drop(dropped);
        turns(2).await?;
        trace.expect(["cancelled: Err(CancelledError())"]);
        assert_eq!(format!("{semaphore:?}"), "<Semaphore [locked]>");
        Ok(())
    });
}

// CPython: test_locks.SemaphoreTests.test_repr
#[test]
fn permit_is_released_by_its_drop_and_not_when_forgotten() {
    run(async {
        let semaphore = Semaphore::default();
        let permit = semaphore.permit().await?;
        assert_eq!(format!("{permit:?}"), "<Permit of <Semaphore [locked]>>");
        drop(permit);
        assert_eq!(semaphore.value(), 1);
        semaphore.permit().await?.forget();
        assert_eq!(semaphore.value(), 0);
        Ok(())
    });
}

#[test]
fn a_scope_releases_however_it_ends() {
    run(async {
        let semaphore = Semaphore::new(1);
        assert_eq!(semaphore.scope(async || Ok(semaphore.value())).await?, 0);
        let failed = semaphore.scope(async || Err::<(), _>(Error::cancelled())).await;
        assert!(failed.unwrap_err().is_cancelled());
        assert_eq!(semaphore.value(), 1);
        {
            let mut dropped = pin!(semaphore.scope(async || yield_now().await));
            assert!(poll_once(dropped.as_mut()).await.is_pending());
            assert_eq!(semaphore.value(), 0);
        }
        assert_eq!(semaphore.value(), 1);
        Ok(())
    });
}

// CPython: test_locks.SemaphoreTests.test_release_not_acquired
#[test]
fn a_bounded_semaphore_refuses_more_than_it_began_with() {
    run(async {
        let bounded = BoundedSemaphore::new(1);
        let error = bounded.release().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Value);
        assert_eq!(error.message(), "BoundedSemaphore released too many times");
        bounded.acquire().await?;
        assert!(bounded.locked() && !bounded.try_acquire());
        bounded.release()?;
        assert_eq!(format!("{bounded:?}"), "<BoundedSemaphore [unlocked, value:1]>");
        assert!(!bounded.locked() && bounded.try_acquire());
        assert!(bounded.locked() && bounded.value() == 0);
        Ok(())
    });
}

#[test]
fn bounded_scope_reports_an_early_release_and_a_drop_does_not() {
    run(async {
        let bounded = BoundedSemaphore::default();
        let ended = bounded.scope(async || bounded.release()).await;
        assert_eq!(ended.unwrap_err().kind(), ErrorKind::Value);
        let permit = bounded.permit().await?;
        bounded.release()?;
        drop(permit);
        assert_eq!(bounded.value(), 1);
        drop(bounded.permit().await?);
        assert_eq!(bounded.value(), 1);
        {
            let mut dropped = pin!(bounded.scope(async || yield_now().await));
            assert!(poll_once(dropped.as_mut()).await.is_pending());
        }
        assert_eq!(bounded.value(), 1);
        Ok(())
    });
}

#[test]
fn a_bounded_scope_releases_once_while_others_have_permits() {
    run(async {
        let bounded = BoundedSemaphore::new(3);
        let _others = (bounded.permit().await?, bounded.permit().await?);
        assert_eq!(bounded.scope(async || Ok(bounded.value())).await?, 0);
        assert_eq!(bounded.value(), 1);
        Ok(())
    });
}

#[test]
fn more_permits_than_can_be_counted_are_not_counted() {
    let semaphore = Semaphore::new(usize::MAX);
    semaphore.release();
    assert_eq!(semaphore.value(), usize::MAX);
}

// CPython: test_locks.SemaphoreTests.test_acquire_cancel_before_awoken
// CPython: test_locks.SemaphoreTests.test_acquire_hang
#[test]
fn cancelled_waiters_do_not_keep_the_permit_from_the_next() {
    run(async {
        let (semaphore, trace) = (Semaphore::new(0), Trace::new());
        let tasks = line(&semaphore, &trace, ["1", "2", "3", "4"]);
        turns(1).await?;
        tasks[0].cancel();
        tasks[1].cancel();
        semaphore.release();
        turns(2).await?;
        trace.expect(["1: Err(CancelledError())", "2: Err(CancelledError())", "3: Ok(())"]);
        assert!(semaphore.locked() && !tasks[3].done());
        Ok(())
    });
}

// CPython: test_locks.SemaphoreTests.test_acquire_no_hang
#[test]
fn permit_of_a_cancelled_woken_waiter_stays_available() {
    run(async {
        let (semaphore, trace) = (Semaphore::new(1), Trace::new());
        semaphore.acquire().await?;
        let tasks = line(&semaphore, &trace, ["only"]);
        turns(1).await?;
        semaphore.release();
        tasks[0].cancel();
        turns(1).await?;
        trace.expect(["only: Err(CancelledError())"]);
        assert!(at_once(semaphore.acquire()).await);
        Ok(())
    });
}

// CPython: test_locks.SemaphoreTests.test_acquire_fifo_order
#[test]
fn acquire_after_a_release_queues_behind_the_others() {
    run(async {
        let (semaphore, trace) = (Semaphore::new(1), Trace::new());
        let tasks = ["a", "b", "c"].map(|name| {
            let (semaphore, trace) = (semaphore.clone(), trace.clone());
            create_task(async move {
                for round in 1..=2 {
                    semaphore.acquire().await?;
                    trace.push(format!("{name}{round}"));
                    yield_now().await?;
                    semaphore.release();
                }
                Ok(())
            })
        });
        for task in tasks {
            task.await?;
        }
        trace.expect(["a1", "b1", "c1", "a2", "b2", "c2"]);
        Ok(())
    });
}

// CPython: test_locks.SemaphoreTests.test_acquire_fifo_order_2
// CPython: test_locks.SemaphoreTests.test_acquire_fifo_order_3
#[test]
fn two_permits_at_once_go_to_the_next_two_waiters() {
    run(async {
        let (semaphore, trace) = (Semaphore::new(1), Trace::new());
        let comes = |name: &'static str| {
            let (semaphore, trace) = (semaphore.clone(), trace.clone());
            create_task(async move {
                semaphore.acquire().await?;
                trace.push(name);
                if name == "b" {
                    semaphore.release();
                    semaphore.acquire().await?;
                    trace.push("b again");
                }
                Ok(())
            })
        };
        let tasks: [Task<()>; 3] = [comes("a"), comes("b"), comes("c")];
        turns(1).await?;
        semaphore.release();
        semaphore.release();
        for task in tasks {
            task.await?;
        }
        trace.expect(["a", "b", "c", "b again"]);

        let cancelled = Semaphore::new(0);
        let tasks = line(&cancelled, &trace, ["1", "2", "3"]);
        turns(1).await?;
        tasks[0].cancel();
        turns(1).await?;
        cancelled.release();
        cancelled.release();
        turns(2).await?;
        trace.expect(["1: Err(CancelledError())", "2: Ok(())", "3: Ok(())"]);
        Ok(())
    });
}

/// One task waits, and a second releases three times: the first to wake wakes all the waiters that
/// there are permits for, before a task that it makes runs.
// CPython: test_locks.SemaphoreTests.test_acquire_fifo_order_4
#[test]
fn woken_acquirer_wakes_as_many_as_there_are_permits() {
    run(async {
        let (semaphore, trace) = (Semaphore::new(0), Trace::new());
        let (own, says) = (semaphore.clone(), trace.clone());
        create_task(async move {
            own.acquire().await?;
            assert_eq!(own.value(), 0);
            let late = says.clone();
            create_task(async move {
                late.push("4");
                Ok(())
            });
            says.push("1");
            Ok(())
        });
        let (own, says) = (semaphore.clone(), trace.clone());
        create_task(async move {
            for _ in 0..3 {
                own.release();
            }
            assert_eq!((own.value(), own.locked()), (2, true));
            own.acquire().await?;
            says.push("2");
            Ok(())
        });
        let (own, says) = (semaphore.clone(), trace.clone());
        create_task(async move {
            own.acquire().await?;
            assert!(own.locked());
            says.push("3");
            Ok(())
        });
        turns(1).await?;
        assert_eq!(format!("{semaphore:?}"), "<Semaphore [locked, waiters:3]>");
        assert_eq!(semaphore.value(), 2);
        turns(3).await?;
        trace.expect(["1", "2", "3", "4"]);
        Ok(())
    });
}
