//! Cancelling one task: when it is notified, what it may do about it, and how requests are counted.

use std::cell::OnceCell;
use std::rc::Rc;

use callsoon::{
    AnyFuture, Error, ErrorKind, EventLoop, LoopFuture, Result, ReturnWhen, Task, TaskGroup,
    create_task, current_task, gather_outcomes, helpers as hp, running_loop, shield, sleep, wait,
    yield_now,
};

use crate::driver::{run, secs, settle, turn};
use crate::support::trace::Trace;

/// A task that awaits `future` and pushes what came of it.
pub(crate) fn awaiter(
    event_loop: &EventLoop,
    future: &LoopFuture<i32>,
    trace: &Trace,
) -> Task<i32> {
    let (future, trace) = (future.clone(), trace.clone());
    let body = async move {
        let outcome = future.await;
        trace.push(format!("{outcome:?}"));
        outcome
    };
    event_loop.create_task(body).unwrap()
}

#[test]
fn cancel_before_the_first_step_means_the_body_never_runs() {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let own = trace.clone();
    let task = event_loop
        .create_task(async move {
            own.push("ran");
            Ok(())
        })
        .unwrap();
    assert!(task.cancel());
    assert!(!task.done(), "it is cancelled by its step");
    turn(&event_loop, 1);
    assert!(task.cancelled());
    trace.expect_nothing();
}

// CPython: test_tasks.BaseTaskTests.test_cancel_task_catching
// CPython: test_tasks.BaseTaskTests.test_task_cancel_waiter_future
// CPython: test_tasks.BaseTaskTests.test_yield_future_passes_cancel
#[test]
fn cancel_is_delivered_at_the_await_through_the_awaited_future() {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let future = event_loop.create_future();
    let task = awaiter(&event_loop, &future, &trace);
    turn(&event_loop, 1);
    assert!(task.cancel());
    assert!(future.cancelled(), "what it awaits is cancelled at once");
    trace.expect_nothing();
    assert!(!task.done());
    turn(&event_loop, 1);
    trace.expect(["Err(CancelledError())"]);
    assert!(task.cancelled());
}

// CPython: test_tasks.BaseTaskTests.test_cancel_yield
#[test]
fn a_cancel_is_delivered_at_the_turn_of_a_task_that_has_yielded() {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let own = trace.clone();
    let task = event_loop
        .create_task(async move {
            let outcome = yield_now().await;
            own.push(format!("{outcome:?}"));
            outcome
        })
        .unwrap();
    turn(&event_loop, 1);
    assert!(task.cancel());
    trace.expect_nothing();
    turn(&event_loop, 1);
    trace.expect(["Err(CancelledError())"]);
    assert!(task.cancelled() && !task.cancel());
}

#[test]
fn a_result_that_came_before_the_cancel_is_lost() {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let future = event_loop.create_future();
    let task = awaiter(&event_loop, &future, &trace);
    turn(&event_loop, 1);
    future.set_result(1).unwrap();
    assert!(task.cancel());
    turn(&event_loop, 1);
    trace.expect(["Err(CancelledError())"]);
    assert!(task.cancelled());
    assert_eq!(future.result().unwrap(), 1);
}

#[test]
fn exception_set_before_the_cancel_is_lost_and_counts_as_read() {
    let event_loop = EventLoop::with_virtual_time();
    let reports = crate::driver::Reports::of(&event_loop);
    let trace = Trace::new();
    let future = event_loop.create_future();
    let task = awaiter(&event_loop, &future, &trace);
    turn(&event_loop, 1);
    future.set_exception(Error::new(ErrorKind::Value, "lost")).unwrap();
    drop(future);
    assert!(task.cancel());
    turn(&event_loop, 1);
    trace.expect(["Err(CancelledError())"]);
    assert!(reports.messages().is_empty());
}

#[test]
fn a_task_that_is_over_refuses_and_does_not_count() {
    run(async {
        let task = create_task(async { Ok(1) });
        (&task).await?;
        assert!(!task.cancel());
        assert!(!task.cancel_with("late"));
        assert_eq!(task.cancelling(), 0);
        assert!(!task.cancelled());
        Ok(())
    })
    .unwrap();
}

