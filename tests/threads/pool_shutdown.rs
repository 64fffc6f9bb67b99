//! The end of a pool, and of the loop's own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use callsoon::{
    AnyFuture, ErrorKind, EventLoop, Result, ThreadPoolExecutor, create_task, run_on, running_loop,
    to_thread, yield_now,
};

use crate::driver::run;
use crate::parts::{Bomb, Visitors, door};
use crate::support::log_lines::{keep_log, logged_here};

/// Holds the one thread of a pool at a door, and counts it as a visitor.
macro_rules! held_up {
    ($on:expr, $pool:expr, $visitors:expr) => {{
        let (at_it, keeper) = door();
        let comes = $visitors.clone();
        let begun = $on.run_in_executor($pool, move || {
            comes.come();
            at_it.pass();
            Ok(())
        })?;
        keeper.wait_for_arrival();
        (begun, keeper)
    }};
}

#[test]
fn a_shutdown_runs_what_the_pool_has_and_waits_for_its_threads() -> Result<()> {
    run(async {
        let on = running_loop()?;
        let (pool, visitors) = (ThreadPoolExecutor::new(1)?, Visitors::default());
        let (begun, keeper) = held_up!(on, Some(&pool), visitors);
        let waits = on.run_in_executor(Some(&pool), || Ok(3))?;
        let shutting = pool.clone();
        let shutdown = create_task(async move { shutting.shutdown().await });
        yield_now().await?;
        yield_now().await?;
        let refused = on.run_in_executor(Some(&pool), || Ok(())).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Runtime);
        assert_eq!(refused.message(), "cannot schedule new futures after shutdown");
        assert!(!shutdown.done());
        keeper.open();
        shutdown.await?;
        visitors.assert_all_have_left(1);
        assert_eq!((begun.result()?, waits.result()?), ((), 3));
        pool.shutdown().await?;
        pool.shutdown_cancelling().await
    })
}

#[test]
fn a_shutdown_may_cancel_what_no_thread_has_begun_with() -> Result<()> {
    keep_log();
    run(async {
        let on = running_loop()?;
        let (pool, visitors) = (ThreadPoolExecutor::new(1)?, Visitors::default());
        let (begun, keeper) = held_up!(on, Some(&pool), visitors);
        let calls = Arc::new(AtomicUsize::new(0));
        let waiting = [(); 3].map(|()| {
            let (calls, bomb) = (calls.clone(), Bomb("uncalled"));
            on.run_in_executor(Some(&pool), move || {
                let _bomb = &bomb;
                Ok(calls.fetch_add(1, SeqCst))
            })
        });
        let waiting: Vec<_> = waiting.into_iter().collect::<Result<_>>()?;
        on.call_soon(move || keeper.open())?;
        pool.shutdown_cancelling().await?;
        assert_eq!((begun.result()?, calls.load(SeqCst)), ((), 0));
        assert!(waiting.iter().all(AnyFuture::cancelled));
        visitors.assert_all_have_left(1);
        Ok(())
    })?;
    let line = "ERROR: a panic in a drop of a function: Panic(\"uncalled\")";
    assert_eq!(logged_here(), [line; 3]);
    Ok(())
}

#[test]
fn a_shutdown_that_is_cancelled_goes_on_by_itself() -> Result<()> {
    run(async {
        let on = running_loop()?;
        let (pool, visitors) = (ThreadPoolExecutor::new(1)?, Visitors::default());
        let (begun, keeper) = held_up!(on, Some(&pool), visitors);
        let shutting = pool.clone();
        let shutdown = create_task(async move { shutting.shutdown().await });
        yield_now().await?;
        shutdown.cancel();
        assert!(shutdown.await.unwrap_err().is_cancelled());
        assert!(on.run_in_executor(Some(&pool), || Ok(())).is_err());
        keeper.open();
        begun.await?;
        pool.shutdown().await?;
        visitors.assert_all_have_left(1);
        Ok(())
    })
}

#[test]
fn pool_without_handles_finishes_its_queued_work() -> Result<()> {
    run(async {
        let on = running_loop()?;
        let (pool, visitors) = (ThreadPoolExecutor::new(1)?, Visitors::default());
        let (begun, keeper) = held_up!(on, Some(&pool), visitors);
        let waits = on.run_in_executor(Some(&pool), || Ok(3))?;
        drop(pool);
        keeper.open();
        begun.await?;
        assert_eq!(waits.await?, 3);
        visitors.wait_until_left(1);
        Ok(())
    })
}

