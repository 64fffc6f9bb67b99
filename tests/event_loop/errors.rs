//! Uncaught errors: the handlers that are called with them, and the contexts that they get.

use std::rc::Rc;

use callsoon::{Error, ErrorKind, EventLoop, ExceptionContext, LoopRef, Result};

use crate::support::log_lines::log_lines_of;
use crate::support::trace::Trace;

fn fails() -> Result<()> {
    Err(Error::new(ErrorKind::Value, "bad"))
}

fn tells(trace: &Trace) -> callsoon::ExceptionHandler {
    let says = trace.clone();
    Rc::new(move |_: &LoopRef, context: &ExceptionContext| {
        let error = context.exception.as_ref().map(|error| format!("{error:?}"));
        says.push(format!("{} | {}", context.message, error.unwrap_or_default()));
    })
}

#[test]
fn error_of_a_callback_goes_to_the_handler_and_the_loop_goes_on() {
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    let says = trace.clone();
    let handler = move |on: &LoopRef, context: &ExceptionContext| {
        assert!(on.is_running());
        let handle = context.handle.as_deref().unwrap_or_default();
        assert!(context.future.is_none() && context.task.is_none() && context.asyncgen.is_none());
        says.push(format!("{} | {handle} | {:?}", context.message, context.exception));
    };
    event_loop.set_exception_handler(Some(Rc::new(handler)));
    event_loop.call_soon(fails).unwrap();
    event_loop.call_later(std::time::Duration::ZERO, fails).unwrap();
    event_loop.handle().call_soon_threadsafe(trace.says("goes on")).unwrap();
    event_loop.run_once(None).unwrap();
    let told = |sort: &str| {
        let handle = format!("<{sort} {}>", std::any::type_name_of_val(&fails));
        format!("Exception in callback {handle} | {handle} | Some(ValueError(\"bad\"))")
    };
    trace.expect([&told("Handle"), "goes on", &told("TimerHandle")]);
}

#[test]
fn callback_may_return_that_it_has_cancelled() {
    let event_loop = EventLoop::with_virtual_time();
    let future = event_loop.create_future::<()>();
    let own = future.clone();
    event_loop.call_soon(move || own.cancel()).unwrap();
    event_loop.run_once(None).unwrap();
    assert!(future.cancelled());
}

#[test]
fn errors_without_a_handler_are_logged_line_by_line() {
    let event_loop = EventLoop::with_virtual_time();
    let lines = log_lines_of(|| {
        event_loop.call_soon(fails).unwrap();
        event_loop.run_once(None).unwrap();
        let mut context = ExceptionContext::new("all there is");
        context.task = Some("a task".to_owned());
        context.handle = Some("a handle".to_owned());
        context.future = Some("a future".to_owned());
        context.exception = Some(Error::cancelled());
        context.asyncgen = Some("a generator".to_owned());
        event_loop.call_exception_handler(&context);
        event_loop.call_exception_handler(&ExceptionContext::new(""));
    });
    let handle = format!("<Handle {}>", std::any::type_name_of_val(&fails));
    assert_eq!(
        lines,
        [
            &format!(
                "ERROR: Exception in callback {handle}\n\
                 exception: ValueError(\"bad\")\n\
                 handle: {handle}"
            ),
            "ERROR: all there is\n\
             asyncgen: a generator\n\
             exception: CancelledError()\n\
             future: a future\n\
             handle: a handle\n\
             task: a task",
            "ERROR: Unhandled exception in event loop",
        ]
    );
}

#[test]
fn the_handler_can_be_asked_for_replaced_and_taken_away() {
    let (one, two, event_loop) = (Trace::new(), Trace::new(), EventLoop::with_virtual_time());
    assert!(event_loop.exception_handler().is_none());
    let first = tells(&one);
    assert!(event_loop.set_exception_handler(Some(first.clone())).is_none());
    assert!(Rc::ptr_eq(&event_loop.exception_handler().unwrap(), &first));
    let before = event_loop.set_exception_handler(Some(tells(&two)));
    assert!(Rc::ptr_eq(&before.unwrap(), &first));
    event_loop.call_exception_handler(&ExceptionContext::new("for the second"));
    one.expect_nothing();
    two.expect(["for the second | "]);
    event_loop.set_exception_handler(None);
    let lines = log_lines_of(|| {
        event_loop.call_exception_handler(&ExceptionContext::new("for the log"));
    });
    assert_eq!(lines, ["ERROR: for the log"]);
    two.expect_nothing();
}

#[test]
fn a_handler_that_panics_is_logged_with_both_errors() {
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    event_loop.set_exception_handler(Some(Rc::new(|_, _| panic!("the handler's own"))));
    event_loop.call_soon(fails).unwrap();
    event_loop.call_soon(trace.says("goes on")).unwrap();
    let lines = log_lines_of(|| {
        event_loop.run_once(None).unwrap();
    });
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].starts_with("ERROR: Unhandled error in exception handler"), "{lines:?}");
    assert!(lines[0].contains("Panic(\"the handler's own\")"), "{lines:?}");
    assert!(lines[0].contains("Exception in callback"), "{lines:?}");
    assert!(lines[0].contains("ValueError(\"bad\")"), "the first error is lost: {lines:?}");
    trace.expect(["goes on"]);
}

#[test]
fn a_handler_may_replace_itself_while_it_is_told() {
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    let (says, next) = (trace.clone(), tells(&trace));
    let handler = move |on: &LoopRef, context: &ExceptionContext| {
        let own = on.set_exception_handler(Some(next.clone()));
        drop(own);
        says.push(format!("first: {}", context.message));
    };
    event_loop.set_exception_handler(Some(Rc::new(handler)));
    event_loop.call_exception_handler(&ExceptionContext::new("a"));
    event_loop.call_exception_handler(&ExceptionContext::new("b"));
    trace.expect(["first: a", "b | "]);
}
