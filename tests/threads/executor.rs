//! `run_in_executor` and `to_thread`: functions on a bounded pool of threads.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;

use callsoon::{
    Error, ErrorKind, EventLoop, Result, ThreadPoolExecutor, create_task, gather, run_on,
    running_loop, to_thread, yield_now,
};

use crate::driver::{Reports, run};
use crate::parts::{Bomb, Visitors, door, error_of};
use crate::support::log_lines::{keep_log, logged_by};

// CPython: test_threads.ToThreadTests.test_to_thread
// CPython: test_threads.ToThreadTests.test_to_thread_exception
#[test]
fn a_function_runs_elsewhere_and_its_outcome_is_the_futures() -> Result<()> {
    run(async {
        let home = thread::current().id();
        assert_ne!(to_thread(|| Ok(thread::current().id())).await?, home);
        let error = Error::new(ErrorKind::Value, "no");
        let fails = error.clone();
        assert!(to_thread(move || -> Result<()> { Err(fails) }).await.unwrap_err().ptr_eq(&error));
        let panic = to_thread(|| -> Result<()> { panic!("{} lamps", 2) }).await.unwrap_err();
        assert_eq!((panic.kind(), panic.message()), (ErrorKind::Panic, "2 lamps".to_owned()));
        assert_eq!(to_thread(|| Ok(1)).await?, 1, "the pool goes on");
        let ended = to_thread(|| -> Result<()> { Err(Error::cancelled()) }).await;
        assert!(ended.unwrap_err().is_cancelled());
        Ok(())
    })
}

#[test]
fn cancellation_that_a_function_returns_is_an_exception() -> Result<()> {
    run(async {
        let cancelled = Error::cancelled_with("elsewhere");
        let returned = cancelled.clone();
        let future =
            running_loop()?.run_in_executor(None, move || -> Result<()> { Err(returned) })?;
        assert!((&future).await.unwrap_err().ptr_eq(&cancelled));
        assert!(future.done() && !future.cancelled());
        assert!(future.exception()?.is_some_and(|error| error.ptr_eq(&cancelled)));
        Ok(())
    })
}

// CPython: test_threads.ToThreadTests.test_to_thread_once
// CPython: test_threads.ToThreadTests.test_to_thread_concurrent
#[test]
fn functions_on_threads_are_called_once_each() -> Result<()> {
    run(async {
        let calls = Arc::new(AtomicUsize::new(0));
        let count = || {
            let calls = calls.clone();
            to_thread(move || {
                calls.fetch_add(1, SeqCst);
                Ok(())
            })
        };
        count().await?;
        assert_eq!(calls.load(SeqCst), 1);
        let tasks: Vec<_> = (0..10).map(|_| create_task(count())).collect();
        gather(&tasks).await?;
        assert_eq!(calls.load(SeqCst), 11);
        Ok(())
    })
}

#[test]
fn a_pool_has_no_more_threads_than_it_may() -> Result<()> {
    run(async {
        const MOST: usize = 3;
        let on = running_loop()?;
        let pool = ThreadPoolExecutor::named(MOST, "bounded")?;
        let (visitors, at_once, peak) =
            (Visitors::default(), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (doors, keepers): (Vec<_>, Vec<_>) = (0..4 * MOST).map(|_| door()).unzip();
        let futures = doors.into_iter().map(|door| {
            let (visitors, at_once, peak) = (visitors.clone(), at_once.clone(), peak.clone());
            on.run_in_executor(Some(&pool), move || {
                peak.fetch_max(at_once.fetch_add(1, SeqCst) + 1, SeqCst);
                door.pass();
                at_once.fetch_sub(1, SeqCst);
                visitors.come();
                Ok(thread::current().name().map(str::to_owned))
            })
        });
        let futures = futures.collect::<Result<Vec<_>>>()?;
        // All that there may be are at work, in the order in which the work came.
        keepers[..MOST].iter().for_each(|keeper| keeper.wait_for_arrival());
        assert!(keepers[MOST..].iter().all(|keeper| keeper.no_arrival()));
        assert!(format!("{pool:?}").contains("threads: 3"), "{pool:?}");
        keepers.iter().for_each(|keeper| keeper.open());
        let mut names = BTreeSet::new();
        for future in futures {
            names.extend(future.await?);
        }
        assert_eq!(peak.load(SeqCst), MOST);
        assert_eq!(names.into_iter().collect::<Vec<_>>(), ["bounded_0", "bounded_1", "bounded_2"]);
        pool.shutdown().await?;
        visitors.assert_all_have_left(4 * MOST);
        Ok(())
    })
}

#[test]
fn a_thread_that_sleeps_is_used_again() -> Result<()> {
    run(async {
        let on = running_loop()?;
        let pool = ThreadPoolExecutor::new(1)?;
        let ids = Arc::new(Mutex::new(BTreeSet::new()));
        for _ in 0..20 {
            let ids = ids.clone();
            on.run_in_executor(Some(&pool), move || {
                ids.lock().unwrap().insert(format!("{:?}", thread::current().id()));
                Ok(())
            })?
            .await?;
        }
        assert_eq!(ids.lock().unwrap().len(), 1);
        pool.shutdown().await
    })
}

#[test]
fn threads_come_as_they_are_needed() -> Result<()> {
    run(async {
        let on = running_loop()?;
        let pool = ThreadPoolExecutor::new(8)?;
        assert!(format!("{pool:?}").contains("threads: 0"), "{pool:?}");
        on.run_in_executor(Some(&pool), || Ok(()))?.await?;
        assert!(format!("{pool:?}").contains("threads: 1"), "{pool:?}");
        pool.shutdown().await
    })
}

#[test]
fn cancel_before_a_thread_begins_prevents_the_call() -> Result<()> {
    run(async {
        let on = running_loop()?;
        let pool = ThreadPoolExecutor::new(1)?;
        let (at_it, keeper) = door();
        let begun = on.run_in_executor(Some(&pool), move || {
            at_it.pass();
            Ok(())
        })?;
        let calls = Arc::new(AtomicUsize::new(0));
        let [kept, waits] = [0, 1].map(|_| {
            let calls = calls.clone();
            on.run_in_executor(Some(&pool), move || Ok(calls.fetch_add(1, SeqCst)))
        });
        let (kept, waits) = (kept?, waits?);
        keeper.wait_for_arrival();
        assert!(kept.cancel());
        // The pool learns of the cancel by a done callback, as in asyncio.
        yield_now().await?;
        keeper.open();
        assert_eq!(waits.await?, 0);
        begun.await?;
        assert_eq!(calls.load(SeqCst), 1);
        pool.shutdown().await
    })
}

#[test]
fn cancel_after_a_thread_has_begun_drops_its_result() -> Result<()> {
    run(async {
        let (at_it, keeper) = door();
        let ended = Arc::new(AtomicUsize::new(0));
        let ends = ended.clone();
        let task = create_task(to_thread(move || {
            at_it.pass();
            Ok(ends.fetch_add(1, SeqCst))
        }));
        yield_now().await?;
        keeper.wait_for_arrival();
        task.cancel();
        assert!(task.await.unwrap_err().is_cancelled());
        assert_eq!(ended.load(SeqCst), 0);
        keeper.open();
        running_loop()?.shutdown_default_executor(None).await?;
        assert_eq!(ended.load(SeqCst), 1);
        Ok(())
    })
}

#[test]
fn a_pool_that_can_have_no_threads_says_so() -> Result<()> {
    assert_eq!(ThreadPoolExecutor::new(0).unwrap_err().kind(), ErrorKind::Value);
    run(async {
        let pool = ThreadPoolExecutor::named(1, "a\0b")?;
        let refused = running_loop()?.run_in_executor(Some(&pool), || Ok(()));
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Value);
        pool.shutdown().await
    })
}

