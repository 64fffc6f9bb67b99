//! `shield`: what passes through it, and what doesn't.

use callsoon::helpers::ResettableFuture;
use callsoon::{create_task, gather, running_loop, shield, sleep, yield_now};

use crate::driver::{Reports, run, secs};
use crate::parts::{after, done, oops, pending, shown};

// CPython: test_tasks.BaseTaskTests.test_shield_result
// CPython: test_tasks.BaseTaskTests.test_shield_cancel_inner
// CPython: test_tasks.BaseTaskTests.test_shield_coroutine_use_running_loop
#[test]
fn it_ends_as_what_is_inside() {
    run(async {
        assert_eq!(shield(&create_task(after(1, 7))).await?, 7);
        let (failing, cancelled) = (pending::<i32>()?, pending::<i32>()?);
        let shields = [shield(&failing), shield(&cancelled)];
        failing.set_exception(oops("inside"))?;
        cancelled.cancel();
        let [failing, cancelled] = shields;
        assert_eq!(shown(failing.await), "ValueError: inside");
        assert_eq!(shown(cancelled.clone().await), "CancelledError");
        assert!(cancelled.cancelled());
        Ok(())
    })
    .unwrap();
}

// CPython: test_tasks.BaseTaskTests.test_shield_shortcut
#[test]
fn of_what_is_done_it_is_done_at_once() {
    run(async {
        assert_eq!(shield(&done(7)?).result()?, 7);
        let (failed, cancelled) = (pending::<i32>()?, pending::<i32>()?);
        failed.set_exception(oops("before"))?;
        cancelled.cancel();
        assert_eq!(shown(shield(&failed).result()), "ValueError: before");
        assert!(shield(&cancelled).cancelled());
        let told = pending::<i32>()?;
        told.cancel_with("why");
        assert_eq!(shield(&told).await.unwrap_err().message(), "why");
        let task = create_task(after(1, 1));
        task.cancel_with("once");
        yield_now().await?;
        let shielded = shield(&task);
        assert_eq!(shown(shielded.clone().await), "CancelledError: once");
        assert_eq!(shown(shielded.await), "CancelledError", "as of the task itself");
        Ok(())
    })
    .unwrap();
}

#[test]
fn of_a_future_that_is_done_it_is_that_future() {
    run(async {
        let future = done(7)?;
        assert_eq!(shield(&future).id(), future.id());
        let waited = pending::<i32>()?;
        let gathered = gather([&waited]);
        assert_ne!(shield(&gathered).id(), gathered.id(), "it is not done yet");
        waited.set_result(1)?;
        gathered.clone().await?;
        assert_eq!(shield(&gathered).id(), gathered.id());
        Ok(())
    })
    .unwrap();
}

// CPython: test_tasks.BaseTaskTests.test_shield_cancel_outer
// CPython: test_tasks.BaseTaskTests.test_shield_effect
#[test]
fn its_cancellation_stays_outside() {
    run(async {
        let task = create_task(after(5, "in the end"));
        let inner = task.clone();
        let waiter = create_task(async move { shield(&inner).await });
        sleep(secs(1)).await?;
        assert!(waiter.cancel());
        assert_eq!(shown(waiter.clone().await), "CancelledError");
        assert!(waiter.cancelled() && !task.done());
        assert_eq!(task.cancelling(), 0);
        assert_eq!(task.await?, "in the end");
        Ok(())
    })
    .unwrap();
}

// CPython: test_tasks.BaseTaskTests.test_shield_cancel_outer
#[test]
fn a_cancelled_shield_leaves_no_callback_behind() {
    run(async {
        let inner = pending::<i32>()?;
        let outer = shield(&inner);
        assert!(format!("{inner:?}").contains("callbacks=1"));
        outer.cancel();
        yield_now().await?;
        assert!(!format!("{inner:?}").contains("callbacks"), "{inner:?}");
        Ok(())
    })
    .unwrap();
}

#[test]
fn shield_reads_the_exception_unless_it_was_cancelled() {
    run(async {
        let reports = Reports::of(&running_loop()?);
        let inner = pending::<i32>()?;
        let outer = shield(&inner);
        inner.set_exception(oops("seen"))?;
        assert!(outer.await.is_err());
        drop(inner);
        assert_eq!(reports.messages(), [""; 0]);

        let inner = pending::<i32>()?;
        let outer = shield(&inner);
        outer.cancel();
        yield_now().await?;
        inner.set_exception(oops("not seen"))?;
        yield_now().await?;
        drop(inner);
        assert_eq!(reports.messages(), ["Future exception was never retrieved"]);
        Ok(())
    })
    .unwrap();
}

/// The shield's own callback, which would take its part back, comes too late.
#[test]
fn an_exception_in_the_turn_of_the_cancellation_counts_as_read() {
    run(async {
        let reports = Reports::of(&running_loop()?);
        let inner = pending::<i32>()?;
        let outer = shield(&inner);
        inner.set_exception(oops("both"))?;
        outer.cancel();
        yield_now().await?;
        drop(inner);
        assert_eq!(reports.messages(), [""; 0]);
        Ok(())
    })
    .unwrap();
}

/// Not only futures and tasks: whatever can be awaited as one.
#[test]
fn a_future_like_thing_that_is_done_is_shielded_like_a_future() {
    run(async {
        let resettable = ResettableFuture::<i32>::new_on(&running_loop()?);
        resettable.set_result(7)?;
        assert_eq!(shield(&resettable).result()?, 7);
        resettable.reset();
        resettable.set_exception(oops("inside"))?;
        assert_eq!(shown(shield(&resettable).result()), "ValueError: inside");
        resettable.reset();
        let outer = shield(&resettable);
        resettable.cancel();
        assert!(shield(&resettable).cancelled());
        assert_eq!(shown(outer.await), "CancelledError");
        Ok(())
    })
    .unwrap();
}

// CPython: test_tasks.BaseTaskTests.test_shield_exception
#[test]
fn the_error_that_it_passes_on_is_the_same() {
    run(async {
        let (inner, error) = (pending::<i32>()?, oops("inside"));
        let early = shield(&inner);
        inner.set_exception(error.clone())?;
        assert!(early.await.unwrap_err().ptr_eq(&error));
        assert!(shield(&inner).exception()?.expect("it failed").ptr_eq(&error));
        Ok(())
    })
    .unwrap();
}

// CPython: test_tasks.BaseTaskTests.test_shield_gather
#[test]
fn a_shield_around_a_gather_keeps_a_cancel_from_the_children() {
    run(async {
        let (one, two) = (pending()?, pending()?);
        let all = gather([&one, &two]);
        let outer = shield(&all);
        yield_now().await?;
        assert!(outer.cancel());
        yield_now().await?;
        one.set_result(1)?;
        two.set_result(2)?;
        assert_eq!(all.await?, [1, 2]);
        assert!(outer.cancelled());
        Ok(())
    })
    .unwrap();
}

// CPython: test_tasks.BaseTaskTests.test_gather_shield
#[test]
fn a_gather_of_shields_is_cancelled_without_what_is_inside() {
    run(async {
        let (one, two) = (pending::<i32>()?, pending::<i32>()?);
        let shields = [shield(&one), shield(&two)];
        let all = gather(&shields);
        yield_now().await?;
        assert!(all.cancel());
        assert_eq!(shown(all.clone().await), "CancelledError");
        assert!(all.exception()?.expect("it is its exception").is_cancelled());
        assert!(shields.iter().all(|shield| shield.cancelled()));
        one.set_result(1)?;
        two.set_result(2)?;
        yield_now().await
    })
    .unwrap();
}
