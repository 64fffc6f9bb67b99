//! Awaiting: the turns that it takes, the order of the wakes, and what can't be awaited.

use std::time::Duration;

use callsoon::{
    AnyFuture, ErrorKind, EventLoop, Task, create_task, generator, run_on, running_loop, sleep,
    yield_now,
};

use crate::driver::{run, secs, settle, turn, turns_of};
use crate::support::trace::Trace;

// CPython: test_futures.BaseFutureTests.test_yield_from_twice
#[test]
fn awaiting_a_done_future_does_not_yield() {
    run(async {
        let future = running_loop()?.create_future();
        future.set_result(1)?;
        assert_eq!(turns_of(&future).await?.0, 0);
        let failed = running_loop()?.create_future::<()>();
        failed.set_exception(ErrorKind::Value.into_error())?;
        assert_eq!(turns_of(failed).await?.0, 0);
        let cancelled = running_loop()?.create_future::<()>();
        cancelled.cancel();
        assert_eq!(turns_of(cancelled).await?.0, 0);
        Ok(())
    })
    .unwrap();
}

trait IntoError {
    fn into_error(self) -> callsoon::Error;
}

impl IntoError for ErrorKind {
    fn into_error(self) -> callsoon::Error {
        callsoon::Error::new(self, "made for a test")
    }
}

// CPython: test_tasks.SleepTests.test_sleep_zero
#[test]
fn sleeping_for_no_time_takes_one_turn() {
    run(async {
        assert_eq!(turns_of(sleep(Duration::ZERO)).await?.0, 1);
        assert_eq!(turns_of(yield_now()).await?.0, 1);
        Ok(())
    })
    .unwrap();
}

#[test]
fn task_takes_one_turn_and_one_more_for_each_yield() {
    run(async {
        let immediate = create_task(async { Ok(()) });
        assert_eq!(turns_of(immediate).await?.0, 1);
        let twice = create_task(async {
            yield_now().await?;
            yield_now().await
        });
        assert_eq!(turns_of(twice).await?.0, 3);
        Ok(())
    })
    .unwrap();
}

