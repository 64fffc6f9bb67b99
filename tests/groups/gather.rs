//! `gather` and `gather_outcomes`: the ends of many as one.

use callsoon::{
    AnyFuture, FutureLike, LoopFuture, create_task, gather, gather_outcomes, running_loop, sleep,
    yield_now,
};

use crate::driver::{Reports, run, secs};
use crate::parts::{after, cleans_up, done, fails, now, oops, pending, shown, stubborn};
use crate::support::trace::Trace;

// CPython: test_tasks.GatherTestsBase.test_success
#[test]
fn results_stand_in_the_order_given_whatever_the_order_of_ends() {
    run(async {
        let (slow, quick, future) = (create_task(after(2, 2)), create_task(after(1, 1)), done(0)?);
        let mixed: [&dyn FutureLike<i32>; 3] = [&slow, &quick, &future];
        assert_eq!(gather(mixed).await?, [2, 1, 0]);
        assert_eq!(now()?, 2);
        Ok(())
    })
    .unwrap();
}

// CPython: test_tasks.CoroutineGatherTests.test_duplicate_coroutines
#[test]
fn one_given_twice_is_one_child_with_two_places() {
    run(async {
        let (twice, other) = (pending::<i32>()?, pending::<i32>()?);
        let all = gather([&twice, &twice, &other, &twice]);
        assert!(format!("{twice:?}").contains("callbacks=1"), "{twice:?}");
        twice.set_result(1)?;
        other.set_result(2)?;
        assert_eq!(all.await?, [1, 1, 2, 1]);
        Ok(())
    })
    .unwrap();
}

// CPython: test_tasks.GatherTestsBase.test_result_exception_success
// CPython: test_tasks.FutureGatherTests.test_constructor_empty_sequence_use_running_loop
#[test]
fn of_children_that_are_done_it_is_done_at_once() {
    run(async {
        let none: [&LoopFuture<i32>; 0] = [];
        assert_eq!(gather(none).result()?, [0; 0]);
        assert!(gather(none).get_loop().ptr_eq(&running_loop()?));
        assert_eq!(gather([&done(1)?, &done(2)?]).result()?, [1, 2]);
        let failed = pending::<i32>()?;
        failed.set_exception(oops("failed"))?;
        let never = pending()?;
        let outer = gather([&never, &failed]);
        assert_eq!(shown(outer.result()), "ValueError: failed");
        assert_eq!(outer.await.unwrap_err().message(), "failed");
        let outcomes = gather_outcomes([&failed, &done(1)?]).result()?;
        assert_eq!(
            outcomes.into_iter().map(shown).collect::<Vec<_>>(),
            ["ValueError: failed", "1"]
        );
        Ok(())
    })
    .unwrap();
}

// CPython: test_tasks.GatherTestsBase.test_one_exception
// CPython: test_tasks.CoroutineGatherTests.test_exception_marking
#[test]
fn the_first_error_ends_it_and_the_other_children_go_on() {
    run(async {
        let reports = Reports::of(&running_loop()?);
        let children = [
            create_task(after(3, 3)),
            create_task(fails(1, "first")),
            create_task(fails(2, "second")),
        ];
        let outer = gather(&children);
        assert_eq!(shown(outer.clone().await), "ValueError: first");
        let first = children[1].exception()?.expect("it has failed");
        assert!(outer.exception()?.is_some_and(|error| error.ptr_eq(&first)));
        assert_eq!(now()?, 1);
        assert!(!outer.cancel(), "it is done, and cancels no child");
        assert_eq!(children[0].clone().await?, 3);
        drop((children, outer));
        assert_eq!(reports.messages(), [""; 0], "the second is not reported");
        Ok(())
    })
    .unwrap();
}

// CPython: test_tasks.FutureGatherTests.test_one_cancellation
#[test]
fn cancelled_child_is_an_exception_of_the_outer_future() {
    run(async {
        let (one, two) = (pending::<i32>()?, pending::<i32>()?);
        let outer = gather([&one, &two]);
        one.cancel_with("enough");
        assert_eq!(shown(outer.clone().await), "CancelledError: enough");
        assert!(!outer.cancelled());
        let error = outer.exception()?.expect("an exception");
        assert_eq!(error.message(), "enough");
        assert!(!two.done());
        Ok(())
    })
    .unwrap();
}