#[test]
fn a_closed_loop_runs_nothing_on_threads() -> Result<()> {
    let event_loop = EventLoop::new();
    let on = (*event_loop).clone();
    event_loop.close()?;
    let refused = on.run_in_executor(None, || Ok(())).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Closed);
    assert_eq!(
        event_loop.run_until_complete(to_thread(|| Ok(()))).unwrap_err().kind(),
        ErrorKind::Closed
    );
    Ok(())
}

#[test]
fn what_a_function_returns_after_the_close_is_logged_and_lost() -> Result<()> {
    keep_log();
    let event_loop = EventLoop::new();
    let pool = ThreadPoolExecutor::named(1, "belated")?;
    let (at_it, keeper) = door();
    let visitors = Visitors::default();
    let comes = visitors.clone();
    let future = event_loop.run_in_executor(Some(&pool), move || {
        comes.come();
        at_it.pass();
        Ok(())
    })?;
    keeper.wait_for_arrival();
    event_loop.close()?;
    keeper.open();
    drop(pool);
    visitors.wait_until_left(1);
    assert!(!future.done());
    assert_eq!(
        logged_by("belated"),
        ["ERROR: event loop closed before the function returned; its result is lost"]
    );
    Ok(())
}

#[test]
fn drops_that_panic_on_a_thread_end_nothing() -> Result<()> {
    keep_log();
    let event_loop = EventLoop::with_virtual_time();
    let reports = Reports::of(&event_loop);
    run_on(&event_loop, async move {
        let on = running_loop()?;
        let pool = ThreadPoolExecutor::named(1, "bombs")?;
        let captured = Bomb("captured");
        let failed = on.run_in_executor(Some(&pool), move || {
            let _captured = &captured;
            Ok(())
        })?;
        yield_now().await?;
        let (at_it, keeper) = door();
        let held_up = on.run_in_executor(Some(&pool), move || {
            at_it.pass();
            Ok(())
        })?;
        let uncalled = Bomb("uncalled");
        let never = on.run_in_executor(Some(&pool), move || {
            let _uncalled = &uncalled;
            Ok(())
        })?;
        keeper.wait_for_arrival();
        assert!(never.cancel());
        yield_now().await?;
        keeper.open();
        held_up.await?;
        let result = on.run_in_executor(Some(&pool), || Ok(Bomb("the result")))?;
        result.cancel();
        on.run_in_executor(Some(&pool), || Ok(()))?.await?;
        assert!((&failed).await.is_err());
        assert_eq!(error_of(&failed).message(), "captured");
        pool.shutdown().await?;
        assert_eq!(logged_by("bombs"), ["ERROR: a panic after a function: Panic(\"uncalled\")"]);
        let told: Vec<_> =
            reports.take().iter().filter_map(|told| told.exception.clone()).collect();
        assert!(told.iter().all(|error| error.message() == "the result"), "{told:?}");
        Ok(())
    })
}

#[test]
fn futures_of_a_pool_are_like_any_others() -> Result<()> {
    run(async {
        let on = running_loop()?;
        let pool = ThreadPoolExecutor::new(2)?;
        let futures = (0..100u64)
            .map(|n| on.run_in_executor(Some(&pool), move || Ok(n)))
            .collect::<Result<Vec<_>>>()?;
        assert!(futures.iter().all(|future| !future.cancelled()));
        let sum: u64 = callsoon::gather(&futures).await?.into_iter().sum();
        assert_eq!(sum, 4950);
        pool.shutdown().await
    })
}
