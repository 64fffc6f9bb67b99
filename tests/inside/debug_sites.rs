//! In debug mode whatever is reported says where it was made.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use callsoon::{Error, ErrorKind, EventLoop, ExceptionContext, helpers as hp};

use crate::support::log_lines::log_lines_of;

fn failure() -> Error {
    Error::new(ErrorKind::Value, "seven")
}

/// Returns the reports to the exception handler that `body` causes, each as a future or task shows
/// itself.
fn told_of(debug: bool, body: impl FnOnce(&EventLoop)) -> Vec<String> {
    let event_loop = EventLoop::with_virtual_time();
    event_loop.set_debug(debug);
    let told: Rc<RefCell<Vec<String>>> = Rc::default();
    let all = told.clone();
    event_loop.set_exception_handler(Some(Rc::new(move |_, context: &ExceptionContext| {
        let shown = context.task.as_ref().or(context.future.as_ref());
        all.borrow_mut().push(format!("{} {}", context.message, shown.unwrap()));
    })));
    body(&event_loop);
    drop(event_loop);
    told.take()
}

#[test]
fn unretrieved_exception_names_the_place_of_its_future_or_task() {
    let (place, file) = (RefCell::new(0), file!());
    let body = |event_loop: &EventLoop| {
        *place.borrow_mut() = line!() + 1;
        let future = event_loop.create_future::<()>();
        future.set_exception(failure()).unwrap();
        drop(future);
        event_loop.create_task(async { Err::<(), _>(failure()) }).unwrap();
        event_loop.run_once(None).unwrap();
    };
    let told = told_of(true, body);
    let line = *place.borrow();
    let future =
        format!("<Future finished exception=ValueError(\"seven\") created at {file}:{line}>");
    let task = format!(
        "<Task finished exception=ValueError(\"seven\") name='Task-1' created at {file}:{}>",
        line + 3
    );
    assert_eq!(
        told,
        [
            format!("Future exception was never retrieved {future}"),
            format!("Task exception was never retrieved {task}"),
        ]
    );
    let told = told_of(false, body);
    assert!(told.len() == 2 && told.iter().all(|line| !line.contains("created at")), "{told:?}");
}

#[test]
fn a_task_that_is_destroyed_while_it_is_pending_names_its_place() {
    let place = RefCell::new(0);
    let told = told_of(true, |event_loop| {
        *place.borrow_mut() = line!() + 1;
        event_loop.create_task(std::future::pending::<callsoon::Result<()>>()).unwrap();
    });
    let shown = format!("<Task pending name='Task-1' created at {}:{}>", file!(), place.borrow());
    assert_eq!(told, [format!("Task was destroyed but it is pending! {shown}")]);
}

#[test]
fn a_slow_step_names_the_place_of_its_task() {
    let event_loop = EventLoop::new();
    event_loop.set_debug(true);
    event_loop.set_slow_callback_duration(Duration::ZERO);
    let line = line!() + 1;
    let task = event_loop.create_task(async { Ok(()) }).unwrap();
    let lines = log_lines_of(|| assert_eq!(event_loop.run_once(None).unwrap(), 1));
    let shown = format!("<Task finished name='Task-1' created at {}:{line}>", file!());
    let expected = format!("WARN: Executing {shown} took ");
    assert!(lines.len() == 1 && lines[0].starts_with(&expected), "{lines:?}");
    drop(task);
}

#[test]
fn future_of_the_helpers_has_the_place_of_its_caller() {
    let event_loop = EventLoop::with_virtual_time();
    event_loop.set_debug(true);
    let line = line!() + 1;
    let future = hp::create_future_on::<()>(&event_loop);
    future.set_name("lamp");
    let place = format!("{}:{line}", file!());
    assert_eq!(
        format!("{future:?}"),
        format!("<Future pending name='lamp' callbacks=1 created at {place}>")
    );
}
