//! Running a loop to an end: `run`, `run_on`, `run_until_complete`, `run_forever`, `stop`,
//! and what becomes of the tasks that are left.

use std::time::Duration;

use callsoon::{
    AnyFuture, Error, ErrorKind, EventLoop, create_task, run_on, running_loop, sleep, yield_now,
};

use crate::driver::{Reports, run, secs, settle, turn};
use crate::support::trace::Trace;

// CPython: test_runners.RunTests.test_asyncio_run_return
// CPython: test_runners.RunTests.test_asyncio_run_raises
#[test]
fn run_returns_what_main_returns_and_closes_the_loop() {
    assert_eq!(callsoon::run(async { Ok(1) }).unwrap(), 1);
    let event_loop = EventLoop::with_virtual_time();
    let error = Error::new(ErrorKind::Value, "main's");
    let raised = error.clone();
    let outcome = run_on(&event_loop, async move { Err::<(), _>(raised) });
    assert!(outcome.unwrap_err().ptr_eq(&error));
    assert!(event_loop.is_closed() && !event_loop.is_running());
    let again = run_on(&event_loop, async { Ok(1) });
    assert_eq!(again.unwrap_err().kind(), ErrorKind::Closed);
}

#[test]
fn main_runs_as_the_current_task_of_the_running_loop() {
    assert!(running_loop().is_err());
    run(async {
        assert!(running_loop()?.is_running());
        assert_eq!(callsoon::current_task().expect("main is one").name(), "Task-1");
        Ok(())
    })
    .unwrap();
    assert!(running_loop().is_err());
}

// CPython: test_runners.RunTests.test_asyncio_run_cancels_hanging_tasks
#[test]
fn run_cancels_left_tasks_oldest_first_and_awaits_their_cleanup() {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let own = trace.clone();
    let main = async move {
        for (name, cleanup) in [("a", 3), ("b", 1), ("c", 2)] {
            let own = own.clone();
            create_task(async move {
                let outcome = sleep(secs(1000)).await;
                own.push(format!("{name} told"));
                sleep(secs(cleanup)).await?;
                own.push(format!("{name} cleaned up"));
                outcome
            });
        }
        yield_now().await?;
        own.push("main ends");
        Ok(())
    };
    run_on(&event_loop, main).unwrap();
    trace.expect([
        "main ends",
        "a told",
        "b told",
        "c told",
        "b cleaned up",
        "c cleaned up",
        "a cleaned up",
    ]);
    assert_eq!(event_loop.time(), secs(3));
    assert!(event_loop.is_closed());
}

#[test]
fn the_tasks_that_are_left_are_ended_when_main_fails_too() {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let own = trace.clone();
    let main = async move {
        create_task(async move {
            let outcome = sleep(secs(1000)).await;
            own.push(format!("{outcome:?}"));
            outcome
        });
        yield_now().await?;
        Err::<(), _>(Error::new(ErrorKind::Value, "main's"))
    };
    assert_eq!(run_on(&event_loop, main).unwrap_err().message(), "main's");
    trace.expect(["Err(CancelledError())"]);
}

#[test]
fn task_made_as_main_ends_has_one_step_and_its_child_has_none() {
    let trace = Trace::new();
    let own = trace.clone();
    run(async move {
        drop(create_task(async move {
            own.push("first step");
            let late = own.clone();
            create_task(async move {
                late.push("never");
                Ok(())
            });
            let outcome = sleep(secs(1000)).await;
            own.push(format!("{outcome:?}"));
            outcome
        }));
        Ok(())
    })
    .unwrap();
    trace.expect(["first step", "Err(CancelledError())"]);
}

