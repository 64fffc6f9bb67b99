//! A task that cancels itself, and `uncancel`.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use callsoon::{
    AnyFuture, Error, ErrorKind, EventLoop, Result, Task, create_task, current_task, running_loop,
    sleep, yield_now,
};

use crate::cancelling::awaiter;
use crate::driver::{run, secs, settle, turn};
use crate::support::trace::Trace;

/// The task in which this is called, typed.
fn itself<T: 'static>(body: impl AsyncFnOnce(Task<T>) -> Result<T> + 'static) -> Result<Task<T>> {
    let cell: Rc<RefCell<Option<Task<T>>>> = Rc::default();
    let own = cell.clone();
    let task = create_task(async move {
        let me = own.borrow_mut().take().expect("it is put there before the first step");
        body(me).await
    });
    cell.replace(Some(task.clone()));
    Ok(task)
}

#[test]
fn uncancel_before_the_first_step_lets_the_body_run() {
    run(async {
        let task = create_task(async { Ok(1) });
        task.cancel();
        assert_eq!(task.uncancel(), 0);
        assert_eq!(task.await?, 1);
        Ok(())
    })
    .unwrap();
}

// CPython: test_tasks.BaseTaskTests.test_cancel_at_end
#[test]
fn task_that_cancels_itself_and_returns_ends_cancelled() {
    run(async {
        let value = Rc::new(1);
        let own = value.clone();
        let task = itself(async move |me| {
            assert!(me.cancel_with("bye"));
            Ok(own)
        })?;
        let error = (&task).await.unwrap_err();
        assert_eq!((error.is_cancelled(), &*error.message()), (true, "bye"));
        assert!(task.cancelled());
        assert_eq!(Rc::strong_count(&value), 1);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_task_that_cancels_itself_and_fails_has_failed() {
    run(async {
        let task = itself(async |me: Task<()>| {
            me.cancel();
            Err(Error::new(ErrorKind::Value, "wins"))
        })?;
        assert_eq!((&task).await.unwrap_err().message(), "wins");
        assert!(!task.cancelled());
        let task = itself(async |me: Task<()>| {
            me.cancel_with("later");
            Err(Error::cancelled_with("mine"))
        })?;
        assert_eq!((&task).await.unwrap_err().message(), "mine");
        assert!(task.cancelled());
        Ok(())
    })
    .unwrap();
}

// CPython: test_tasks.BaseTaskTests.test_cancel_current_task
#[test]
fn self_cancel_is_thrown_at_the_next_await_that_would_wait() {
    run(async {
        let trace = Trace::new();
        let own = trace.clone();
        let task = itself(async move |me| {
            me.cancel_with("self");
            let done = running_loop()?.create_future();
            done.set_result(1)?;
            own.push(format!("done: {:?}", done.await));
            let pending = running_loop()?.create_future::<()>();
            let outcome = (&pending).await;
            own.push(format!("pending: {outcome:?}, cancelled: {}", pending.cancelled()));
            own.push(format!("again: {:?}", yield_now().await));
            Ok(5)
        })?;
        assert_eq!((&task).await?, 5);
        trace.expect([
            "done: Ok(1)",
            r#"pending: Err(CancelledError("self")), cancelled: true"#,
            "again: Ok(())",
        ]);
        assert_eq!(task.cancelling(), 1);
        Ok(())
    })
    .unwrap();
}

#[test]
fn self_cancel_before_awaiting_a_new_task_cancels_it_unstarted() {
    run(async {
        let trace = Trace::new();
        let own = trace.clone();
        let task = itself(async move |me| {
            me.cancel();
            let ran = own.clone();
            let child = create_task(async move {
                ran.push("ran");
                Ok(())
            });
            let outcome = (&child).await;
            own.push(format!("{outcome:?} {}", child.cancelled()));
            Ok(())
        })?;
        task.await?;
        trace.expect(["Err(CancelledError()) true"]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn self_cancel_before_a_yield_is_thrown_when_its_turn_comes() {
    run(async {
        let task = itself(async |me| {
            me.cancel();
            let outcome = yield_now().await;
            yield_now().await?;
            Ok(outcome.is_err_and(|error| error.is_cancelled()))
        })?;
        assert!(task.await?);
        Ok(())
    })
    .unwrap();
}

#[test]
fn uncancel_to_zero_takes_a_pending_cancel_back() {
    let event_loop = EventLoop::with_virtual_time();
    let task = event_loop.create_task(async { yield_now().await }).unwrap();
    turn(&event_loop, 1);
    task.cancel();
    assert_eq!(task.uncancel(), 0);
    settle(&event_loop);
    assert!(task.result().is_ok());
    assert_eq!(task.cancelling(), 0);
}

#[test]
fn uncancel_that_leaves_one_request_keeps_the_cancel() {
    let event_loop = EventLoop::with_virtual_time();
    let task = event_loop.create_task(async { yield_now().await }).unwrap();
    turn(&event_loop, 1);
    task.cancel();
    task.cancel();
    assert_eq!(task.uncancel(), 1);
    settle(&event_loop);
    assert!(task.cancelled());
}

#[test]
fn cancelling_counts_hundreds_of_requests() {
    const REQUESTS: usize = 600;
    let event_loop = EventLoop::with_virtual_time();
    let task = event_loop.create_task(async { yield_now().await }).unwrap();
    turn(&event_loop, 1);
    for requests in 1..=REQUESTS {
        task.cancel();
        assert_eq!(task.cancelling(), requests);
    }
    for left in (0..REQUESTS).rev() {
        assert_eq!(task.uncancel(), left);
        assert_eq!(task.cancelling(), left);
    }
    settle(&event_loop);
    assert!(task.result().is_ok());
}

#[test]
fn uncancel_is_too_late_once_the_awaited_future_took_the_cancel() {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let future = event_loop.create_future();
    let task = awaiter(&event_loop, &future, &trace);
    turn(&event_loop, 1);
    task.cancel();
    assert_eq!(task.uncancel(), 0);
    settle(&event_loop);
    trace.expect(["Err(CancelledError())"]);
}

// CPython: test_tasks.BaseTaskTests.test_cancelling
#[test]
fn uncancel_without_a_cancel_changes_nothing() {
    run(async {
        let task = create_task(async { Ok(1) });
        assert_eq!(task.uncancel(), 0);
        assert_eq!(task.cancelling(), 0);
        task.cancel();
        assert_eq!(task.cancelling(), 1);
        assert!((&task).await.unwrap_err().is_cancelled());
        Ok(())
    })
    .unwrap();
}

// CPython: test_tasks.BaseTaskTests.test_uncancel_resets_must_cancel
#[test]
fn uncancel_takes_back_a_cancel_that_came_after_the_result() {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let future = event_loop.create_future();
    let task = awaiter(&event_loop, &future, &trace);
    turn(&event_loop, 1);
    future.set_result(42).unwrap();
    assert!(task.cancel());
    assert_eq!((task.cancelling(), task.uncancel()), (1, 0));
    assert_eq!(event_loop.run_until_complete(task).unwrap(), 42);
    trace.expect(["Ok(42)"]);
}

// CPython: test_tasks.BaseTaskTests.test_uncancel_basic
#[test]
fn a_body_that_takes_its_request_back_can_be_cancelled_anew() {
    let event_loop = EventLoop::with_virtual_time();
    let task = event_loop
        .create_task(async {
            if sleep(secs(10)).await.is_err() {
                current_task().expect("this is one").uncancel();
            }
            sleep(secs(10)).await
        })
        .unwrap();
    turn(&event_loop, 1);
    assert!(task.cancel());
    assert_eq!((task.cancelling(), task.cancelled()), (1, false));
    turn(&event_loop, 1);
    assert_eq!((task.cancelling(), task.done()), (0, false));
    assert!(task.cancel());
    assert_eq!((task.cancelling(), task.cancelled()), (1, false));
    settle(&event_loop);
    assert!(task.cancelled());
    task.uncancel();
    assert!(task.done() && task.cancelled(), "that comes too late");
}

/// Does by hand what a timeout scope does: the code that made the request takes it back, and turns
/// a cancellation into another result only if there was no other request.
// CPython: test_tasks.BaseTaskTests.test_uncancel_structured_blocks
#[test]
fn a_scope_of_ones_own_tells_its_own_request_from_others() {
    async fn within(limit: u64, needs: u64) -> Result<&'static str> {
        let (me, timed_out) = (current_task().expect("this is one"), Rc::new(Cell::new(false)));
        let (cancels, late) = (me.clone(), timed_out.clone());
        let alarm = running_loop()?.call_later(secs(limit), move || {
            late.set(true);
            cancels.cancel();
        })?;
        let slept = sleep(secs(needs)).await;
        alarm.cancel();
        let ended = match slept {
            Err(error) if timed_out.get() && me.uncancel() == 0 && error.is_cancelled() => "late",
            slept => slept.map(|()| "in time")?,
        };
        // Code after the scope isn't cancelled.
        yield_now().await?;
        Ok(ended)
    }
    for (limit, needs, expected) in [(1, 10, "late"), (10, 1, "in time")] {
        let event_loop = EventLoop::with_virtual_time();
        let task = event_loop.create_task(within(limit, needs)).unwrap();
        assert_eq!(event_loop.run_until_complete(task.clone()).unwrap(), expected);
        assert_eq!((task.cancelling(), event_loop.pending_timers()), (0, 0));
    }
    let event_loop = EventLoop::with_virtual_time();
    let task = event_loop.create_task(within(1, 10)).unwrap();
    let other = task.clone();
    let cancels = move || {
        other.cancel();
    };
    event_loop.call_later(secs(1), cancels).unwrap();
    assert!(event_loop.run_until_complete(task.clone()).unwrap_err().is_cancelled());
    assert_eq!(task.cancelling(), 1, "that of the other");
}

// CPython: test_tasks.BaseTaskTests.test_cancel_awaited_task
#[test]
fn self_cancel_before_awaiting_a_task_cancels_what_it_awaits() {
    run(async {
        let future = running_loop()?.create_future::<i32>();
        let awaited = future.clone();
        let child = create_task(async move { awaited.await });
        let inner = child.clone();
        let task = itself(async move |me| {
            yield_now().await?;
            assert!(me.cancel());
            inner.await
        })?;
        assert!((&task).await.unwrap_err().is_cancelled());
        assert!(task.cancelled() && child.cancelled() && future.cancelled());
        assert!(!task.cancel());
        Ok(())
    })
    .unwrap();
}
