//! `wrap_future`: a foreign future that is cancelled as ours are.

use std::task::{Poll, Waker};

use callsoon::{Error, EventLoop, sleep, wrap_future};

use crate::combinators::OneShot;
use crate::driver::{run, secs, settle, turn, turns_of};
use crate::support::trace::Trace;

// CPython: test_futures.BaseFutureTests.test_wrap_future
#[test]
fn a_wrapped_foreign_future_gives_its_output() {
    let event_loop = EventLoop::with_virtual_time();
    let foreign = OneShot::new();
    let task = event_loop.create_task(wrap_future(foreign.clone())).unwrap();
    turn(&event_loop, 1);
    foreign.send("output");
    settle(&event_loop);
    assert_eq!(task.result().unwrap(), "output");
}

#[test]
fn a_wrapped_foreign_future_that_is_ready_takes_no_turn() {
    run(async {
        let (turns, output) = turns_of(wrap_future(async { 1 })).await?;
        assert_eq!((turns, output?), (0, 1));
        Ok(())
    })
    .unwrap();
}

// CPython: test_futures.BaseFutureTests.test_wrap_future_cancel
#[test]
fn cancel_at_a_wrapped_foreign_future_returns_and_drops_it() {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let foreign = OneShot::<i32>::new();
    let (awaited, own) = (foreign.clone(), trace.clone());
    let task = event_loop
        .create_task(async move {
            let outcome = wrap_future(awaited).await;
            own.push(format!("{outcome:?}"));
            sleep(secs(1)).await?;
            own.push("cleaned up");
            outcome
        })
        .unwrap();
    turn(&event_loop, 1);
    assert!(task.cancel_with("stop"));
    turn(&event_loop, 1);
    trace.expect([r#"Err(CancelledError("stop"))"#]);
    assert_eq!(foreign.holders(), 1, "it is dropped at the await");
    assert!(event_loop.run_until_complete(task.clone()).is_err());
    trace.expect(["cleaned up"]);
    assert!(task.cancelled());
}

// CPython: test_futures.BaseFutureTests.test_wrap_future_cancel2
#[test]
fn an_output_that_came_before_the_cancel_is_lost_as_with_ours() {
    let event_loop = EventLoop::with_virtual_time();
    let (foreign, trace) = (OneShot::new(), Trace::new());
    let (awaited, own) = (foreign.clone(), trace.clone());
    let body = async move {
        let outcome = wrap_future(awaited).await;
        own.push(format!("{outcome:?}"));
        outcome
    };
    let task = event_loop.create_task(body).unwrap();
    turn(&event_loop, 1);
    foreign.send(1);
    assert!(task.cancel());
    settle(&event_loop);
    trace.expect(["Err(CancelledError())"]);
    assert!(task.cancelled());
}

#[test]
fn a_foreign_error_type_crosses_by_the_question_mark() {
    let error = run(async {
        let foreign = OneShot::new();
        foreign.put(Err::<(), _>(std::fmt::Error));
        wrap_future(foreign).await??;
        Ok(())
    })
    .unwrap_err();
    assert!(error.downcast_ref::<std::fmt::Error>().is_some(), "{error:?}");
}

// CPython: test_futures.BaseFutureTests.test_wrap_future_without_loop
#[test]
fn wrapping_where_no_loop_runs_is_an_error() {
    let mut wrapped = Box::pin(wrap_future(async { 1 }));
    let mut context = std::task::Context::from_waker(Waker::noop());
    let Poll::Ready(outcome) = wrapped.as_mut().poll(&mut context) else {
        panic!("it says so at once");
    };
    let error: Error = outcome.unwrap_err();
    assert_eq!(error.message(), "no running event loop");
}
