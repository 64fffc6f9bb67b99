//! Code that panics where it is dropped.

use std::rc::Rc;
use std::time::Duration;

use callsoon::{AnyFuture, EventLoop, ExceptionContext, LoopRef, Result};

use crate::support::on_drop::on_drop;
use crate::support::trace::Trace;

/// A loop that says what its handler is told, by message and error.
fn told() -> (EventLoop, Trace) {
    let (event_loop, trace) = (EventLoop::with_virtual_time(), Trace::new());
    let own = trace.clone();
    event_loop.set_exception_handler(Some(Rc::new(move |_, context| {
        let error = context.exception.as_ref().expect("a panic");
        own.push(format!("told: {error}"));
    })));
    (event_loop, trace)
}

fn bomb(name: &'static str) -> impl Sized + 'static {
    on_drop(move || std::panic::resume_unwind(Box::new(name)))
}

#[test]
fn panic_in_a_replaced_handlers_drop_goes_to_the_next_handler() {
    let (event_loop, trace) = told();
    let next = event_loop.set_exception_handler(None);
    let (says, panics) = (trace.clone(), bomb("the old handler"));
    let once = move |on: &LoopRef, _: &ExceptionContext| {
        let _held = &panics;
        says.push("once");
        drop(on.set_exception_handler(next.clone()));
    };
    event_loop.set_exception_handler(Some(Rc::new(once)));
    let panics = || -> Result<()> { std::panic::resume_unwind(Box::new("a callback")) };
    event_loop.call_soon(panics).unwrap();
    event_loop.call_soon(trace.says("the next callback")).unwrap();
    assert_eq!(event_loop.run_once(None).unwrap(), 2);
    trace.expect(["once", "told: Panic: the old handler", "the next callback"]);
}

#[test]
fn panic_in_a_cancelled_callbacks_drop_reaches_the_canceller() {
    let (event_loop, trace) = told();
    let (soon, later) = (bomb("soon"), bomb("later"));
    let handle = event_loop.call_soon(move || drop(soon)).unwrap();
    let timer = event_loop.call_later(Duration::from_secs(1), move || drop(later)).unwrap();
    let (one, other) = (handle.clone(), timer.clone());
    event_loop.call_soon(move || one.cancel()).unwrap();
    event_loop.call_soon(move || other.cancel()).unwrap();
    // Cancelled from outside of the loop, so as to come before what is ready.
    let both = [
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| handle.cancel())),
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| timer.cancel())),
    ];
    assert!(both.iter().all(std::result::Result::is_err));
    assert!(handle.cancelled() && timer.cancelled());
    assert_eq!((event_loop.run_once(None).unwrap(), event_loop.pending_timers()), (3, 0));
    trace.expect_nothing();
}

#[test]
fn panics_in_captures_of_callbacks_and_awaiters_stop_no_other() {
    let (event_loop, trace) = told();
    let future = event_loop.create_future::<()>();
    for name in ["first", "second"] {
        let (says, panics) = (trace.clone(), bomb(name));
        future.add_done_callback(move |_: &dyn AnyFuture| {
            let _held = &panics;
            says.push(name);
        });
    }
    let (says, awaited, panics) = (trace.clone(), future.clone(), bomb("body"));
    let body = async move {
        let _held = panics;
        awaited.await?;
        says.push("awaited");
        Ok(())
    };
    let task = event_loop.create_task(body).unwrap();
    event_loop.run_once(None).unwrap();
    future.set_result(()).unwrap();
    while event_loop.run_once(Some(Duration::ZERO)).unwrap() > 0 {}
    trace.expect(["first", "told: Panic: first", "second", "told: Panic: second", "awaited"]);
    assert!(task.exception().unwrap().is_some_and(|error| error.to_string().contains("body")));
}
