//! `stop`, and what a stopped run leaves for the next.

use std::time::Duration;

use callsoon::{ErrorKind, EventLoop, Result, yield_now};

use crate::machine::Machine;
use crate::support::trace::Trace;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn stop_ends_the_run_when_the_turn_is_over() {
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    let (on, says) = (event_loop.clone(), trace.clone());
    let stops = move || {
        says.push("1");
        on.stop();
        on.call_soon(says.says("3")).unwrap();
    };
    event_loop.call_soon(stops).unwrap();
    event_loop.call_soon(trace.says("2")).unwrap();
    event_loop.run_forever().unwrap();
    trace.expect(["1", "2"]);
    event_loop.stop();
    event_loop.run_forever().unwrap();
    trace.expect(["3"]);
}

#[test]
fn a_stop_before_the_run_lets_one_turn_run_that_does_not_wait() {
    let (trace, (machine, event_loop)) = (Trace::new(), Machine::with_loop());
    event_loop.call_later(SECOND, trace.says("not due yet")).unwrap();
    event_loop.call_later(Duration::ZERO, trace.says("due")).unwrap();
    event_loop.stop();
    event_loop.run_forever().unwrap();
    assert_eq!(machine.take_waits(), []);
    trace.expect(["due"]);
    assert_eq!(event_loop.run_once(None).unwrap(), 1);
    assert_eq!(machine.take_waits(), [Some(SECOND)]);
}

#[test]
fn a_stop_with_nothing_to_do_is_no_stall() {
    let event_loop = EventLoop::with_virtual_time();
    event_loop.stop();
    event_loop.run_forever().unwrap();
    assert_eq!(event_loop.run_forever().unwrap_err().kind(), ErrorKind::Stalled);
}

#[test]
fn a_stop_lasts_for_one_run_only() {
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    event_loop.stop();
    event_loop.stop();
    assert_eq!(event_loop.run_once(None).unwrap(), 0);
    let on = event_loop.clone();
    event_loop.call_later(SECOND, move || on.stop()).unwrap();
    event_loop.call_later(SECOND, trace.says("of the same turn")).unwrap();
    event_loop.run_forever().unwrap();
    trace.expect(["of the same turn"]);
}

#[test]
fn run_until_complete_ends_with_the_turn_of_the_callbacks() {
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    let fut = event_loop.create_future::<i32>();
    let says = trace.clone();
    fut.add_done_callback(move |_: &dyn callsoon::AnyFuture| says.push("added before the run"));
    let (on, promise, says) = (event_loop.clone(), fut.clone(), trace.clone());
    let sets = move || -> Result<()> {
        promise.set_result(7)?;
        let late = says.clone();
        promise.add_done_callback(move |_: &dyn callsoon::AnyFuture| late.push("added when done"));
        let (next, late) = (on.clone(), says.clone());
        let then = move || {
            late.push("scheduled meanwhile");
            next.call_soon(late.says("too late")).map(drop)
        };
        on.call_soon(then).map(drop)
    };
    event_loop.call_soon(sets).unwrap();
    assert_eq!(event_loop.run_until_complete(fut).unwrap(), 7);
    trace.expect(["added before the run", "added when done", "scheduled meanwhile"]);
    event_loop.stop();
    event_loop.run_forever().unwrap();
    trace.expect(["too late"]);
}

#[test]
fn run_stopped_before_its_future_is_done_leaves_no_callback() {
    let event_loop = EventLoop::with_virtual_time();
    let fut = event_loop.create_future::<()>();
    event_loop.stop();
    let error = event_loop.run_until_complete(fut.clone()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Runtime);
    assert_eq!(error.message(), "Event loop stopped before Future completed.");
    assert_eq!(format!("{fut:?}"), "<Future pending>");
    // With the callback still there this run would stop before the second turn.
    fut.set_result(()).unwrap();
    let two_turns = async {
        yield_now().await?;
        yield_now().await?;
        Ok("done")
    };
    assert_eq!(event_loop.run_until_complete(two_turns).unwrap(), "done");
}

#[test]
fn a_main_task_that_was_stopped_goes_on_in_the_next_run() {
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    let (on, says) = (event_loop.clone(), trace.clone());
    let main = async move {
        says.push("began");
        on.stop();
        yield_now().await?;
        says.push("went on");
        on.stop();
        Ok(())
    };
    let error = event_loop.run_until_complete(main).unwrap_err();
    assert_eq!(error.message(), "Event loop stopped before Future completed.");
    trace.expect(["began"]);
    event_loop.run_forever().unwrap();
    trace.expect(["went on"]);
}

/// The caller that ran it has the error already.
#[test]
fn a_main_task_that_was_stopped_is_not_reported_as_destroyed() {
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    let says = trace.clone();
    let handler = move |_: &callsoon::LoopRef, context: &callsoon::ExceptionContext| {
        says.push(&context.message);
    };
    event_loop.set_exception_handler(Some(std::rc::Rc::new(handler)));
    event_loop.stop();
    let main = async { std::future::pending::<Result<()>>().await };
    event_loop.run_until_complete(main).unwrap_err();
    event_loop.close().unwrap();
    trace.expect_nothing();
}
