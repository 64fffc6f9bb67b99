//! A task by itself: its start, its end, its name, and who knows of it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use callsoon::{
    AnyFuture, Callback, Error, ErrorKind, EventLoop, Result, Task, all_tasks, create_task,
    current_task, running_loop, sleep, try_create_task, yield_now,
};

use crate::driver::{run, secs, settle, turn};
use crate::support::on_drop::on_drop;
use crate::support::panics::assert_needs_a_loop;
use crate::support::trace::Trace;

#[test]
fn a_task_never_runs_where_it_is_made() {
    run(async {
        let trace = Trace::new();
        running_loop()?.call_soon(trace.says("ready before"))?;
        let own = trace.clone();
        let task = create_task(async move {
            own.push("first step");
            Ok(())
        });
        running_loop()?.call_soon(trace.says("ready after"))?;
        trace.expect_nothing();
        task.await?;
        trace.expect(["ready before", "first step", "ready after"]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn tasks_take_turns_in_the_order_of_making() {
    run(async {
        let trace = Trace::new();
        for name in ["a", "b", "c"] {
            let own = trace.clone();
            create_task(async move {
                for round in 1..=2 {
                    own.push(format!("{name}{round}"));
                    yield_now().await?;
                }
                Ok(())
            });
        }
        sleep(secs(1)).await?;
        trace.expect(["a1", "b1", "c1", "a2", "b2", "c2"]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_task_goes_on_when_its_handle_is_dropped() {
    run(async {
        let future = running_loop()?.create_future();
        let promise = future.clone();
        drop(create_task(async move {
            sleep(secs(1)).await?;
            promise.set_result(1)
        }));
        assert_eq!(future.await?, 1);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_tasks_result_is_its_own_to_set() {
    run(async {
        let task = create_task(async { Ok(1) });
        let any = current_task().expect("this is one");
        let refusals = [
            task.set_result(2).unwrap_err(),
            task.set_exception(Error::new(ErrorKind::Value, "")).unwrap_err(),
            any.set_exception(Error::new(ErrorKind::Value, "")).unwrap_err(),
        ];
        assert!(refusals.iter().all(|error| error.kind() == ErrorKind::Runtime));
        assert_eq!(refusals[0].message(), "Task does not support set_result operation");
        assert_eq!(refusals[1].message(), "Task does not support set_exception operation");
        assert_eq!(task.await?, 1);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_task_is_known_by_its_number_until_it_is_given_a_name() {
    let event_loop = EventLoop::with_virtual_time();
    let first = event_loop.create_task(async { Ok(()) }).unwrap();
    let second = event_loop.create_task(async { Ok(()) }).unwrap();
    assert_eq!((&*first.name(), &*second.name()), ("Task-1", "Task-2"));
    first.set_name("worker");
    assert_eq!(first.clone().name(), "worker");
    event_loop.all_tasks()[1].set_name("by another handle");
    assert_eq!(second.name(), "by another handle");
    settle(&event_loop);
    let third = event_loop.create_task(async { Ok(()) }).unwrap();
    assert_eq!(third.name(), "Task-3", "a number is never used again");
    assert_eq!(first.name(), "worker", "a task that is over keeps its name");
}

#[test]
fn a_task_knows_where_it_was_made() {
    let event_loop = EventLoop::with_virtual_time();
    let line = line!() + 1;
    let task = event_loop.create_task(async { Ok(()) }).unwrap();
    assert_eq!((task.spawned_at().file(), task.spawned_at().line()), (file!(), line));
    assert_eq!(event_loop.all_tasks()[0].spawned_at(), task.spawned_at());
    let made = run(async { Ok(create_task(async { Ok(()) }).spawned_at().file()) });
    assert_eq!(made.unwrap(), file!());
}

#[test]
fn there_is_no_current_task_in_callbacks_and_outside_of_loops() {
    assert!(current_task().is_none());
    run(async {
        let trace = Trace::new();
        let own = trace.clone();
        running_loop()?.call_soon(move || own.push(current_task().is_none()))?;
        let own = trace.clone();
        let task = create_task(async { Ok(()) });
        task.add_done_callback(move |_: &dyn AnyFuture| own.push(current_task().is_none()));
        task.await?;
        yield_now().await?;
        trace.expect(["true", "true"]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn the_current_task_is_that_whose_step_is_under_way() {
    run(async {
        let main = current_task().expect("main is one");
        let child = create_task(async {
            let before = current_task().expect("it runs").id();
            yield_now().await?;
            assert_eq!(current_task().expect("it runs").id(), before);
            Ok(before)
        });
        assert_eq!((&child).await?, child.id());
        assert_eq!(current_task().expect("main again").id(), main.id());
        assert_ne!(main.id(), child.id());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_panic_leaves_no_current_task_behind() {
    let event_loop = EventLoop::with_virtual_time();
    let task = event_loop.create_task(async { panic!("in a step") as Result<()> }).unwrap();
    settle(&event_loop);
    assert!(event_loop.current_task().is_none());
    assert_eq!(task.exception().unwrap().unwrap().kind(), ErrorKind::Panic);
}

#[test]
fn all_tasks_are_those_that_are_not_over_oldest_first() {
    run(async {
        let names =
            || -> Result<Vec<String>> { Ok(all_tasks().iter().map(AnyFuture::name).collect()) };
        let short = create_task(async { Ok(()) });
        let long = create_task(sleep(secs(1)));
        let failing = create_task(async { Err::<(), _>(Error::cancelled()) });
        assert_eq!(names()?, ["Task-1", "Task-2", "Task-3", "Task-4"]);
        short.await?;
        assert_eq!(names()?, ["Task-1", "Task-3"], "{failing:?}");
        let newest = create_task(sleep(secs(1)));
        assert_eq!(names()?, ["Task-1", "Task-3", "Task-5"], "though a place was free");
        long.await?;
        newest.await?;
        assert_eq!(names()?, ["Task-1"]);
        Ok(())
    })
    .unwrap();
    assert_needs_a_loop(all_tasks);
}

#[test]
fn a_task_of_the_list_is_the_task_itself() {
    run(async {
        let task = create_task(sleep(secs(1)));
        let any = all_tasks().pop().expect("the newest is last");
        assert_eq!(any.id(), task.id());
        assert!(!any.done() && any.exception().is_err());
        yield_now().await?;
        assert!(any.cancel());
        assert_eq!((any.cancelling(), any.uncancel()), (1, 0));
        assert_eq!(task.cancelling(), 0);
        assert!((&task).await.unwrap_err().is_cancelled());
        assert!(any.done() && any.cancelled() && any.exception().unwrap_err().is_cancelled());
        Ok(())
    })
    .unwrap();
}

#[test]
fn callbacks_of_a_task_of_the_list_are_callbacks_of_the_task() {
    run(async {
        let trace = Trace::new();
        let task = create_task(async { Ok(()) });
        let any = all_tasks().pop().expect("the newest is last");
        let own = trace.clone();
        let callback = callsoon::Callback::new(move |done: &dyn AnyFuture| own.push(done.name()));
        any.add_callback(callback.clone());
        any.add_callback(callback.clone());
        assert!(task.has_callback(&callback));
        assert_eq!(any.remove_done_callback(&callback), 2);
        assert!(!any.has_callback(&callback));
        any.to_any().add_callback(callback);
        task.await?;
        yield_now().await?;
        trace.expect(["Task-2"]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_tasks_body_is_dropped_before_the_task_is_over() {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let over: Rc<RefCell<Option<Task<()>>>> = Rc::default();
    let (own, asked) = (trace.clone(), over.clone());
    let guard = on_drop(move || own.push(format!("dropped with {:?}", asked.borrow())));
    let task = event_loop.create_task(async move {
        let _guard = guard;
        yield_now().await
    });
    let task = task.unwrap();
    over.replace(Some(task.clone()));
    let own = trace.clone();
    task.add_done_callback(move |_: &dyn AnyFuture| own.push("callback"));
    task.set_name("x");
    settle(&event_loop);
    trace.expect(["dropped with Some(<Task pending name='x' callbacks=1>)", "callback"]);
}

#[test]
fn what_a_body_captured_is_dropped_when_it_never_ran() {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let guard = on_drop(trace.says("dropped"));
    let task = event_loop
        .create_task(async move {
            let _guard = guard;
            Ok(())
        })
        .unwrap();
    task.cancel();
    trace.expect_nothing();
    turn(&event_loop, 1);
    trace.expect(["dropped"]);
    assert!(task.cancelled());
}

#[test]
fn after_close_no_task_can_be_made_and_what_was_given_is_dropped() {
    let event_loop = EventLoop::with_virtual_time();
    event_loop.close().unwrap();
    let trace = Trace::new();
    let guard = on_drop(trace.says("dropped"));
    let refused = event_loop.create_task(async move {
        drop(guard);
        Ok(())
    });
    let error = refused.unwrap_err();
    assert_eq!((error.kind(), &*error.message()), (ErrorKind::Closed, "Event loop is closed"));
    trace.expect(["dropped"]);
    assert!(event_loop.all_tasks().is_empty());
}

#[test]
fn without_a_loop_there_is_no_task() {
    assert_needs_a_loop(|| create_task(async { Ok(()) }));
    let error = try_create_task(async { Ok(()) }).unwrap_err();
    assert_eq!((error.kind(), &*error.message()), (ErrorKind::Runtime, "no running event loop"));
}

#[test]
fn thirty_thousand_tasks_come_and_go() {
    let event_loop = EventLoop::with_virtual_time();
    let done = Rc::new(Cell::new(0));
    for _ in 0..30_000 {
        let done = done.clone();
        let body = async move {
            yield_now().await?;
            done.set(done.get() + 1);
            Ok(())
        };
        event_loop.create_task(body).unwrap();
    }
    settle(&event_loop);
    assert_eq!(done.get(), 30_000);
    assert!(event_loop.all_tasks().is_empty());
}

#[test]
fn a_task_knows_its_loop() {
    let loops = [EventLoop::with_virtual_time(), EventLoop::with_virtual_time()];
    for event_loop in &loops {
        let task = event_loop.create_task(async { Ok("ok") }).unwrap();
        assert!(task.get_loop().ptr_eq(event_loop));
        assert_eq!(event_loop.run_until_complete(task.clone()).unwrap(), "ok");
        assert!(task.done() && task.get_loop().ptr_eq(event_loop));
    }
}

#[test]
fn a_future_that_a_task_returns_is_its_result_and_is_not_awaited() {
    let event_loop = EventLoop::with_virtual_time();
    let future = event_loop.create_future::<i32>();
    let returned = future.clone();
    let task = event_loop.create_task(async move { Ok(returned) }).unwrap();
    let given = event_loop.run_until_complete(task).unwrap();
    assert_eq!(given.id(), future.id());
    assert!(!future.done());
}

/// What a loop tells of its tasks is a handle like any other, but for the value.
#[test]
fn a_task_without_its_type_does_what_the_task_does() {
    let event_loop = EventLoop::with_virtual_time();
    let task = event_loop.create_task(sleep(secs(1))).unwrap();
    let any = event_loop.all_tasks().remove(0);
    assert_eq!(any.id(), task.id());
    let refused = AnyFuture::set_exception(&any, Error::cancelled()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Runtime);
    assert!(any.check_settable().is_err() && !task.done());
    assert_eq!(any.outcome().unwrap_err().kind(), ErrorKind::InvalidState);
    let callback = Callback::new(|_: &dyn AnyFuture| ());
    any.add_callback(callback.clone());
    assert!(any.has_callback(&callback) && task.has_callback(&callback));
    assert_eq!(any.remove_done_callback(&callback), 1);
    assert!(!any.has_callback(&callback));
    let weak = any.downgrade();
    assert_eq!(weak.upgrade().map(|any| any.id()), Some(task.id()));
    assert!(any.cancel());
    settle(&event_loop);
    assert!(any.done() && any.cancelled() && any.exception().unwrap_err().is_cancelled());
    drop((any, task));
    assert!(weak.upgrade().is_none());
}
