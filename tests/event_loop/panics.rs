//! A panic in anything that the loop calls is reported to the exception handler, or is its task's
//! exception; the loop goes on, and nothing that was scheduled is lost.

use std::cell::Cell;
use std::fmt;
use std::future::pending;
use std::panic::panic_any;
use std::rc::Rc;
use std::time::Duration;

use callsoon::{
    AnyFuture, Error, ErrorKind, EventLoop, ExceptionContext, LoopRef, Result, Watcher,
    running_loop,
};

use crate::support::log_lines::{log_lines_of, log_lines_with};
use crate::support::on_drop::on_drop;
use crate::support::sockets::local_pair;
use crate::support::trace::Trace;

/// A loop in virtual time with an exception handler that writes down the errors reported to it.
fn told() -> (Trace, EventLoop) {
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    let says = trace.clone();
    let handler = move |_: &LoopRef, context: &ExceptionContext| {
        let what = context.message.split(['<', '!']).next().unwrap_or_default();
        let error = context.exception.as_ref().map(Error::message).unwrap_or_default();
        says.push(format!("told: {}, {error}", what.trim_end()));
    };
    event_loop.set_exception_handler(Some(Rc::new(handler)));
    (trace, event_loop)
}

/// A literal panic is of no type that a callback may return.
fn panics(payload: impl Send + 'static) {
    panic_any(payload)
}

fn run_all(event_loop: &EventLoop) {
    while event_loop.run_once(Some(Duration::ZERO)).unwrap() > 0 {}
}

/// An error that can't be shown.
struct Unspeakable;

impl fmt::Debug for Unspeakable {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("unspeakable")
    }
}

impl fmt::Display for Unspeakable {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("unspeakable")
    }
}

impl std::error::Error for Unspeakable {}

#[test]
fn a_panic_in_a_callback_is_told_with_its_message() {
    let (trace, event_loop) = told();
    event_loop.call_soon(|| panics("plain")).unwrap();
    event_loop.call_soon(|| panics("owned".to_owned())).unwrap();
    event_loop.call_soon(|| panics(7)).unwrap();
    event_loop.call_later(Duration::ZERO, || panics("in a timer")).unwrap();
    event_loop.handle().call_soon_threadsafe(|| panics("sent")).unwrap();
    event_loop.call_soon(trace.says("goes on")).unwrap();
    assert_eq!(event_loop.run_once(None).unwrap(), 6);
    trace.expect([
        "told: Exception in callback, plain",
        "told: Exception in callback, owned",
        "told: Exception in callback, a panic without a message",
        "told: Exception in callback, sent",
        "goes on",
        "told: Exception in callback, in a timer",
    ]);
}

#[test]
fn panic_with_a_payload_that_panics_is_reported_once() {
    struct Payload;
    impl Drop for Payload {
        fn drop(&mut self) {
            panic!("in the payload's drop");
        }
    }
    let (trace, event_loop) = told();
    event_loop.call_soon(|| panics(Payload)).unwrap();
    event_loop.call_soon(trace.says("goes on")).unwrap();
    assert_eq!(event_loop.run_once(None).unwrap(), 2);
    trace.expect(["told: Exception in callback, a panic without a message", "goes on"]);
}

#[test]
fn a_panic_in_a_reader_is_told_and_the_reader_stays() {
    let (trace, event_loop) = told();
    let (ours, _theirs) = local_pair().unwrap();
    let times = Cell::new(0);
    let counts = move || {
        times.set(times.get() + 1);
        panic!("in the writer, time {}", times.get());
    };
    event_loop.add_writer::<()>(ours, counts).unwrap();
    for _ in 0..2 {
        assert_eq!(event_loop.run_once(Some(Duration::ZERO)).unwrap(), 1);
    }
    trace.expect([
        "told: Exception in callback, in the writer, time 1",
        "told: Exception in callback, in the writer, time 2",
    ]);
}

#[test]
fn a_panic_in_a_task_is_its_exception() {
    let (trace, event_loop) = told();
    let task = event_loop.create_task::<()>(async { panic!("in the task") }).unwrap();
    let awaited = task.clone();
    let error = event_loop.run_until_complete(async move { awaited.await }).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Panic);
    assert_eq!(error.message(), "in the task");
    assert!(task.exception().unwrap().unwrap().ptr_eq(&error));
    drop(task);
    trace.expect_nothing();
}

