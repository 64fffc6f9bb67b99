//! `Lock`: first come, first served, and never to two.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;

use callsoon::{Error, ErrorKind, Lock, create_task, yield_now};

use crate::by_hand::{at_once, poll_once, run, says, turns};
use crate::support::trace::Trace;

/// A task that takes the lock for a turn.
async fn a_turn_with(lock: Lock, trace: Trace, name: &str) -> callsoon::Result<()> {
    lock.acquire().await?;
    trace.push(format_args!("{name} in"));
    yield_now().await?;
    trace.push(format_args!("{name} out"));
    lock.release()
}

// CPython: test_locks.LockTests.test_acquire
// CPython: test_locks.LockTests.test_release_no_waiters
#[test]
fn a_free_lock_is_taken_without_giving_way() {
    run(async {
        let lock = Lock::new();
        assert!(!lock.locked());
        assert!(at_once(lock.acquire()).await);
        assert!(lock.locked());
        assert!(!at_once(lock.acquire()).await);
        lock.release()?;
        assert!(!lock.locked());
        Ok(())
    });
}

// CPython: test_locks.LockTests.test_release_not_acquired
#[test]
fn release_of_a_free_lock_is_refused() {
    let lock = Lock::new();
    let error = lock.release().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Runtime);
    assert_eq!(error.message(), "Lock is not acquired.");
}

// CPython: test_locks.LockTests.test_repr
// CPython: test_locks.LockTests.test_acquire
#[test]
fn release_wakes_the_first_waiter_and_later_tasks_queue() {
    run(async {
        let (lock, trace) = (Lock::new(), Trace::new());
        lock.acquire().await?;
        let mut tasks = Vec::new();
        for name in ["first", "second", "third"] {
            tasks.push(create_task(a_turn_with(lock.clone(), trace.clone(), name)));
        }
        turns(1).await?;
        lock.release()?;
        // Not handed over: it is free, but not for tasks that come now.
        assert!(!lock.locked());
        assert!(!lock.try_acquire());
        a_turn_with(lock.clone(), trace.clone(), "late").await?;
        for task in tasks {
            task.await?;
        }
        let names = ["first", "second", "third", "late"];
        trace.expect(names.iter().flat_map(|name| [format!("{name} in"), format!("{name} out")]));
        assert_eq!(format!("{lock:?}"), "<Lock [unlocked]>");
        Ok(())
    });
}

// CPython: test_locks.LockTests.test_repr
// CPython: test_locks.LockTests.test_acquire_cancel
#[test]
fn acquire_passes_a_queue_of_cancelled_waiters() {
    run(async {
        let (lock, trace) = (Lock::new(), Trace::new());
        lock.acquire().await?;
        let waiting = says(&trace, "waiting", {
            let lock = lock.clone();
            async move { lock.acquire().await }
        });
        turns(1).await?;
        waiting.cancel();
        lock.release()?;
        assert_eq!(format!("{lock:?}"), "<Lock [unlocked, waiters:1]>");
        assert!(lock.try_acquire());
        waiting.await?;
        trace.expect(["waiting: Err(CancelledError())"]);
        assert_eq!(format!("{lock:?}"), "<Lock [locked]>");
        Ok(())
    });
}

#[test]
fn a_woken_waiter_that_is_cancelled_wakes_the_next() {
    run(async {
        let (lock, trace) = (Lock::new(), Trace::new());
        lock.acquire().await?;
        let [first, second] = ["first", "second"].map(|name| {
            let lock = lock.clone();
            says(&trace, name, async move { lock.acquire().await })
        });
        turns(1).await?;
        lock.release()?;
        first.cancel();
        second.await?;
        trace.expect(["first: Err(CancelledError())", "second: Ok(())"]);
        assert!(lock.locked());
        Ok(())
    });
}

#[test]
fn a_woken_waiter_that_is_dropped_wakes_the_next() {
    run(async {
        let (lock, trace) = (Lock::new(), Trace::new());
        lock.acquire().await?;
        let mut first = Box::pin(lock.acquire());
        assert!(poll_once(first.as_mut()).await.is_pending());
        let second = says(&trace, "second", {
            let lock = lock.clone();
            async move { lock.acquire().await }
        });
        turns(1).await?;
        lock.release()?;
        turns(3).await?;
        trace.expect_nothing();
        drop(first);
        second.await?;
        trace.expect(["second: Ok(())"]);
        Ok(())
    });
}

#[test]
fn dropped_pending_waiter_wakes_no_other() {
    run(async {
        let (lock, trace) = (Lock::new(), Trace::new());
        lock.acquire().await?;
        let mut first = Box::pin(lock.acquire());
        assert!(poll_once(first.as_mut()).await.is_pending());
        let second = says(&trace, "second", {
            let lock = lock.clone();
            async move { lock.acquire().await }
        });
        turns(1).await?;
        assert_eq!(format!("{lock:?}"), "<Lock [locked, waiters:2]>");
        drop(first);
        turns(3).await?;
        trace.expect_nothing();
        assert_eq!(format!("{lock:?}"), "<Lock [locked, waiters:1]>");
        lock.release()?;
        second.await?;
        trace.expect(["second: Ok(())"]);
        Ok(())
    });
}

