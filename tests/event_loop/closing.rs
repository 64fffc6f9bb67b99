//! `close`: nothing runs any more, everything is dropped, in order.

use std::cell::RefCell;
use std::future::pending;
use std::rc::Rc;
use std::time::Duration;

use callsoon::{ErrorKind, EventLoop, Result, try_create_task, yield_now};

use crate::support::on_drop::on_drop;
use crate::support::sockets::local_pair;
use crate::support::trace::Trace;

#[test]
fn closed_loop_returns_errors_and_drops_what_it_was_given() {
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    let handle = event_loop.handle();
    let main = event_loop.create_future::<()>();
    event_loop.close().unwrap();
    let captured = |name: &str| on_drop(trace.says(format!("{name} is dropped")));
    let (of_thread, of_soon) = (captured("call_soon_threadsafe"), captured("call_soon"));
    let (of_later, of_at, of_task) = (captured("later"), captured("at"), captured("create_task"));
    let (ours, _theirs) = local_pair().unwrap();
    let of_reader = captured("add_reader");
    let refused: Vec<callsoon::Error> = Vec::from([
        handle.call_soon_threadsafe(move || drop(of_thread)).unwrap_err(),
        event_loop.call_soon(move || drop(of_soon)).unwrap_err(),
        event_loop.call_later(Duration::ZERO, move || drop(of_later)).unwrap_err(),
        event_loop.call_at(Duration::ZERO, move || drop(of_at)).unwrap_err(),
        event_loop
            .create_task(async move {
                drop(of_task);
                Ok(())
            })
            .unwrap_err(),
        event_loop.add_reader(ours, move || _ = &of_reader).unwrap_err(),
        event_loop.run_once(None).unwrap_err(),
        event_loop.run_forever().unwrap_err(),
        event_loop.run_until_complete(main).unwrap_err(),
    ]);
    for error in refused {
        assert_eq!(error.kind(), ErrorKind::Closed);
        assert_eq!(error.message(), "Event loop is closed");
    }
    trace.expect(
        ["call_soon_threadsafe", "call_soon", "later", "at", "create_task", "add_reader"]
            .map(|name| format!("{name} is dropped")),
    );
}

#[test]
fn what_does_not_schedule_still_works_on_a_closed_loop() {
    let event_loop = EventLoop::with_virtual_time();
    event_loop.run_once(Some(Duration::from_secs(1))).unwrap();
    let timer = event_loop.call_later(Duration::ZERO, || ()).unwrap();
    event_loop.close().unwrap();
    event_loop.close().unwrap();
    assert!(event_loop.is_closed() && !event_loop.is_running());
    assert_eq!(event_loop.time(), Duration::from_secs(1));
    assert_eq!(event_loop.pending_timers(), 0);
    assert!(event_loop.all_tasks().is_empty());
    timer.cancel();
    event_loop.stop();
    let (ours, _theirs) = local_pair().unwrap();
    assert!(!event_loop.remove_reader(&ours).unwrap());
    let fut = event_loop.create_future();
    fut.set_result(1).unwrap();
    assert_eq!(fut.result().unwrap(), 1);
}

#[test]
fn a_running_loop_refuses_to_close() {
    let trace = Trace::new();
    let event_loop = Rc::new(EventLoop::with_virtual_time());
    let (inner, says) = (event_loop.clone(), trace.clone());
    event_loop.call_soon(move || says.push(inner.close().unwrap_err().message())).unwrap();
    event_loop.call_soon(trace.says("the turn goes on")).unwrap();
    event_loop.run_once(None).unwrap();
    trace.expect(["Cannot close a running event loop", "the turn goes on"]);
    assert!(!event_loop.is_closed());
}

#[test]
fn close_drops_ready_entries_timers_sockets_and_tasks_in_order() {
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    let captured = |name: &'static str| on_drop(trace.says(name));
    let says = trace.clone();
    let handler = move |_: &callsoon::LoopRef, context: &callsoon::ExceptionContext| {
        let task = context.task.as_deref().unwrap_or_default();
        let name = task.split('\'').nth(1).unwrap_or("nobody");
        says.push(format!("{} {name}", context.message));
    };
    event_loop.set_exception_handler(Some(Rc::new(handler)));
    // In the opposite order of that in which they go.
    let (first, second) = (captured("task 1"), captured("task 2"));
    for task in [first, second] {
        let body = async move {
            let _task = task;
            pending::<Result<()>>().await
        };
        event_loop.create_task(body).unwrap();
    }
    event_loop.run_once(None).unwrap();
    let unstarted = captured("task 3");
    let body = async move {
        drop(unstarted);
        Ok(())
    };
    event_loop.create_task(body).unwrap();
    let (ours, _theirs) = local_pair().unwrap();
    let reader = captured("reader");
    event_loop.add_reader(ours, move || _ = &reader).unwrap();
    for name in ["late timer", "early timer"] {
        let timer = captured(name);
        let delay = Duration::from_secs(if name == "late timer" { 2 } else { 1 });
        event_loop.call_later(delay, move || drop(timer)).unwrap();
    }
    for name in ["ready 1", "ready 2"] {
        let ready = captured(name);
        event_loop.call_soon(move || drop(ready)).unwrap();
    }
    event_loop.close().unwrap();
    trace.expect([
        "ready 1",
        "ready 2",
        "early timer",
        "late timer",
        "reader",
        "Task was destroyed but it is pending! Task-1",
        "task 1",
        "Task was destroyed but it is pending! Task-2",
        "task 2",
        "Task was destroyed but it is pending! Task-3",
        "task 3",
    ]);
}