#[test]
fn a_panic_in_a_done_callback_is_told_and_the_others_are_called() {
    let (trace, event_loop) = told();
    let fut = event_loop.create_future::<()>();
    fut.add_done_callback(|_: &dyn AnyFuture| panics("in the first"));
    let says = trace.clone();
    fut.add_done_callback(move |_: &dyn AnyFuture| says.push("second"));
    fut.set_result(()).unwrap();
    run_all(&event_loop);
    trace.expect(["told: Exception in callback, in the first", "second"]);
}

#[test]
fn a_panic_in_the_drop_of_what_a_callback_captured_is_told() {
    let (trace, event_loop) = told();
    let captured = on_drop(|| panic!("in the closure's drop"));
    event_loop.call_soon(move || _ = &captured).unwrap();
    let fut = event_loop.create_future::<()>();
    let captured = on_drop(|| panic!("in the done callback's drop"));
    fut.add_done_callback(move |_: &dyn AnyFuture| _ = &captured);
    fut.set_result(()).unwrap();
    event_loop.call_soon(trace.says("goes on")).unwrap();
    assert_eq!(event_loop.run_once(None).unwrap(), 3);
    trace.expect([
        "told: Exception in callback, in the closure's drop",
        "told: Exception in a drop after a callback, in the done callback's drop",
        "goes on",
    ]);
}

#[test]
fn panic_in_a_done_callback_and_then_in_its_drop_is_two_reports() {
    struct PanicsTwice;
    impl Watcher for PanicsTwice {
        fn ended(&self, _token: u64) {}

        fn joined(&self, _token: u64) {}

        fn called(&self, _token: u64) {
            panics("in the watcher");
        }
    }
    impl Drop for PanicsTwice {
        fn drop(&mut self) {
            panics("in the watcher's drop");
        }
    }
    let (trace, event_loop) = told();
    let fut = event_loop.create_future::<()>();
    let captured = on_drop(|| panic!("in the drop"));
    fut.add_done_callback(move |_: &dyn AnyFuture| {
        let _captured = &captured;
        panics("in the callback");
    });
    fut.erased().unwrap().watch(Rc::new(PanicsTwice), 1);
    fut.set_result(()).unwrap();
    drop(fut);
    event_loop.call_soon(trace.says("goes on")).unwrap();
    assert_eq!(event_loop.run_once(None).unwrap(), 3);
    trace.expect([
        "told: Exception in callback, in the callback",
        "told: Exception in a drop after a callback, in the drop",
        "told: Exception in callback, in the watcher",
        "told: Exception in a drop after a callback, in the watcher's drop",
        "goes on",
    ]);
}

#[test]
fn panic_in_the_drop_of_a_body_or_result_is_reported() {
    let (trace, event_loop) = told();
    let captured = on_drop(|| panic!("in the body's drop"));
    // A local of the body's own frame is dropped while the body is polled; a value that it
    // captured and never touched, with the body.
    let body = Holding(Some(captured));
    let task = event_loop.create_task(body).unwrap();
    let result = async { Ok(Rc::new(on_drop(|| panic!("in the result's drop")))) };
    drop(event_loop.create_task(result).unwrap());
    event_loop.call_soon(trace.says("goes on")).unwrap();
    assert_eq!(event_loop.run_once(None).unwrap(), 3);
    assert_eq!(task.result().unwrap(), 7);
    trace.expect([
        "told: Exception in callback, in the body's drop",
        "told: Exception in a drop after a callback, in the result's drop",
        "goes on",
    ]);
}

#[test]
fn panics_drop_of_an_ended_body_may_cancel_its_task() {
    let (trace, event_loop) = told();
    let own = Rc::new(Cell::new(None::<callsoon::Task<i32>>));
    let cancels = own.clone();
    let body = Holding(on_drop(move || {
        assert!(cancels.take().unwrap().cancel(), "the task is not done yet");
        panic!("in the body's drop");
    }));
    let task = event_loop.create_task(body).unwrap();
    own.set(Some(task.clone()));
    run_all(&event_loop);
    assert!(task.cancelled());
    trace.expect(["told: Exception in callback, in the body's drop"]);
}