/// The head of the line is cancelled but hasn't run: the release leaves the wake to it.
// CPython: test_locks.LockTests.test_cancel_race
// CPython: test_locks.LockTests.test_finished_waiter_cancelled
#[test]
fn a_cancelled_head_passes_the_release_on_when_it_runs() {
    run(async {
        let (lock, trace) = (Lock::new(), Trace::new());
        lock.acquire().await?;
        let [first, second] = ["first", "second"].map(|name| {
            let lock = lock.clone();
            says(&trace, name, async move { lock.acquire().await })
        });
        turns(1).await?;
        first.cancel();
        lock.release()?;
        // One turn for the first to report that, one more for the second.
        turns(1).await?;
        trace.expect(["first: Err(CancelledError())"]);
        assert!(!lock.locked());
        turns(1).await?;
        trace.expect(["second: Ok(())"]);
        second.await?;
        Ok(())
    });
}

#[test]
fn a_guard_releases_when_it_is_dropped() {
    run(async {
        let lock = Lock::new();
        let guard = lock.lock().await?;
        assert_eq!(format!("{guard:?}"), "<LockGuard of <Lock [locked]>>");
        drop(guard);
        assert!(!lock.locked());
        Ok(())
    });
}

#[test]
fn guard_does_not_release_another_tasks_hold() {
    run(async {
        let lock = Lock::new();
        let guard = lock.lock().await?;
        lock.release()?;
        assert!(lock.try_acquire());
        drop(guard);
        assert!(lock.locked());
        Ok(())
    });
}

// CPython: test_locks.LockTests.test_release_no_waiters
// CPython: test_locks.LockTests.test_context_manager
#[test]
fn a_scope_releases_however_it_ends() {
    run(async {
        let lock = Lock::new();
        let held = lock.scope(async || Ok(lock.locked())).await?;
        assert!(held && !lock.locked());

        let failed = lock.scope(async || Err::<(), _>(Error::new(ErrorKind::Other, "no"))).await;
        assert_eq!(failed.unwrap_err().message(), "no");
        assert!(!lock.locked());

        {
            let mut dropped = pin!(lock.scope(async || yield_now().await));
            assert!(poll_once(dropped.as_mut()).await.is_pending());
            assert!(lock.locked());
        }
        assert!(!lock.locked());
        Ok(())
    });
}

#[test]
fn a_scope_releases_when_its_body_panics() {
    run(async {
        let lock = Lock::new();
        let inner = lock.clone();
        let panicking = create_task(async move {
            inner.scope(async || -> callsoon::Result<()> { panic!("no") }).await
        });
        assert_eq!(panicking.await.unwrap_err().kind(), ErrorKind::Panic);
        assert!(!lock.locked());
        Ok(())
    });
}

/// Python's `async with` does the same: the release's own error comes last, and goes on.
#[test]
fn scope_reports_an_early_release_of_its_lock() {
    run(async {
        let lock = Lock::new();
        let ended = lock
            .scope(async || {
                lock.release()?;
                Err::<(), _>(Error::cancelled())
            })
            .await;
        assert_eq!(ended.unwrap_err().kind(), ErrorKind::Runtime);
        Ok(())
    });
}

#[test]
fn closing_loop_drops_the_waiting_tasks() {
    let lock = Lock::new();
    let event_loop = callsoon::EventLoop::with_virtual_time();
    event_loop.set_exception_handler(Some(std::rc::Rc::new(|_, _| ())));
    for _ in 0..3 {
        let lock = lock.clone();
        event_loop
            .create_task(async move {
                lock.scope(async || callsoon::sleep(std::time::Duration::MAX).await).await
            })
            .unwrap();
    }
    event_loop.run_once(None).unwrap();
    assert_eq!(format!("{lock:?}"), "<Lock [locked, waiters:2]>");
    catch_unwind(AssertUnwindSafe(|| drop(event_loop))).expect("closing doesn't panic");
    assert_eq!(format!("{lock:?}"), "<Lock [unlocked]>");
}

// CPython: test_locks.LockTests.test_cancel_release_race
#[test]
fn one_of_three_waiters_has_the_lock_after_a_cancel() {
    run(async {
        let (lock, trace) = (Lock::new(), Trace::new());
        lock.acquire().await?;
        let tasks = ["first", "second", "third"].map(|name| {
            let lock = lock.clone();
            says(&trace, name, async move { lock.acquire().await })
        });
        turns(1).await?;
        assert_eq!(format!("{lock:?}"), "<Lock [locked, waiters:3]>");
        tasks[0].cancel();
        lock.release()?;
        turns(5).await?;
        trace.expect(["first: Err(CancelledError())", "second: Ok(())"]);
        assert_eq!(format!("{lock:?}"), "<Lock [locked, waiters:1]>");
        tasks[2].cancel();
        turns(1).await?;
        trace.expect(["third: Err(CancelledError())"]);
        assert_eq!(format!("{lock:?}"), "<Lock [locked]>");
        Ok(())
    });
}