// CPython: test_runners.RunTests.test_asyncio_run_reports_hanging_tasks_errors
#[test]
fn an_exception_of_a_task_that_is_left_is_reported() {
    let event_loop = EventLoop::with_virtual_time();
    let reports = Reports::of(&event_loop);
    let main = async {
        let task = create_task(async {
            assert!(sleep(secs(1000)).await.is_err());
            Err::<(), _>(Error::new(ErrorKind::Value, "in the cleanup"))
        });
        task.set_name("straggler");
        create_task(sleep(secs(1000)));
        yield_now().await
    };
    run_on(&event_loop, main).unwrap();
    let reports = reports.take();
    assert_eq!(reports.len(), 1, "a cancelled one is no news: {reports:?}");
    assert_eq!(reports[0].message, "unhandled exception during run() shutdown");
    assert_eq!(reports[0].exception.as_ref().unwrap().message(), "in the cleanup");
    assert_eq!(
        reports[0].task.as_deref(),
        Some(r#"<Task finished exception=ValueError("in the cleanup") name='straggler'>"#)
    );
}

#[test]
fn a_task_that_swallows_its_cancel_and_ends_is_waited_for() {
    let event_loop = EventLoop::with_virtual_time();
    let main = async {
        create_task(async {
            assert!(sleep(secs(1000)).await.is_err());
            sleep(secs(7)).await
        });
        yield_now().await
    };
    run_on(&event_loop, main).unwrap();
    assert_eq!(event_loop.time(), secs(7));
}

#[test]
fn task_that_swallows_cancels_and_awaits_nothing_is_destroyed() {
    let event_loop = EventLoop::with_virtual_time();
    let reports = Reports::of(&event_loop);
    let never = event_loop.create_future::<()>();
    let main = async move {
        let stubborn = create_task(async move {
            let _ = never.get_loop().create_future::<()>().await;
            never.await
        });
        stubborn.set_name("stubborn");
        yield_now().await?;
        Ok("main's")
    };
    assert_eq!(run_on(&event_loop, main).unwrap(), "main's");
    assert!(event_loop.is_closed());
    let reports = reports.take();
    assert_eq!(reports.len(), 1);
    assert_eq!(reports[0].message, "Task was destroyed but it is pending!");
    assert!(reports[0].task.as_ref().unwrap().starts_with("<Task cancelling name='stubborn'"));
}

#[test]
fn wind_down_reports_a_stall_and_closes_all_the_same() {
    let event_loop = EventLoop::with_virtual_time();
    let reports = Reports::of(&event_loop);
    let (first, second) = (event_loop.create_future::<()>(), event_loop.create_future::<()>());
    let stubborn = async move {
        let _ = first.await;
        second.await
    };
    event_loop.create_task(stubborn).unwrap();
    turn(&event_loop, 1);
    assert_eq!(event_loop.wind_down().unwrap_err().kind(), ErrorKind::Stalled);
    assert!(event_loop.is_closed());
    assert_eq!(reports.messages(), ["Task was destroyed but it is pending!"]);
}

#[test]
fn run_returns_an_error_after_a_successful_main() {
    let outcome = run(async {
        create_task(async {
            let slept = sleep(secs(1)).await;
            running_loop()?.stop();
            slept
        });
        yield_now().await
    });
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Runtime);
    assert_eq!(error.message(), "Event loop stopped before Future completed.");
}

#[test]
fn winding_down_a_loop_with_nothing_on_it_closes_it() {
    let event_loop = EventLoop::with_virtual_time();
    event_loop.wind_down().unwrap();
    assert!(event_loop.is_closed());
    assert_eq!(event_loop.wind_down().unwrap_err().kind(), ErrorKind::Closed);
}

#[test]
fn tasks_made_during_the_cancelling_are_destroyed_if_unfinished() {
    let event_loop = EventLoop::with_virtual_time();
    let reports = Reports::of(&event_loop);
    let main = async {
        create_task(async {
            let outcome = sleep(secs(1000)).await;
            create_task(sleep(secs(1000))).set_name("made late");
            outcome
        });
        yield_now().await
    };
    run_on(&event_loop, main).unwrap();
    let reports = reports.take();
    assert_eq!(reports.len(), 1);
    assert!(reports[0].task.as_ref().unwrap().contains("made late"));
    assert_eq!(event_loop.time(), Duration::ZERO);
}

#[test]
fn a_main_that_can_never_end_is_stalled() {
    let event_loop = EventLoop::with_virtual_time();
    let never = event_loop.create_future::<()>();
    let error = run_on(&event_loop, async move { never.await }).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Stalled);
    assert!(event_loop.is_closed());
}

#[test]
fn a_stalled_run_until_complete_can_be_taken_up_again() {
    let event_loop = EventLoop::with_virtual_time();
    let future = event_loop.create_future();
    let awaited = future.clone();
    let task = event_loop.create_task(async move { awaited.await }).unwrap();
    let stalled = event_loop.run_until_complete(task.clone());
    assert_eq!(stalled.unwrap_err().kind(), ErrorKind::Stalled);
    assert!(!event_loop.is_running());
    event_loop.call_later(secs(1), move || future.set_result(5)).unwrap();
    assert_eq!(event_loop.run_until_complete(task).unwrap(), 5);
}

#[test]
fn run_until_complete_takes_futures_and_tasks_too() {
    let event_loop = EventLoop::with_virtual_time();
    let future = event_loop.create_future();
    let promise = future.clone();
    event_loop.call_later(secs(1), move || promise.set_result(1)).unwrap();
    assert_eq!(event_loop.run_until_complete(future.clone()).unwrap(), 1);
    assert_eq!(event_loop.run_until_complete(future).unwrap(), 1, "one that is done already");
    let task = event_loop.create_task(async { Ok(2) }).unwrap();
    assert_eq!(event_loop.run_until_complete(task).unwrap(), 2);
}

#[test]
fn run_until_complete_stops_after_the_turn_of_the_callbacks() {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let future = event_loop.create_future();
    let own = trace.clone();
    future.add_done_callback(move |_: &dyn AnyFuture| own.push("added before"));
    let (promise, own, on) = (future.clone(), trace.clone(), event_loop.clone());
    event_loop
        .call_soon(move || {
            promise.set_result(1)?;
            let (next, on_again) = (own.clone(), on.clone());
            on.call_soon(move || {
                next.push("same turn");
                on_again.call_soon(next.says("left for the next run")).map(drop)
            })
            .map(drop)
        })
        .unwrap();
    event_loop.run_until_complete(future).unwrap();
    trace.expect(["added before", "same turn"]);
    settle(&event_loop);
    trace.expect(["left for the next run"]);
}