// CPython: test_tasks.BaseTaskTests.test_task_basics
#[test]
fn coroutine_awaited_in_place_takes_no_turn_of_its_own() {
    run(async {
        let inner = async || {
            yield_now().await?;
            Ok::<_, callsoon::Error>(1000)
        };
        let outer = async { Ok(inner().await? + async { 42 }.await) };
        assert_eq!(turns_of(async { 1 }).await?, (0, 1));
        let (turns, sum): (_, callsoon::Result<i32>) = turns_of(outer).await?;
        assert_eq!((turns, sum?), (1, 1042));
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_future_that_a_ready_callback_sets_takes_one_turn() {
    run(async {
        let future = running_loop()?.create_future();
        let promise = future.clone();
        running_loop()?.call_soon(move || promise.set_result(1))?;
        assert_eq!(turns_of(future).await?.0, 1);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_cancelled_task_takes_one_turn_to_end_for_its_awaiter() {
    run(async {
        let unstarted = create_task(async { Ok(()) });
        unstarted.cancel();
        assert_eq!(turns_of(&unstarted).await?.0, 1);
        let future = running_loop()?.create_future::<()>();
        let waiting = create_task(async move { future.await });
        yield_now().await?;
        waiting.cancel();
        assert_eq!(turns_of(&waiting).await?.0, 1);
        Ok(())
    })
    .unwrap();
}

#[test]
fn generators_take_no_turn_where_their_bodies_await_nothing() {
    run(async {
        let numbers = || {
            generator(async |y| {
                y.give(1).await?;
                y.give(2).await?;
                Ok(())
            })
        };
        let (fresh, started, thrown) = (numbers(), numbers(), numbers());
        assert_eq!(turns_of(fresh.anext()).await?.0, 0);
        assert_eq!(turns_of(fresh.asend(None)).await?.0, 0);
        started.anext().await?;
        assert_eq!(turns_of(started.aclose()).await?.0, 0);
        thrown.anext().await?;
        let error = ErrorKind::Value.into_error();
        assert_eq!(turns_of(thrown.athrow(error)).await?.0, 0);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_sleep_wakes_in_the_turn_after_its_timer() {
    // One turn in which the clock jumps and the timer sets the future, one for the awaiter.
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let own = trace.clone();
    let sleeper = async move {
        sleep(secs(5)).await?;
        own.push("woke");
        Ok(())
    };
    event_loop.create_task(sleeper).unwrap();
    event_loop.run_once(None).unwrap();
    event_loop.call_at(secs(5), trace.says("made later, due at once")).unwrap();
    event_loop.run_once(None).unwrap();
    trace.expect(["made later, due at once"]);
    event_loop.run_once(None).unwrap();
    trace.expect(["woke"]);
}

#[test]
fn awaiter_wakes_between_earlier_and_later_callbacks() {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let future = event_loop.create_future::<i32>();
    let say = |line: &'static str| {
        let own = trace.clone();
        move |_: &dyn AnyFuture| own.push(line)
    };
    future.add_done_callback(say("first callback"));
    let (awaited, own) = (future.clone(), trace.clone());
    let awaiter = async move {
        awaited.await?;
        own.push("awaiter");
        Ok(())
    };
    event_loop.create_task(awaiter).unwrap();
    turn(&event_loop, 1);
    future.add_done_callback(say("second callback"));
    event_loop.call_soon(trace.says("ready before")).unwrap();
    future.set_result(1).unwrap();
    turn(&event_loop, 1);
    trace.expect(["ready before", "first callback", "awaiter", "second callback"]);
}

// CPython: test_futures.BaseFutureTests.test_yield_from_twice
#[test]
fn a_future_is_awaited_by_value_by_reference_and_twice_over() {
    run(async {
        let future = running_loop()?.create_future();
        let promise = future.clone();
        running_loop()?.call_soon(move || promise.set_result(vec![1]))?;
        assert_eq!((&future).await?, [1]);
        assert_eq!((&future).await?, [1]);
        assert_eq!(future.await?, [1]);
        Ok(())
    })
    .unwrap();
}

// CPython: test_tasks.BaseTaskTests.test_task_awaits_on_itself
#[test]
fn a_task_that_awaits_itself_is_told_next_turn() {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let itself = event_loop.create_future::<Task<()>>();
    let (told, own) = (itself.clone(), trace.clone());
    let task = event_loop
        .create_task(async move {
            let me = told.await?;
            let error = (&me).await.unwrap_err();
            own.push(format!("{error}"));
            yield_now().await?;
            own.push("goes on");
            Ok(())
        })
        .unwrap();
    itself.set_result(task.clone()).unwrap();
    turn(&event_loop, 1);
    trace.expect_nothing();
    turn(&event_loop, 1);
    trace.expect(["RuntimeError: Task cannot await on itself: <Task pending name='Task-1'>"]);
    settle(&event_loop);
    trace.expect(["goes on"]);
    assert!(task.result().is_ok());
}

#[test]
fn task_that_awaits_itself_gets_the_cancellation_alone() {
    run(async {
        let itself = running_loop()?.create_future::<Task<u8>>();
        let told = itself.clone();
        let task = create_task(async move {
            let me = told.await?;
            let error = (&me).await.unwrap_err();
            assert!(error.is_cancelled(), "{error}");
            yield_now().await?;
            sleep(secs(1)).await?;
            Ok(7)
        });
        yield_now().await?;
        itself.set_result(task.clone())?;
        yield_now().await?;
        assert!(task.cancel());
        assert_eq!(task.await?, 7);
        Ok(())
    })
    .unwrap();
}

#[test]
fn awaiter_of_a_task_that_awaited_itself_waits_for_its_end() {
    run(async {
        let itself = running_loop()?.create_future::<Task<u8>>();
        let told = itself.clone();
        let task = create_task(async move {
            let me = told.await?;
            assert!((&me).await.is_err());
            sleep(secs(1)).await?;
            Ok(7)
        });
        itself.set_result(task.clone())?;
        yield_now().await?;
        assert_eq!(task.await?, 7);
        Ok(())
    })
    .unwrap();
}

// CPython: test_tasks.BaseTaskTests.test_other_loop_future
#[test]
fn a_pending_future_of_another_loop_can_not_be_awaited() {
    let other = EventLoop::with_virtual_time();
    let stranger = other.create_future::<i32>();
    let awaited = stranger.clone();
    run(async move {
        let mut wait = awaited.into_future();
        // An await that has returned may be polled again.
        for _ in 0..2 {
            let error = (&mut wait).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Runtime);
            let text = "Task <Task pending name='Task-1' callbacks=1> got Future <Future pending> \
                        attached to a different loop";
            assert_eq!(error.message(), text);
        }
        yield_now().await
    })
    .unwrap();
    assert!(!stranger.done(), "it is none the worse");
    assert_eq!(format!("{stranger:?}"), "<Future pending>", "and no task waits for it");
}

/// The error is on its way when the future is cancelled, and isn't replaced by the cancellation.
#[test]
fn mistake_is_thrown_beside_a_cancelled_awaited_future() {
    let other = EventLoop::with_virtual_time();
    let stranger = other.create_future::<i32>();
    run(async move {
        let cancelled = stranger.clone();
        running_loop()?.call_soon(move || _ = cancelled.cancel())?;
        assert_eq!((&stranger).await.unwrap_err().kind(), ErrorKind::Runtime);
        assert!(stranger.cancelled());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_done_future_of_another_loop_is_as_good_as_any() {
    let other = EventLoop::with_virtual_time();
    let stranger = other.create_future::<i32>();
    stranger.set_result(3).unwrap();
    run(async move {
        assert_eq!(turns_of(stranger).await?.1?, 3);
        Ok(())
    })
    .unwrap();
}

#[test]
fn future_is_awaited_across_several_runs_of_its_loop() {
    // The loop is run twice: what was awaited in the first run is woken in the second.
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let future = event_loop.create_future::<i32>();
    let (awaited, own) = (future.clone(), trace.clone());
    let waiting = async move {
        own.push(awaited.await?);
        Ok(())
    };
    event_loop.create_task(waiting).unwrap();
    event_loop.run_until_complete(async { yield_now().await }).unwrap();
    future.set_result(11).unwrap();
    run_on(&event_loop, async { yield_now().await }).unwrap();
    trace.expect(["11"]);
}

#[test]
fn a_future_begun_by_one_task_may_be_ended_by_another() {
    // Any Rust future may move between tasks; it wakes the task that polled it last.
    let event_loop = EventLoop::with_virtual_time();
    let future = event_loop.create_future::<i32>();
    let mut wait = Box::pin(std::future::IntoFuture::into_future(&future));
    let handed_on = event_loop.create_future::<std::rc::Rc<std::cell::Cell<Option<_>>>>();
    let hand_on = handed_on.clone();
    let first = event_loop
        .create_task(async move {
            let polled = std::future::poll_fn(|cx| {
                let polled = wait.as_mut().poll(cx);
                std::task::Poll::Ready(polled.is_ready())
            });
            assert!(!polled.await);
            hand_on.set_result(std::rc::Rc::new(std::cell::Cell::new(Some(wait))))
        })
        .unwrap();
    let second = event_loop
        .create_task(async move {
            let wait = handed_on.await?.take().expect("it was handed on");
            wait.await
        })
        .unwrap();
    settle(&event_loop);
    assert!(first.done() && !second.done());
    future.set_result(6).unwrap();
    settle(&event_loop);
    assert!(second.done(), "{second:?} was not woken by {future:?}");
    assert_eq!(second.result().unwrap(), 6);
}

#[test]
fn a_future_may_be_polled_where_no_loop_runs() {
    use std::future::IntoFuture;
    use std::task::{Context, Poll, Waker};

    let event_loop = EventLoop::with_virtual_time();
    let future = event_loop.create_future::<i32>();
    let mut wait = Box::pin((&future).into_future());
    let mut context = Context::from_waker(Waker::noop());
    assert!(wait.as_mut().poll(&mut context).is_pending());
    assert_eq!(format!("{future:?}"), "<Future pending callbacks=1>");
    future.set_result(2).unwrap();
    match wait.as_mut().poll(&mut context) {
        Poll::Ready(value) => assert_eq!(value.unwrap(), 2),
        Poll::Pending => panic!("it is done"),
    }
    settle(&event_loop);
}

/// Handles and awaits are pointers: they may be moved while a value that must not move is pinned.
#[test]
fn awaiting_handles_are_unpin_for_every_value() {
    fn is_unpin<T: Unpin>() {}
    type Pinned = std::marker::PhantomPinned;
    is_unpin::<callsoon::Await<Pinned>>();
    is_unpin::<callsoon::LoopFuture<Pinned>>();
    is_unpin::<callsoon::Task<Pinned>>();
}