#[test]
fn dropping_the_loop_closes_it() {
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    let captured = on_drop(trace.says("captured is dropped"));
    event_loop.call_soon(move || drop(captured)).unwrap();
    let on = event_loop.clone();
    drop(event_loop);
    trace.expect(["captured is dropped"]);
    assert!(on.is_closed());
    assert_eq!(on.call_soon(|| ()).unwrap_err().kind(), ErrorKind::Closed);
}

#[test]
fn drops_during_close_may_call_the_loop_and_get_errors() {
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    let fut = event_loop.create_future::<i32>();
    let asks = |name: &'static str| {
        let (on, says, fut) = (event_loop.clone(), trace.clone(), fut.clone());
        on_drop(move || {
            assert!(on.is_closed() && !on.is_running());
            let answers = [
                on.call_soon(|| ()).unwrap_err().kind(),
                on.call_later(Duration::ZERO, || ()).unwrap_err().kind(),
                on.create_task(async { Ok(()) }).unwrap_err().kind(),
                on.handle().call_soon_threadsafe(|| ()).unwrap_err().kind(),
                try_create_task(async { Ok(()) }).unwrap_err().kind(),
            ];
            says.push(format!("{name} {answers:?} {}", fut.set_result(1).is_ok()));
        })
    };
    let (task, timer, ready, mail) = (asks("task"), asks("timer"), asks("ready"), asks("waiter"));
    let body = async move {
        let _task = task;
        pending::<Result<()>>().await
    };
    event_loop.create_task(body).unwrap();
    let waits = fut.clone();
    let waiter = async move {
        let _mail = mail;
        waits.await
    };
    event_loop.create_task(waiter).unwrap();
    event_loop.run_once(None).unwrap();
    event_loop.call_later(Duration::ZERO, move || drop(timer)).unwrap();
    event_loop.call_soon(move || drop(ready)).unwrap();
    event_loop.set_exception_handler(Some(Rc::new(|_, _| ())));
    event_loop.close().unwrap();
    let answers = "[Closed, Closed, Closed, Closed, Runtime]";
    trace.expect([
        format!("ready {answers} true"),
        format!("timer {answers} false"),
        format!("task {answers} false"),
        format!("waiter {answers} false"),
    ]);
}

/// A loop that is dropped by the drops of another loop, or by a callback of its own.
#[test]
fn a_loop_may_be_dropped_from_within_another_ones_turn() {
    let (trace, outer) = (Trace::new(), EventLoop::with_virtual_time());
    let inner = EventLoop::with_virtual_time();
    let captured = on_drop(trace.says("of the inner loop"));
    inner.call_soon(move || drop(captured)).unwrap();
    let says = trace.clone();
    outer
        .call_soon(move || {
            drop(inner);
            says.push("inner is gone");
        })
        .unwrap();
    outer.run_once(None).unwrap();
    trace.expect(["of the inner loop", "inner is gone"]);
}

#[test]
fn close_drops_a_scheduled_done_callback_without_calling_it() {
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    let fut = event_loop.create_future::<()>();
    let captured = RefCell::new(Some(on_drop(trace.says("captured is dropped"))));
    let says = trace.clone();
    fut.add_done_callback(move |_: &dyn callsoon::AnyFuture| {
        captured.take();
        says.push("called");
    });
    fut.set_result(()).unwrap();
    drop(fut);
    trace.expect_nothing();
    event_loop.close().unwrap();
    trace.expect(["captured is dropped"]);
}

#[test]
fn task_that_holds_its_own_handle_is_dropped() {
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    event_loop.set_exception_handler(Some(Rc::new(|_, _| ())));
    let own = Rc::new(RefCell::new(None));
    let (held, captured) = (own.clone(), on_drop(trace.says("body is dropped")));
    let task = event_loop
        .create_task(async move {
            let _captured = captured;
            yield_now().await?;
            held.borrow();
            pending::<Result<()>>().await
        })
        .unwrap();
    *own.borrow_mut() = Some(task);
    drop(own);
    event_loop.run_once(None).unwrap();
    event_loop.run_once(None).unwrap();
    trace.expect_nothing();
    drop(event_loop);
    trace.expect(["body is dropped"]);
}