// CPython: test_tasks.GatherTestsBase.test_return_exceptions
// CPython: test_tasks.FutureGatherTests.test_result_exception_one_cancellation
#[test]
fn outcomes_hold_exceptions_and_cancellations_and_wait_for_all() {
    run(async {
        let reports = Reports::of(&running_loop()?);
        let cancelled = pending::<i32>()?;
        cancelled.cancel();
        let (fails, slow) = (create_task(fails(1, "one")), create_task(after(2, 2)));
        let children: [&dyn FutureLike<i32>; 3] = [&fails, &cancelled, &slow];
        let outcomes = gather_outcomes(children).await?;
        let outcomes: Vec<_> = outcomes.into_iter().map(shown).collect();
        assert_eq!(outcomes, ["ValueError: one", "CancelledError", "2"]);
        assert_eq!(now()?, 2);
        drop((fails, slow));
        assert_eq!(reports.messages(), [""; 0], "the exception counts as read");
        Ok(())
    })
    .unwrap();
}

// CPython: test_tasks.GatherTestsBase.test_return_exceptions
// CPython: test_tasks.FutureGatherTests.test_result_exception_one_cancellation
#[test]
fn gather_outcomes_hold_the_very_errors_of_the_children() {
    run(async {
        let (children, errors) = ([(); 4].map(|()| pending()), [oops("one"), oops("two")]);
        let children = children.into_iter().collect::<callsoon::Result<Vec<LoopFuture<i32>>>>()?;
        let outer = gather_outcomes(&children);
        children[1].set_result(1)?;
        children[2].set_exception(errors[1].clone())?;
        children[3].cancel();
        sleep(secs(1)).await?;
        assert!(!outer.done());
        children[0].set_exception(errors[0].clone())?;
        let outcomes = outer.await?;
        for (place, error) in [(0, &errors[0]), (2, &errors[1])] {
            assert!(outcomes[place].as_ref().is_err_and(|own| own.ptr_eq(error)));
        }
        assert_eq!(outcomes[1].clone()?, 1);
        assert!(outcomes[3].as_ref().is_err_and(|own| own.is_cancelled()));
        Ok(())
    })
    .unwrap();
}

/// The outer future ends with the first child, as in CPython.
// CPython: test_tasks.CoroutineGatherTests.test_cancellation_broadcast
#[test]
fn cancelling_it_cancels_every_child_and_it_ends_with_the_first() {
    run(async {
        let trace = Trace::new();
        let children = [cleans_up(&trace, "a"), cleans_up(&trace, "b")];
        let quick = create_task(after(60, "quick"));
        let all = [&children[0], &quick, &children[1]];
        let outer = gather(all);
        let awaited = outer.clone();
        let waiter = create_task(async { awaited.await.map(drop) });
        sleep(secs(1)).await?;
        assert!(waiter.cancel());
        assert!(!outer.done());
        trace.push(shown(waiter.clone().await));
        assert!(waiter.cancelled() && outer.done() && !outer.cancelled() && !outer.cancel());
        assert!(quick.cancelled());
        sleep(secs(5)).await?;
        trace.expect([
            "a cleans up",
            "b cleans up",
            "CancelledError",
            "a has cleaned up",
            "b has cleaned up",
        ]);
        assert!(children.iter().all(|child| child.cancelled()));
        Ok(())
    })
    .unwrap();
}

/// The cancellation is the exception of a gathering that is cancelled, and of one with a cancelled
/// child, as in CPython.
#[test]
fn unread_cancellation_of_a_gathering_is_reported() {
    run(async {
        let reports = Reports::of(&running_loop()?);
        for cancels_child in [true, false] {
            let child = pending::<i32>()?;
            let outer = gather([&child]);
            assert!(if cancels_child { child.cancel() } else { outer.cancel() });
            yield_now().await?;
            assert!(outer.done());
            drop(outer);
            assert_eq!(reports.messages(), ["_GatheringFuture exception was never retrieved"]);
        }
        Ok(())
    })
    .unwrap();
}

// CPython: test_tasks.BaseTaskTests.test_cancel_gather_2
#[test]
fn cancelling_outcomes_waits_for_all_and_gives_none() {
    run(async {
        let trace = Trace::new();
        let children = [cleans_up(&trace, "a"), stubborn("b")];
        let outer = gather_outcomes(&children);
        let waiter = create_task(async { outer.await.map(drop) });
        sleep(secs(1)).await?;
        waiter.cancel();
        trace.push(shown(waiter.clone().await));
        trace.expect(["a cleans up", "a has cleaned up", "CancelledError"]);
        assert!(waiter.cancelled());
        assert_eq!(children[1].result()?, "b");
        Ok(())
    })
    .unwrap();
}