/// A future that is ready at once, and holds something as long as it lives.
struct Holding<T>(#[allow(dead_code)] T);

impl<T: Unpin> Future for Holding<T> {
    type Output = Result<i32>;

    fn poll(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<i32>> {
        std::task::Poll::Ready(Ok(7))
    }
}

#[test]
fn panic_in_the_clone_of_a_result_fails_the_awaiting_task() {
    struct Once(Rc<Cell<bool>>);
    impl Clone for Once {
        fn clone(&self) -> Once {
            assert!(self.0.replace(true), "in the clone");
            Once(self.0.clone())
        }
    }
    let (trace, event_loop) = told();
    let fut = event_loop.create_future::<Once>();
    let waiters = [(); 2].map(|()| {
        let fut = fut.clone();
        event_loop.create_task(async move { fut.await.map(drop) }).unwrap()
    });
    event_loop.run_once(None).unwrap();
    fut.set_result(Once(Rc::default())).unwrap();
    event_loop.run_once(None).unwrap();
    assert_eq!(waiters[0].result().unwrap_err().message(), "in the clone");
    assert!(waiters[1].result().is_ok());
    trace.expect_nothing();
}

#[test]
fn a_panic_in_the_handler_goes_to_the_log_and_the_loop_goes_on() {
    let (trace, event_loop) = told();
    event_loop.set_exception_handler(Some(Rc::new(|_, _| panic!("in the handler"))));
    event_loop.call_soon(|| panics("in the callback")).unwrap();
    event_loop.call_soon(trace.says("goes on")).unwrap();
    let fut = event_loop.create_future::<()>();
    fut.set_exception(Error::new(ErrorKind::Value, "never read")).unwrap();
    let lines = log_lines_of(|| {
        assert_eq!(event_loop.run_once(None).unwrap(), 2);
        drop(fut);
    });
    assert_eq!(lines.len(), 2, "{lines:?}");
    trace.expect(["goes on"]);
}

#[test]
fn an_error_that_can_not_be_shown_is_logged_all_the_same() {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    event_loop.call_soon(|| -> Result<()> { Err(Error::other(Unspeakable)) }).unwrap();
    event_loop.call_soon(trace.says("goes on")).unwrap();
    let lines = log_lines_of(|| {
        assert_eq!(event_loop.run_once(None).unwrap(), 2);
    });
    trace.expect(["goes on"]);
    assert_eq!(lines.len(), 1);
    assert!(lines[0].starts_with("ERROR: Exception in callback"), "{lines:?}");
}

#[test]
fn future_with_an_unread_undisplayable_exception_may_be_dropped() {
    let (trace, event_loop) = told();
    let says = trace.clone();
    let handler = move |_: &LoopRef, context: &ExceptionContext| says.push(&context.message);
    event_loop.set_exception_handler(Some(Rc::new(handler)));
    let fut = event_loop.create_future::<()>();
    fut.set_exception(Error::other(Unspeakable)).unwrap();
    event_loop.call_soon(move || drop(fut)).unwrap();
    drop(event_loop.create_task(async { Err::<(), _>(Error::other(Unspeakable)) }).unwrap());
    event_loop.call_soon(trace.says("goes on")).unwrap();
    event_loop.run_once(None).unwrap();
    trace.expect([
        "Future exception was never retrieved",
        "Task exception was never retrieved",
        "goes on",
    ]);
}

#[test]
fn debug_mode_shows_nothing_that_is_not_slow() {
    let (trace, event_loop) = told();
    event_loop.set_debug(true);
    let fut = event_loop.create_future::<()>();
    let says = trace.clone();
    fut.add_done_callback(move |_: &dyn AnyFuture| says.push("called"));
    fut.set_exception(Error::other(Unspeakable)).unwrap();
    // Read, so that nothing is reported when the future is dropped.
    assert!(fut.exception().unwrap().is_some());
    assert_eq!(event_loop.run_once(None).unwrap(), 1);
    trace.expect(["called"]);
}

#[test]
fn a_logger_that_panics_stops_nothing() {
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    event_loop.call_soon(|| panics("in the callback")).unwrap();
    event_loop.call_soon(trace.says("goes on")).unwrap();
    let lines = log_lines_with(
        || panic!("in the logger"),
        || assert_eq!(event_loop.run_once(None).unwrap(), 2),
    );
    assert_eq!(lines.len(), 1);
    trace.expect(["goes on"]);
}

#[test]
fn a_logger_that_panics_over_a_slow_callback_stops_nothing() {
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    event_loop.set_debug(true);
    event_loop.set_slow_callback_duration(Duration::ZERO);
    for name in ["first", "second"] {
        event_loop.call_soon(trace.says(name)).unwrap();
    }
    let lines = log_lines_with(
        || panic!("in the logger"),
        || assert_eq!(event_loop.run_once(None).unwrap(), 2),
    );
    assert_eq!(lines.len(), 2);
    trace.expect(["first", "second"]);
}

#[test]
fn panics_in_drops_of_close_are_reported_and_the_rest_dropped() {
    let (trace, event_loop) = told();
    let bad = |name: &'static str| {
        let says = trace.clone();
        on_drop(move || {
            says.push(format!("{name} goes"));
            panic!("{name}");
        })
    };
    for name in ["task 1", "task 2"] {
        let captured = bad(name);
        let body = async move {
            let _captured = captured;
            pending::<Result<()>>().await
        };
        event_loop.create_task(body).unwrap();
    }
    event_loop.run_once(None).unwrap();
    let (ours, _theirs) = local_pair().unwrap();
    let (reader, timer, ready) = (bad("reader"), bad("timer"), bad("ready"));
    event_loop.add_reader(ours, move || _ = &reader).unwrap();
    event_loop.call_later(Duration::ZERO, move || drop(timer)).unwrap();
    event_loop.call_soon(move || drop(ready)).unwrap();
    event_loop.close().unwrap();
    trace.expect([
        "ready goes",
        "told: Exception in callback, ready",
        "timer goes",
        "told: Exception in callback, timer",
        "reader goes",
        "told: Exception in callback, reader",
        "told: Task was destroyed but it is pending, ",
        "task 1 goes",
        "told: Exception in callback, task 1",
        "told: Task was destroyed but it is pending, ",
        "task 2 goes",
        "told: Exception in callback, task 2",
    ]);
}

#[test]
fn panic_in_the_drop_of_a_done_callback_stays_inside_close() {
    let (trace, event_loop) = told();
    let task = event_loop.create_task(pending::<Result<()>>()).unwrap();
    let says = trace.clone();
    // One only: a second panic while the first unwinds would end the whole test program.
    let captured = on_drop(move || {
        says.push("callback goes");
        panic!("callback");
    });
    task.add_done_callback(move |_: &dyn AnyFuture| _ = &captured);
    drop(task);
    event_loop.run_once(None).unwrap();
    event_loop.close().unwrap();
    trace.expect([
        "told: Task was destroyed but it is pending, ",
        "callback goes",
        "told: Exception in callback, callback",
    ]);
}

#[test]
fn panic_of_the_host_leaves_no_running_loop() {
    struct Broken;
    impl callsoon::Host for Broken {
        fn now(&self) -> Duration {
            Duration::ZERO
        }
        fn wait(&self, _: Option<Duration>) -> Result<()> {
            panic!("in the host's sleep")
        }
        fn notifier(&self) -> std::sync::Arc<dyn callsoon::Notify> {
            std::sync::Arc::new(Broken)
        }
    }
    impl callsoon::Notify for Broken {
        fn notify(&self) {}
    }
    let (trace, event_loop) = (Trace::new(), EventLoop::with_host(Broken));
    let _could_call = event_loop.handle();
    let run = std::panic::AssertUnwindSafe(|| event_loop.run_once(None));
    assert!(std::panic::catch_unwind(run).is_err());
    assert!(running_loop().is_err() && !event_loop.is_running());
    event_loop.call_soon(trace.says("runs again")).unwrap();
    assert_eq!(event_loop.run_once(None).unwrap(), 1);
    trace.expect(["runs again"]);
}