#[test]
fn the_end_of_a_run_waits_for_the_loops_own_pool() -> Result<()> {
    for event_loop in [EventLoop::new(), EventLoop::with_virtual_time()] {
        let (visitors, ended) = (Visitors::default(), Arc::new(AtomicUsize::new(0)));
        let (comes, ends) = (visitors.clone(), ended.clone());
        let (at_it, keeper) = door();
        run_on(&event_loop, async move {
            let on = running_loop()?;
            drop(on.run_in_executor(None, move || {
                comes.come();
                at_it.pass();
                Ok(ends.fetch_add(1, SeqCst))
            })?);
            keeper.wait_for_arrival();
            // While the run winds down.
            on.call_soon(move || drop(keeper))?;
            Ok(())
        })?;
        assert_eq!(ended.load(SeqCst), 1);
        visitors.assert_all_have_left(1);
    }
    Ok(())
}

#[test]
fn after_its_shutdown_the_loops_own_pool_is_gone_for_good() -> Result<()> {
    run(async {
        let on = running_loop()?;
        to_thread(|| Ok(())).await?;
        on.shutdown_default_executor(None).await?;
        let refused = to_thread(|| Ok(())).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Runtime);
        assert_eq!(refused.message(), "Executor shutdown has been called");
        let pool = ThreadPoolExecutor::new(1)?;
        on.set_default_executor(&pool);
        assert!(to_thread(|| Ok(())).await.is_err(), "as in asyncio");
        // A pool that is named is another matter.
        assert_eq!(on.run_in_executor(Some(&pool), || Ok(1))?.await?, 1);
        pool.shutdown().await
    })
}

#[test]
fn a_loop_without_a_pool_shuts_none_down_and_makes_none_after() -> Result<()> {
    run(async {
        let on = running_loop()?;
        on.shutdown_default_executor(None).await?;
        assert!(to_thread(|| Ok(())).await.is_err());
        Ok(())
    })
}

#[test]
fn another_pool_can_be_made_the_loops_own() -> Result<()> {
    run(async {
        let on = running_loop()?;
        let (first, second) =
            (ThreadPoolExecutor::named(1, "first")?, ThreadPoolExecutor::named(1, "second")?);
        let name = || to_thread(|| Ok(std::thread::current().name().map(str::to_owned)));
        on.set_default_executor(&first);
        assert_eq!(name().await?.as_deref(), Some("first_0"));
        on.set_default_executor(&second);
        assert_eq!(name().await?.as_deref(), Some("second_0"));
        on.shutdown_default_executor(None).await?;
        assert!(on.run_in_executor(Some(&second), || Ok(())).is_err(), "it was shut down");
        on.run_in_executor(Some(&first), || Ok(()))?.await?;
        first.shutdown().await
    })
}

#[test]
fn shutdown_limit_ends_the_wait_with_a_warning() -> Result<()> {
    keep_log();
    run_on(&EventLoop::new(), async {
        let on = running_loop()?;
        let visitors = Visitors::default();
        let (begun, keeper) = held_up!(on, None, visitors);
        on.shutdown_default_executor(Some(Duration::from_millis(1))).await?;
        assert_eq!(
            logged_here(),
            ["WARN: the executor's threads have not ended within 0.001 seconds"]
        );
        assert!(!begun.done());
        let again = create_task({
            let on = on.clone();
            async move { on.shutdown_default_executor(None).await }
        });
        yield_now().await?;
        yield_now().await?;
        assert!(!again.done(), "a thread is still there");
        keeper.open();
        again.await?;
        visitors.assert_all_have_left(1);
        assert!(begun.done());
        Ok(())
    })
}

#[test]
fn a_loop_that_closes_leaves_its_pool_to_end_by_itself() -> Result<()> {
    keep_log();
    let event_loop = EventLoop::new();
    let visitors = Visitors::default();
    let (begun, keeper) = held_up!(event_loop, None, visitors);
    event_loop.close()?;
    keeper.open();
    visitors.wait_until_left(1);
    assert!(!begun.done());
    Ok(())
}
