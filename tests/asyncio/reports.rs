//! The reports on futures and tasks to the loop's exception handler: exceptions that were never
//! read, and tasks that were destroyed while they were pending.

use callsoon::{
    AnyFuture, Error, ErrorKind, EventLoop, LoopFuture, Task, create_task, running_loop, yield_now,
};

use crate::driver::{Reports, run, settle, turn};
use crate::support::log_lines::log_lines_of;

const FUTURE: &str = "Future exception was never retrieved";
const TASK: &str = "Task exception was never retrieved";
const DESTROYED: &str = "Task was destroyed but it is pending!";

fn failed(event_loop: &EventLoop) -> LoopFuture<i32> {
    let future = event_loop.create_future();
    future.set_exception(Error::new(ErrorKind::Value, "unread")).unwrap();
    future
}

#[test]
fn unread_exception_is_reported_when_the_last_handle_is_dropped() {
    let event_loop = EventLoop::with_virtual_time();
    let reports = Reports::of(&event_loop);
    let future = failed(&event_loop);
    let other = future.clone();
    drop(future);
    assert!(reports.messages().is_empty());
    drop(other);
    let report = &reports.take()[0];
    assert_eq!(report.message, FUTURE);
    assert_eq!(report.exception.as_ref().unwrap().message(), "unread");
    assert_eq!(
        report.future.as_deref(),
        Some(r#"<Future finished exception=ValueError("unread")>"#)
    );
    assert!(report.task.is_none() && report.handle.is_none() && report.asyncgen.is_none());
}

#[test]
fn unread_exception_of_a_task_is_reported_at_its_drop() {
    let event_loop = EventLoop::with_virtual_time();
    let reports = Reports::of(&event_loop);
    let failing = async { Err::<(), _>(Error::new(ErrorKind::Value, "unread")) };
    let task = event_loop.create_task(failing).unwrap();
    task.set_name("worker");
    settle(&event_loop);
    assert!(reports.messages().is_empty(), "the handle may still ask");
    drop(task);
    let report = &reports.take()[0];
    assert_eq!(report.message, TASK);
    assert_eq!(
        report.future.as_deref(),
        Some(r#"<Task finished exception=ValueError("unread") name='worker'>"#)
    );
    assert!(report.task.is_none());
}

#[test]
fn a_detached_task_that_fails_is_reported_in_its_last_turn() {
    let event_loop = EventLoop::with_virtual_time();
    let reports = Reports::of(&event_loop);
    drop(event_loop.create_task(async { Err::<(), _>(Error::new(ErrorKind::Value, "")) }));
    turn(&event_loop, 1);
    assert_eq!(reports.messages(), [TASK]);
}

#[test]
fn unread_panic_is_reported_as_a_panic() {
    let event_loop = EventLoop::with_virtual_time();
    let reports = Reports::of(&event_loop);
    let task: Task<()> = event_loop.create_task(async { panic!("unread") }).unwrap();
    drop(task);
    settle(&event_loop);
    let report = &reports.take()[0];
    assert_eq!(report.message, TASK);
    assert_eq!(report.exception.as_ref().unwrap().kind(), ErrorKind::Panic);
}

// CPython: test_futures.BaseFutureTests.test_tb_logger_not_called_after_cancel
// CPython: test_futures.BaseFutureTests.test_tb_logger_exception_retrieved
// CPython: test_futures.BaseFutureTests.test_tb_logger_exception_result_retrieved
#[test]
fn result_exception_cancel_and_await_count_as_reading() {
    let event_loop = EventLoop::with_virtual_time();
    let reports = Reports::of(&event_loop);
    let ways: [fn(&LoopFuture<i32>); 5] = [
        |future| drop(future.result()),
        |future| drop(future.exception()),
        |future| assert!(!future.cancel(), "refused, and yet it counts"),
        |future| assert!(!future.cancel_with("")),
        |future| drop(future.to_any().exception()),
    ];
    for read in ways {
        read(&failed(&event_loop));
    }
    let awaited = failed(&event_loop);
    event_loop.create_task(async move { awaited.await.or(Ok(0)) }).unwrap();
    settle(&event_loop);
    assert!(reports.messages().is_empty());
}

// CPython: test_tasks.BaseTaskTests.test_tb_logger_not_called_after_cancel
#[test]
fn refused_cancel_of_a_failed_task_counts_as_reading() {
    let event_loop = EventLoop::with_virtual_time();
    let reports = Reports::of(&event_loop);
    let failing = async { Err::<(), _>(Error::new(ErrorKind::Value, "")) };
    let task = event_loop.create_task(failing).unwrap();
    settle(&event_loop);
    assert!(!task.cancel());
    drop(task);
    assert!(reports.messages().is_empty());
}

#[test]
fn looking_at_the_state_is_not_reading() {
    let event_loop = EventLoop::with_virtual_time();
    let reports = Reports::of(&event_loop);
    let future = failed(&event_loop);
    assert!(future.done() && !future.cancelled());
    let _ = (format!("{future:?}"), future.id(), future.name(), future.to_any());
    assert!(!future.has_callback(&callsoon::Callback::new(|_: &dyn AnyFuture| ())));
    future.add_done_callback(|done: &dyn AnyFuture| assert!(done.done()));
    drop(future);
    settle(&event_loop);
    assert_eq!(reports.messages(), [FUTURE]);
}

#[test]
fn an_awaiter_that_came_first_has_read_the_exception() {
    run(async {
        let on = running_loop()?;
        let reports = Reports::of(&on);
        let future = on.create_future::<()>();
        let (awaited, promise) = (future.clone(), future);
        let awaiter = create_task(async move { Ok(awaited.await.is_err()) });
        yield_now().await?;
        promise.set_exception(Error::new(ErrorKind::Value, ""))?;
        drop(promise);
        assert!(awaiter.await?);
        assert!(reports.messages().is_empty());
        Ok(())
    })
    .unwrap();
}

#[test]
fn awaiter_dropped_before_its_turn_has_not_read_the_exception() {
    let event_loop = EventLoop::with_virtual_time();
    let reports = Reports::of(&event_loop);
    let future = event_loop.create_future::<i32>();
    let awaited = future.clone();
    drop(event_loop.create_task(async move { awaited.await }).unwrap());
    turn(&event_loop, 1);
    future.set_exception(Error::new(ErrorKind::Value, "")).unwrap();
    drop(future);
    drop(event_loop);
    assert_eq!(reports.messages(), [DESTROYED, FUTURE]);
}

// CPython: test_futures.BaseFutureTests.test_tb_logger_abandoned
// CPython: test_futures.BaseFutureTests.test_tb_logger_result_unretrieved
// CPython: test_futures.BaseFutureTests.test_tb_logger_result_retrieved
#[test]
fn results_and_cancellations_are_never_reported() {
    let event_loop = EventLoop::with_virtual_time();
    let reports = Reports::of(&event_loop);
    let (value, cancelled, pending) = (
        event_loop.create_future::<i32>(),
        event_loop.create_future::<i32>(),
        event_loop.create_future::<i32>(),
    );
    value.set_result(1).unwrap();
    let read = value.get_loop().create_future::<i32>();
    read.set_result(2).unwrap();
    assert_eq!(read.result().unwrap(), 2);
    cancelled.cancel();
    drop((value, read, cancelled, pending));
    drop(event_loop.create_task(async { Ok(1) }).unwrap());
    drop(event_loop.create_task(async { Err::<(), _>(Error::cancelled_with("x")) }).unwrap());
    settle(&event_loop);
    assert!(reports.messages().is_empty());
}

// CPython: test_tasks.BaseTaskTests.test_log_destroyed_pending_task
#[test]
fn tasks_that_are_pending_at_close_are_reported_oldest_first() {
    let event_loop = EventLoop::with_virtual_time();
    let reports = Reports::of(&event_loop);
    for name in ["a", "b", "c", "d"] {
        let never = event_loop.create_future::<()>();
        event_loop.create_task(async move { never.await }).unwrap().set_name(name);
    }
    turn(&event_loop, 1);
    event_loop.all_tasks()[1].cancel();
    settle(&event_loop);
    event_loop.create_task(async { Ok(()) }).unwrap().set_name("unstarted");
    event_loop.close().unwrap();
    let reports = reports.take();
    assert!(reports.iter().all(|report| report.message == DESTROYED));
    assert!(reports.iter().all(|report| report.exception.is_none() && report.future.is_none()));
    let tasks: Vec<String> = reports.into_iter().filter_map(|report| report.task).collect();
    assert_eq!(
        tasks,
        ["a", "c", "d", "unstarted"].map(|name| format!("<Task pending name='{name}'>"))
    );
}

#[test]
fn a_handler_may_call_the_loop_while_it_is_told() {
    let event_loop = EventLoop::with_virtual_time();
    let trace = crate::support::trace::Trace::new();
    let own = trace.clone();
    event_loop.set_exception_handler(Some(std::rc::Rc::new(
        move |on: &callsoon::LoopRef, context: &callsoon::ExceptionContext| {
            own.push(&context.message);
            own.push(on.create_task(async { Ok(()) }).is_ok());
            drop(on.create_future::<i32>());
        },
    )));
    drop(failed(&event_loop));
    trace.expect([FUTURE, "true"]);
    drop(event_loop);
    trace.expect([DESTROYED, "false"]);
}

// CPython: test_futures.BaseFutureTests.test_tb_logger_exception_unretrieved
// CPython: test_futures.BaseFutureTests.test_future_exception_never_retrieved
// CPython: test_futures.BaseFutureTests.test_future_exception_never_retrieved_debug
#[test]
fn report_without_a_handler_is_logged_as_an_error() {
    for debug in [false, true] {
        let lines = log_lines_of(|| {
            let event_loop = EventLoop::with_virtual_time();
            event_loop.set_debug(debug);
            let future = failed(&event_loop);
            future.set_name("f");
            drop(future);
            let task: Task<()> =
                event_loop.create_task(async { Err(Error::new(ErrorKind::Value, "t")) }).unwrap();
            task.set_name("t");
            drop(task);
            settle(&event_loop);
            event_loop.create_task(async { Ok(()) }).unwrap().set_name("p");
        });
        // In debug mode also where it was made, of which the line is left away here.
        let made = if debug { format!(" created at {}:", file!()) } else { String::new() };
        let shown = |line: &String| {
            line.trim_end_matches('>').trim_end_matches(|c: char| c.is_ascii_digit()).to_owned()
        };
        assert_eq!(
            lines.iter().map(shown).collect::<Vec<_>>(),
            [
                "ERROR: Future exception was never retrieved\nexception: ValueError(\"unread\")\n\
                 future: <Future finished exception=ValueError(\"unread\") name='f'"
                    .to_owned()
                    + &made,
                "ERROR: Task exception was never retrieved\nexception: ValueError(\"t\")\n\
                 future: <Task finished exception=ValueError(\"t\") name='t'"
                    .to_owned()
                    + &made,
                "ERROR: Task was destroyed but it is pending!\ntask: <Task pending name='p'"
                    .to_owned()
                    + &made,
            ]
        );
    }
}

#[test]
fn handler_is_dropped_with_its_loop() {
    let lines = log_lines_of(|| {
        let event_loop = EventLoop::with_virtual_time();
        let reports = Reports::of(&event_loop);
        let failing = || async { Err::<(), _>(Error::new(ErrorKind::Value, "unread")) };
        let [early, late] =
            [failing(), failing()].map(|fails| event_loop.create_task(fails).unwrap());
        settle(&event_loop);
        event_loop.close().unwrap();
        drop(early);
        assert_eq!(reports.messages(), [TASK], "a closed loop has its handler");
        drop(event_loop);
        drop(late);
        assert!(reports.messages().is_empty());
    });
    assert_eq!(lines.len(), 1);
    assert!(lines[0].starts_with("ERROR: Task exception was never retrieved"), "{lines:?}");
}