// CPython: test_tasks.BaseTaskTests.test_cancelling
// CPython: test_tasks.BaseTaskTests.test_cancel_task_ignoring
#[test]
fn cancels_before_a_step_deliver_one_error_and_are_all_counted() {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let own = trace.clone();
    let task = event_loop
        .create_task(async move {
            own.push(format!("{:?}", sleep(secs(1)).await));
            own.push(format!("{:?}", sleep(secs(1)).await));
            Ok(())
        })
        .unwrap();
    turn(&event_loop, 1);
    for count in 1..=3 {
        assert!(task.cancel());
        assert_eq!(task.cancelling(), count);
    }
    event_loop.run_until_complete(task.clone()).unwrap();
    trace.expect(["Err(CancelledError())", "Ok(())"]);
    assert_eq!(task.cancelling(), 3, "catching it takes none back");
    assert_eq!(event_loop.time(), secs(1));
}

#[test]
fn message_that_reached_the_awaited_future_is_delivered() {
    // The second finds a future that is done, which keeps what it was cancelled with.
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let future = event_loop.create_future();
    let task = awaiter(&event_loop, &future, &trace);
    turn(&event_loop, 1);
    assert!(task.cancel_with("one"));
    assert!(task.cancel_with("two"));
    settle(&event_loop);
    trace.expect([r#"Err(CancelledError("one"))"#]);
    assert_eq!(task.result().unwrap_err().message(), "one");
    assert_eq!(task.exception().unwrap_err().message(), "", "only the first is told");
}

// CPython: test_tasks.BaseTaskTests.test_cancel_with_message_then_future_result
// CPython: test_tasks.BaseTaskTests.test_cancel_with_message_then_future_exception
// CPython: test_tasks.BaseTaskTests.test_cancel_with_message_before_starting_task
#[test]
fn cancel_message_is_read_after_a_wait_and_passed_on() {
    let reads: [fn(&Task<()>) -> Result<()>; 2] =
        [|task| task.result(), |task| task.exception().map(drop)];
    for (read, starts, words) in
        reads.iter().flat_map(|read| [(read, true, "why"), (read, true, ""), (read, false, "why")])
    {
        let read = *read;
        run(async move {
            let reader = create_task(async move {
                let task = create_task(sleep(secs(10)));
                if starts {
                    yield_now().await?;
                }
                task.cancel_with(words);
                wait([&task], None, ReturnWhen::AllCompleted).await?;
                read(&task)
            });
            let error = (&reader).await.unwrap_err();
            assert_eq!((error.is_cancelled(), &*error.message()), (true, words));
            assert!(reader.cancelled());
            Ok(())
        })
        .unwrap();
    }
}

#[test]
fn a_task_of_any_kind_is_cancelled_with_a_message_as_any_task() {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let task = awaiter(&event_loop, &event_loop.create_future(), &trace);
    turn(&event_loop, 1);
    assert!(event_loop.all_tasks()[0].cancel_with("enough"));
    settle(&event_loop);
    trace.expect([r#"Err(CancelledError("enough"))"#]);
    assert!(task.cancelled());
}

#[test]
fn yielded_task_gets_the_last_message_of_several_cancels() {
    let event_loop = EventLoop::with_virtual_time();
    let task = event_loop.create_task(async { yield_now().await }).unwrap();
    turn(&event_loop, 1);
    task.cancel_with("one");
    task.cancel_with("two");
    settle(&event_loop);
    assert_eq!(task.result().unwrap_err().message(), "two");
}

// CPython: test_tasks.BaseTaskTests.test_cancel_both_task_and_inner_future
#[test]
fn future_cancelled_before_the_task_keeps_its_own_message() {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let future = event_loop.create_future();
    let task = awaiter(&event_loop, &future, &trace);
    turn(&event_loop, 1);
    future.cancel_with("the future's");
    assert!(task.cancel_with("the task's"));
    settle(&event_loop);
    trace.expect([r#"Err(CancelledError("the future's"))"#]);
    assert_eq!(task.cancelling(), 1);
    assert!(task.cancelled() && future.cancelled());
}

// CPython: test_tasks.BaseTaskTests.test_task_cancel_message_getter
#[test]
fn a_message_reaches_a_task_that_never_started_and_its_awaiter() {
    run(async {
        let task = create_task(async { Ok(()) });
        task.cancel_with("early");
        let error = (&task).await.unwrap_err();
        assert_eq!((error.is_cancelled(), &*error.message()), (true, "early"));
        Ok(())
    })
    .unwrap();
}

#[test]
fn message_goes_to_a_tasks_first_reader_and_all_of_a_future() {
    run(async {
        let (task, future) = (create_task(sleep(secs(1))), running_loop()?.create_future::<()>());
        task.cancel_with("once");
        future.cancel_with("always");
        yield_now().await?;
        assert!(task.cancelled() && !task.cancel(), "which don't ask for it");
        assert_eq!((&task).await.unwrap_err().message(), "once");
        assert_eq!(task.exception().unwrap_err().message(), "");
        for _ in 0..2 {
            assert_eq!((&future).await.unwrap_err().message(), "always");
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn task_cancelled_as_it_returns_gives_all_readers_its_message() {
    run(async {
        let itself: Rc<OnceCell<Task<()>>> = Rc::default();
        let task = create_task({
            let itself = itself.clone();
            async move {
                itself.get().expect("it was told").cancel_with("always");
                Ok(())
            }
        });
        assert!(itself.set(task.clone()).is_ok());
        for _ in 0..2 {
            assert_eq!((&task).await.unwrap_err().message(), "always");
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn cancelled_query_leaves_the_message_to_later_readers() {
    run(async {
        let group = TaskGroup::scope(async |group| {
            let task = group.create_task(sleep(secs(1)))?;
            let (shielded, outcomes) = (shield(&task), gather_outcomes([&task]));
            let child = hp::ChildOfFuture::<()>::new(&task);
            task.add_done_callback(hp::silent_reporter());
            task.cancel_with("why");
            wait([&task], None, ReturnWhen::FirstException).await?;
            assert_eq!(shielded.await.unwrap_err().message(), "");
            assert_eq!(outcomes.await?[0].as_ref().unwrap_err().message(), "");
            assert_eq!(child.await.unwrap_err().message(), "");
            Ok(task)
        });
        assert_eq!(group.await?.await.unwrap_err().message(), "why");
        Ok(())
    })
    .unwrap();
}

// CPython: test_tasks.BaseTaskTests.test_cancel_task_catching
// CPython: test_tasks.BaseTaskTests.test_cancel_task_ignoring
// CPython: test_tasks.BaseTaskTests.test_yield_future_passes_cancel
#[test]
fn a_task_may_catch_its_cancellation_and_go_on() {
    run(async {
        let task = create_task(async {
            let first = sleep(secs(100)).await;
            sleep(secs(1)).await?;
            Ok(first.is_err())
        });
        yield_now().await?;
        assert!(task.cancel());
        assert!((&task).await?, "later awaits are not cancelled again");
        assert_eq!((task.cancelled(), task.cancelling()), (false, 1));
        assert_eq!(running_loop()?.time(), secs(1));
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_task_may_await_while_it_cleans_up() {
    run(async {
        let trace = Trace::new();
        let own = trace.clone();
        let task = create_task(async move {
            let outcome = sleep(secs(100)).await;
            sleep(secs(2)).await?;
            own.push(format!("cleaned up at {:?}", running_loop()?.time()));
            outcome
        });
        yield_now().await?;
        task.cancel();
        assert!((&task).await.unwrap_err().is_cancelled());
        trace.expect(["cleaned up at 2s"]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_cleanup_may_be_cancelled_too() {
    run(async {
        let trace = Trace::new();
        let own = trace.clone();
        let task = create_task(async move {
            own.push(format!("{:?}", sleep(secs(100)).await));
            let outcome = sleep(secs(100)).await;
            own.push(format!("{outcome:?}"));
            outcome
        });
        yield_now().await?;
        task.cancel_with("one");
        yield_now().await?;
        task.cancel_with("two");
        assert_eq!((&task).await.unwrap_err().message(), "two");
        trace.expect([r#"Err(CancelledError("one"))"#, r#"Err(CancelledError("two"))"#]);
        assert_eq!(task.cancelling(), 2);
        Ok(())
    })
    .unwrap();
}

#[test]
fn an_error_from_the_cleanup_is_the_tasks_exception() {
    run(async {
        let task = create_task(async {
            assert!(sleep(secs(1)).await.is_err());
            Err::<(), _>(Error::new(ErrorKind::Value, "in the cleanup"))
        });
        yield_now().await?;
        task.cancel();
        assert_eq!((&task).await.unwrap_err().message(), "in the cleanup");
        assert_eq!((task.cancelled(), task.cancelling()), (false, 1));
        Ok(())
    })
    .unwrap();
}

#[test]
fn cancel_passes_to_the_awaited_task_and_both_go_on_if_it_does() {
    run(async {
        let inner = create_task(async {
            match sleep(secs(10)).await {
                Err(error) if error.is_cancelled() => Ok("swallowed"),
                _ => Ok("slept"),
            }
        });
        let awaited = inner.clone();
        let outer = create_task(async move { awaited.await });
        yield_now().await?;
        yield_now().await?;
        assert!(outer.cancel());
        assert_eq!((&outer).await?, "swallowed");
        assert!(!outer.cancelled());
        assert_eq!((outer.cancelling(), inner.cancelling()), (1, 1));
        Ok(())
    })
    .unwrap();
}

#[test]
fn cancel_of_a_running_task_goes_to_what_it_awaits_next() {
    run(async {
        let inner = create_task(async { Ok(sleep(secs(10)).await.is_err()) });
        yield_now().await?;
        let outer = create_task(async move {
            assert!(current_task().is_some_and(|me| me.cancel()));
            inner.await
        });
        assert!(outer.await?, "the inner task was cancelled, and goes on");
        Ok(())
    })
    .unwrap();
}

// CPython: test_tasks.BaseTaskTests.test_task_cancel_sleeping_task
#[test]
fn awaiter_of_a_cancelled_task_has_no_request_to_cancel() {
    run(async {
        let inner = create_task(sleep(secs(10)));
        let awaited = inner.clone();
        let outer = create_task(async move {
            let outcome = awaited.await;
            let cancelling = current_task().expect("this is one").cancelling();
            Ok((outcome.unwrap_err().is_cancelled(), cancelling))
        });
        yield_now().await?;
        inner.cancel();
        assert_eq!(outer.await?, (true, 0));
        Ok(())
    })
    .unwrap();
}

#[test]
fn task_that_lets_a_cancellation_through_ends_cancelled() {
    run(async {
        let future = running_loop()?.create_future::<()>();
        future.cancel_with("m");
        let task = create_task(async move { future.await });
        let error = (&task).await.unwrap_err();
        assert_eq!(error.message(), "m");
        assert_eq!((task.cancelled(), task.cancelling()), (true, 0));
        Ok(())
    })
    .unwrap();
}

#[test]
fn cancel_after_the_awaited_task_ended_replaces_its_result() {
    let event_loop = EventLoop::with_virtual_time();
    let gate = event_loop.create_future::<i32>();
    let inner = awaiter(&event_loop, &gate, &Trace::new());
    let awaited = inner.clone();
    let outer = event_loop.create_task(async move { awaited.await }).unwrap();
    turn(&event_loop, 1);
    gate.set_result(1).unwrap();
    turn(&event_loop, 1);
    assert!(inner.done() && !outer.done());
    assert!(outer.cancel());
    settle(&event_loop);
    assert!(outer.cancelled());
    assert_eq!((outer.cancelling(), inner.cancelling()), (1, 0), "the inner one was over");
}