// CPython: test_tasks.CoroutineGatherTests.test_cancellation_broadcast
#[test]
fn results_don_t_outweigh_a_cancellation_that_was_accepted() {
    run(async {
        let outer = gather([&stubborn(1), &stubborn(2)]);
        yield_now().await?;
        assert!(outer.cancel());
        assert_eq!(shown(outer.clone().await), "CancelledError");
        assert!(!outer.cancelled() && !outer.cancel());
        Ok(())
    })
    .unwrap();
}

// CPython: test_tasks.BaseTaskTests.test_cancel_gather_2
#[test]
fn a_cancellations_message_reaches_the_children() {
    run(async {
        let (future, task) = (pending::<i32>()?, create_task(after(9, 9)));
        yield_now().await?;
        let children: [&dyn FutureLike<i32>; 2] = [&future, &task];
        let outer = gather_outcomes(children);
        assert!(outer.cancel_with("enough"));
        assert_eq!(shown(outer.await), "CancelledError: enough");
        let words = children.map(|child| shown(child.result()));
        assert_eq!(words, ["CancelledError: enough", "CancelledError"], "a task's, told before");
        Ok(())
    })
    .unwrap();
}

#[test]
fn cancelled_gather_outcomes_have_the_last_childs_message() {
    run(async {
        let (first, last) = (pending::<i32>()?, pending::<i32>()?);
        let outer = gather_outcomes([&first, &last]);
        last.set_result(1)?;
        outer.cancel_with("enough");
        assert_eq!(shown(outer.await), "CancelledError", "a result has no words");

        let stubborn = create_task(async { Ok(sleep(secs(1)).await.map_or(1, |()| 2)) });
        let outer = gather_outcomes([&pending::<i32>()? as &dyn FutureLike<i32>, &stubborn]);
        yield_now().await?;
        stubborn.cancel();
        outer.cancel_with("by itself");
        assert_eq!(shown(outer.await), "CancelledError: by itself");
        Ok(())
    })
    .unwrap();
}

// CPython: test_tasks.BaseTaskTests.test_cancel_gather_1
#[test]
fn children_that_refuse_are_not_cancelled_for_it() {
    run(async {
        let (first, second) = (done(1)?, pending::<i32>()?);
        let outer = gather([&first, &second]);
        second.set_result(2)?;
        // Both are done, and the outer future isn't notified yet.
        assert!(!outer.done() && !outer.cancel());
        assert_eq!(outer.await?, [1, 2]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn callbacks_run_without_a_handle_of_the_outer_future() {
    run(async {
        let trace = Trace::new();
        let child = pending::<i32>()?;
        let own = trace.clone();
        gather([&child]).add_done_callback(move |outer: &dyn AnyFuture| {
            let result = outer.downcast_ref::<Vec<i32>>().map(|outer| outer.result());
            own.push(shown(result.expect("a list of numbers")));
        });
        child.set_result(1)?;
        sleep(secs(1)).await?;
        trace.expect(["[1]"]);
        Ok(())
    })
    .unwrap();
}

/// Whichever of the children ends last: that of the last in the list has the word.
#[test]
fn accepted_cancellation_has_the_last_childs_message() {
    run(async {
        let trace = Trace::new();
        for own_is_last in [true, false] {
            let (own, slow) = (pending()?, cleans_up(&trace, "slow"));
            own.cancel_with("its own");
            yield_now().await?;
            let mut children: [&dyn FutureLike<&'static str>; 2] = [&slow, &own];
            if !own_is_last {
                children.reverse();
            }
            let outer = gather_outcomes(children);
            assert!(outer.cancel_with("enough"));
            let expected = if own_is_last { "its own" } else { "enough" };
            assert_eq!(outer.await.unwrap_err().message(), expected);
        }
        let (slow, result) = (cleans_up(&trace, "slow"), done("a result")?);
        yield_now().await?;
        let children: [&dyn FutureLike<&'static str>; 2] = [&slow, &result];
        let outer = gather_outcomes(children);
        assert!(outer.cancel_with("enough"));
        assert_eq!(shown(outer.await), "CancelledError");
        Ok(())
    })
    .unwrap();
}

#[test]
fn cancelled_gathering_with_outcomes_has_read_the_errors() {
    run(async {
        let reports = Reports::of(&running_loop()?);
        let fails = |message| async move {
            let _cancelled = sleep(secs(1)).await;
            Err::<(), _>(oops(message))
        };
        let gathering = gather_outcomes([fails("one"), fails("two")]);
        yield_now().await?;
        gathering.cancel();
        assert!(gathering.await.unwrap_err().is_cancelled());
        yield_now().await?;
        assert_eq!(reports.messages(), [""; 0]);
        Ok(())
    })
    .unwrap();
}