#[test]
fn run_until_complete_of_what_is_done_takes_one_turn() {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let future = event_loop.create_future();
    future.set_result(1).unwrap();
    event_loop.call_soon(trace.says("ready")).unwrap();
    let (own, on) = (trace.clone(), event_loop.clone());
    event_loop.call_soon(move || on.call_soon(own.says("next turn")).map(drop)).unwrap();
    event_loop.run_until_complete(future).unwrap();
    trace.expect(["ready"]);
    settle(&event_loop);
    trace.expect(["next turn"]);
}

// CPython: test_tasks.BaseTaskTests.test_stop_while_run_in_complete
#[test]
fn stop_before_the_future_is_done_is_an_error() {
    let event_loop = EventLoop::with_virtual_time();
    let future = event_loop.create_future::<i32>();
    let on = event_loop.clone();
    event_loop.call_soon(move || on.stop()).unwrap();
    let error = event_loop.run_until_complete(future.clone()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Runtime);
    assert_eq!(error.message(), "Event loop stopped before Future completed.");
    assert_eq!(format!("{future:?}"), "<Future pending>");
}

// CPython: test_tasks.BaseTaskTests.test_stop_while_run_in_complete
#[test]
fn a_task_that_outlives_a_stopped_run_goes_on_in_the_next() {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let own = trace.clone();
    let task = event_loop
        .create_task(async move {
            for round in 0..4 {
                own.push(round);
                yield_now().await?;
            }
            Ok(())
        })
        .unwrap();
    let on = event_loop.clone();
    event_loop.call_soon(move || on.stop()).unwrap();
    event_loop.run_forever().unwrap();
    trace.expect(["0"]);
    event_loop.stop();
    event_loop.run_forever().unwrap();
    trace.expect(["1"]);
    event_loop.run_until_complete(task).unwrap();
    trace.expect(["2", "3"]);
}

#[test]
fn a_run_inside_of_a_run_is_refused() {
    let event_loop = EventLoop::with_virtual_time();
    let other = EventLoop::with_virtual_time();
    let nested = async move {
        let own = running_loop()?;
        let elsewhere = other.run_until_complete(async { Ok(()) }).unwrap_err();
        assert_eq!(elsewhere.message(), "Cannot run the event loop while another loop is running");
        assert!(running_loop()?.ptr_eq(&own), "and nothing has changed");
        assert!(!other.is_running());
        Ok(())
    };
    event_loop.run_until_complete(nested).unwrap();
}

#[test]
fn the_same_loop_can_not_be_run_by_its_own_task() {
    let event_loop = std::rc::Rc::new(EventLoop::with_virtual_time());
    let itself = event_loop.clone();
    let nested = async move {
        let error = itself.run_until_complete(async { Ok(()) }).unwrap_err();
        assert_eq!(error.message(), "This event loop is already running");
        assert_eq!(itself.run_forever().unwrap_err().message(), error.message());
        assert_eq!(itself.close().unwrap_err().message(), "Cannot close a running event loop");
        assert_eq!(itself.all_tasks().len(), 1, "no task was made for it");
        Ok(())
    };
    event_loop.run_until_complete(nested).unwrap();
}

#[test]
fn run_on_is_refused_where_a_loop_runs_and_changes_neither_loop() {
    let event_loop = std::rc::Rc::new(EventLoop::with_virtual_time());
    let (itself, other) = (event_loop.clone(), EventLoop::with_virtual_time());
    let left = other.create_task(sleep(secs(1))).unwrap();
    let main = async move {
        for on in [&*itself, &other] {
            assert_eq!(run_on(on, async { Ok(()) }).unwrap_err().kind(), ErrorKind::Runtime);
            assert!(!on.is_closed());
            assert_eq!(on.all_tasks().len(), 1);
            assert_eq!(on.all_tasks()[0].cancelling(), 0);
        }
        yield_now().await?;
        Ok(other)
    };
    let main = event_loop.create_task(async move { main.await.map(std::rc::Rc::new) }).unwrap();
    let other = event_loop.run_until_complete(main).unwrap();
    other.run_until_complete(left).unwrap();
}

// CPython: test_tasks.BaseTaskTests.test_task_cancel_sleeping_task
#[test]
fn cancelling_main_from_a_callback_is_what_run_returns() {
    let event_loop = EventLoop::with_virtual_time();
    let on = event_loop.clone();
    event_loop
        .call_later(secs(1), move || {
            for task in on.all_tasks() {
                task.cancel();
            }
        })
        .unwrap();
    let error = run_on(&event_loop, sleep(secs(1000))).unwrap_err();
    assert!(error.is_cancelled());
    assert_eq!(event_loop.time(), secs(1));
}
