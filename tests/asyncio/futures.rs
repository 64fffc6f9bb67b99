//! A future by itself: when it may be set, and what it returns afterwards.

use std::rc::Rc;

use callsoon::{Error, ErrorKind, EventLoop, LoopFuture, running_loop};

use crate::driver::{settle, turn};
use crate::support::trace::Trace;

fn refused<T>(outcome: callsoon::Result<T>) -> bool {
    outcome.is_err_and(|error| {
        error.kind() == ErrorKind::InvalidState && error.message() == "invalid state"
    })
}

// CPython: test_futures.BaseFutureTests.test_cancel
// CPython: test_futures.BaseFutureTests.test_result
// CPython: test_futures.BaseFutureTests.test_exception
#[test]
fn what_is_done_can_not_be_set_again() {
    let event_loop = EventLoop::with_virtual_time();
    let value = LoopFuture::new(&event_loop);
    value.set_result(1).unwrap();
    let failed = LoopFuture::<i32>::new(&event_loop);
    failed.set_exception(Error::new(ErrorKind::Value, "first")).unwrap();
    let cancelled = LoopFuture::<i32>::new(&event_loop);
    assert!(cancelled.cancel());
    for future in [&value, &failed, &cancelled] {
        assert!(refused(future.set_result(2)));
        assert!(refused(future.set_exception(Error::new(ErrorKind::Value, "second"))));
        assert!(!future.cancel());
    }
    assert_eq!(value.result().unwrap(), 1);
    assert_eq!(failed.exception().unwrap().unwrap().message(), "first");
    assert!(cancelled.cancelled());
}

#[test]
fn a_result_that_is_refused_is_dropped_at_once() {
    let event_loop = EventLoop::with_virtual_time();
    let future = event_loop.create_future::<Rc<i32>>();
    assert!(future.cancel());
    let value = Rc::new(1);
    assert!(future.set_result(value.clone()).is_err());
    assert_eq!(Rc::strong_count(&value), 1);
}

// CPython: test_futures.BaseFutureTests.test_future_cancel_message_getter
#[test]
fn a_cancellation_keeps_its_message_for_every_reader() {
    let event_loop = EventLoop::with_virtual_time();
    let future = event_loop.create_future::<i32>();
    assert!(future.cancel_with("why"));
    let first = future.result().unwrap_err();
    assert!(first.is_cancelled());
    assert_eq!(first.message(), "why");
    assert!(future.exception().unwrap_err().ptr_eq(&first));
    assert!(!future.cancel_with("too late"));
    assert_eq!(future.result().unwrap_err().message(), "why");
}

#[test]
fn a_cancellation_set_as_exception_does_not_make_it_cancelled() {
    let event_loop = EventLoop::with_virtual_time();
    let future = event_loop.create_future::<i32>();
    future.set_exception(Error::cancelled_with("as an exception")).unwrap();
    assert!(future.done() && !future.cancelled());
    assert_eq!(future.exception().unwrap().unwrap().message(), "as an exception");
    let awaiter = event_loop.create_task(async move { future.await }).unwrap();
    settle(&event_loop);
    assert!(awaiter.cancelled(), "its awaiter can't tell the difference");
}

// CPython: test_futures.BaseFutureTests.test_constructor_use_running_loop
#[test]
fn it_knows_its_loop() {
    let event_loop = EventLoop::with_virtual_time();
    let other = EventLoop::with_virtual_time();
    let future = event_loop.create_future::<i32>();
    assert!(future.get_loop().ptr_eq(&event_loop));
    assert!(!future.get_loop().ptr_eq(&other));
    let made = event_loop.run_until_complete(async { Ok(running_loop()?.create_future::<i32>()) });
    assert!(made.unwrap().get_loop().ptr_eq(&event_loop));
}

#[test]
fn it_has_no_name_until_it_is_given_one() {
    let event_loop = EventLoop::with_virtual_time();
    let future = event_loop.create_future::<i32>();
    assert_eq!(future.name(), "");
    future.set_name("answer");
    assert_eq!(future.clone().name(), "answer");
}

#[test]
fn a_future_may_be_set_and_read_while_no_loop_runs() {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let future = event_loop.create_future::<i32>();
    let own = trace.clone();
    future.add_done_callback(move |_: &dyn callsoon::AnyFuture| own.push("called"));
    future.set_result(1).unwrap();
    assert_eq!(future.result().unwrap(), 1);
    trace.expect_nothing();
    turn(&event_loop, 1);
    trace.expect(["called"]);
}

#[test]
fn a_result_may_be_of_a_type_that_can_not_be_cloned() {
    struct Unique;
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let future = event_loop.create_future::<Unique>();
    let own = trace.clone();
    future.add_done_callback(move |done: &dyn callsoon::AnyFuture| {
        own.push(format!("{:?}", done.exception().map(|error| error.is_none())));
    });
    future.set_result(Unique).unwrap();
    settle(&event_loop);
    trace.expect(["Ok(true)"]);
}

#[test]
fn future_of_a_closed_loop_takes_its_end_and_calls_no_callback() {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let future = event_loop.create_future::<i32>();
    let late = event_loop.create_future::<i32>();
    for future in [&future, &late] {
        let own = trace.clone();
        future.add_done_callback(move |_: &dyn callsoon::AnyFuture| own.push("called"));
    }
    event_loop.close().unwrap();
    future.set_result(1).unwrap();
    assert!(late.cancel());
    let own = trace.clone();
    future.add_done_callback(move |_: &dyn callsoon::AnyFuture| own.push("called"));
    assert_eq!(future.result().unwrap(), 1);
    assert!(late.cancelled());
    assert!(event_loop.run_once(None).is_err());
    drop(event_loop);
    trace.expect_nothing();
}
