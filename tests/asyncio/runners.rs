//! `Runner`: a loop that is made when it is needed, runs one main after the other, and ends in
//! order.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::{Duration, Instant};

use callsoon::{
    AnyFuture, Error, ErrorKind, EventLoop, LoopRef, Result, Runner, create_task, generator, run,
    running_loop, sleep, yield_now,
};

use crate::driver::{Reports, secs};
use crate::support::trace::Trace;

fn on_virtual_time() -> Runner {
    Runner::with_loop_factory(EventLoop::with_virtual_time)
}

fn said<T>(outcome: Result<T>) -> (ErrorKind, String) {
    let error = outcome.err().expect("an error");
    (error.kind(), error.message())
}

fn is_closed<T>(outcome: Result<T>) -> bool {
    said(outcome) == (ErrorKind::Closed, "Runner is closed".to_owned())
}

/// A task that writes down how it is told to end, and that it has cleaned up, a second later.
async fn cleaning_up(trace: Trace) -> Result<()> {
    let slept = sleep(secs(1000)).await;
    trace.push(format!("told {slept:?}"));
    sleep(secs(1)).await?;
    trace.push("cleaned up");
    slept
}

// CPython: test_runners.RunnerTests.test_run
// CPython: test_runners.RunnerTests.test_explicit_close
// CPython: test_runners.RunnerTests.test_second_with_block_raises
#[test]
fn it_returns_what_main_returns_and_close_closes_the_loop() {
    let runner = on_virtual_time();
    let main = async {
        yield_now().await?;
        Ok("done")
    };
    assert_eq!(runner.run(main).unwrap(), "done");
    let error = Error::new(ErrorKind::Value, "main's");
    let raised = error.clone();
    assert!(runner.run(async { Err::<(), _>(raised) }).unwrap_err().ptr_eq(&error));
    let on = runner.get_loop().unwrap();
    assert!(!on.is_closed() && !on.is_running());
    runner.close().unwrap();
    assert!(on.is_closed());
    assert!(is_closed(runner.get_loop()));
    assert!(is_closed(runner.run(async { Ok(()) })));
}

#[test]
fn mains_share_one_loop_and_what_earlier_ones_left_on_it() {
    let (runner, trace) = (on_virtual_time(), Trace::new());
    let own = trace.clone();
    let first = async move {
        create_task(async move {
            for round in 1.. {
                own.push(format!("round {round} at {:?}", running_loop()?.time()));
                sleep(secs(1)).await?;
            }
            Ok(())
        });
        running_loop()
    };
    let on: LoopRef = runner.run(first).unwrap();
    trace.expect(["round 1 at 0ns"]);
    runner.run(sleep(secs(2))).unwrap();
    trace.expect(["round 2 at 1s", "round 3 at 2s"]);
    let last = runner.run(async { running_loop() }).unwrap();
    assert!(last.ptr_eq(&on) && runner.get_loop().unwrap().ptr_eq(&on));
    runner.close().unwrap();
    assert!(on.all_tasks().is_empty());
}

// CPython: test_runners.RunTests.test_asyncio_run_loop_factory
// CPython: test_runners.RunnerTests.test_custom_factory
#[test]
fn the_loop_is_made_once_and_not_before_it_is_needed() {
    let made = Rc::new(Cell::new(0));
    let count = made.clone();
    let runner = Runner::with_loop_factory(move || {
        count.set(count.get() + 1);
        EventLoop::with_virtual_time()
    });
    assert_eq!((made.get(), &*format!("{runner:?}")), (0, "<Runner [created]>"));
    let on = runner.get_loop().unwrap();
    assert_eq!((made.get(), &*format!("{runner:?}")), (1, "<Runner [initialized]>"));
    let running = runner.run(async { running_loop() }).unwrap();
    assert!(running.ptr_eq(&on));
    runner.run(async { Ok(()) }).unwrap();
    runner.close().unwrap();
    assert_eq!((made.get(), &*format!("{runner:?}")), (1, "<Runner [closed]>"));
}

// CPython: test_runners.RunTests.test_asyncio_run_debug
// CPython: test_runners.RunnerTests.test_non_debug
// CPython: test_runners.RunnerTests.test_debug
#[test]
fn debug_mode_is_as_it_is_told_or_else_as_the_factory_left_it() {
    for debug in [true, false] {
        let in_debug_mode = move || {
            let event_loop = EventLoop::with_virtual_time();
            event_loop.set_debug(debug);
            event_loop
        };
        let left = Runner::with_loop_factory(in_debug_mode);
        assert_eq!(left.get_loop().unwrap().debug(), debug);
        let told = Runner::with_loop_factory(in_debug_mode).with_debug(!debug);
        let main = async { Ok(running_loop()?.debug()) };
        assert_eq!(told.run(main).unwrap(), !debug);
    }
}

// CPython: test_runners.RunTests.test_loop_factory_default_event_loop
#[test]
fn without_a_factory_it_runs_on_the_machines_clock() {
    let runner = Runner::new();
    assert_eq!(runner.run(async { Ok(42) }).unwrap(), 42);
    let on = runner.get_loop().unwrap();
    assert!(!on.debug());
    // A virtual clock stands still here.
    let (outer, begun, inner) = (Instant::now(), on.time(), Instant::now());
    while inner.elapsed() < Duration::from_micros(1) {}
    let passed = on.time() - begun;
    assert!(passed >= Duration::from_micros(1) && passed <= outer.elapsed(), "{passed:?}");
    runner.close().unwrap();
}

#[test]
fn close_cancels_tasks_closes_generators_and_waits_for_both() {
    let (runner, trace) = (on_virtual_time(), Trace::new());
    let on = runner.get_loop().unwrap();
    let numbers = {
        let own = trace.clone();
        generator(async move |y| {
            let told = y.give(1).await;
            own.push("generator told");
            sleep(secs(1)).await?;
            own.push("generator cleaned up");
            told.map(drop)
        })
    };
    let (consumed, own) = (numbers.clone(), trace.clone());
    let main = async move {
        create_task(cleaning_up(own));
        assert_eq!(consumed.anext().await?, 1);
        yield_now().await
    };
    runner.run(main).unwrap();
    trace.expect_nothing();
    runner.close().unwrap();
    trace.expect([
        "told Err(CancelledError())",
        "cleaned up",
        "generator told",
        "generator cleaned up",
    ]);
    assert_eq!(on.time(), secs(2));
}

#[test]
fn what_fails_in_the_close_is_reported() {
    let runner = on_virtual_time();
    let reports = Reports::of(&runner.get_loop().unwrap());
    let main = async {
        create_task(async {
            assert!(sleep(secs(1000)).await.is_err());
            Err::<(), _>(Error::new(ErrorKind::Value, "in the cleanup"))
        });
        yield_now().await
    };
    runner.run(main).unwrap();
    runner.close().unwrap();
    let [report] = &reports.take()[..] else { panic!("one report") };
    assert_eq!(report.message, "unhandled exception during run() shutdown");
    assert_eq!(report.exception.as_ref().unwrap().message(), "in the cleanup");
}

// CPython: test_runners.RunnerTests.test_double_close
#[test]
fn close_does_nothing_a_second_time_or_before_there_is_a_loop() {
    let runner = on_virtual_time();
    runner.close().unwrap();
    assert_eq!(runner.run(async { Ok(1) }).unwrap(), 1, "there was nothing to close yet");
    runner.close().unwrap();
    runner.close().unwrap();
    assert!(is_closed(runner.get_loop()));
}

#[test]
fn a_close_that_stalls_says_so_and_is_one_all_the_same() {
    let runner = on_virtual_time();
    let on = runner.get_loop().unwrap();
    let reports = Reports::of(&on);
    let stubborn = async {
        let _ = running_loop()?.create_future::<()>().await;
        running_loop()?.create_future::<()>().await
    };
    on.create_task(stubborn).unwrap();
    runner.run(async { yield_now().await }).unwrap();
    assert_eq!(said(runner.close()).0, ErrorKind::Stalled);
    assert_eq!(reports.messages(), ["Task was destroyed but it is pending!"]);
    assert!(on.is_closed() && is_closed(runner.get_loop()));
}

// CPython: test_runners.RunTests.test_asyncio_run_from_running_loop
// CPython: test_runners.RunnerTests.test_recursive_run
#[test]
fn it_runs_nothing_where_a_loop_runs_be_it_its_own_or_another() {
    let refused = "Runner.run() cannot be called from a running event loop".to_owned();
    let runner = Rc::new(on_virtual_time());
    let (inner, other) = (runner.clone(), on_virtual_time());
    let main = async move {
        for runner in [&*inner, &other] {
            let never = async { panic!("it runs") as Result<()> };
            assert_eq!(said(runner.run(never)), (ErrorKind::Runtime, refused.clone()));
        }
        assert_eq!(format!("{other:?}"), "<Runner [created]>", "and made no loop for it");
        assert_eq!(callsoon::all_tasks().len(), 1, "nor a task");
        let nested = said(run(async { Ok(()) }));
        assert_eq!(nested.1, "run() cannot be called from a running event loop");
        Ok(())
    };
    runner.run(main).unwrap();
    runner.close().unwrap();
}

#[test]
fn close_inside_of_a_run_is_refused_and_the_runner_goes_on() {
    let runner = Rc::new(on_virtual_time());
    let inner = runner.clone();
    let main = async move {
        assert_eq!(said(inner.close()).0, ErrorKind::Runtime);
        yield_now().await
    };
    assert!(runner.run(main).unwrap_err().is_cancelled(), "as everything that was pending");
    assert_eq!(runner.run(async { Ok(1) }).unwrap(), 1);
    runner.close().unwrap();
    assert!(is_closed(runner.get_loop()));
}

#[test]
fn run_returns_a_mains_cancellation_and_can_run_the_next_main() {
    let runner = on_virtual_time();
    let on = runner.get_loop().unwrap();
    let future = on.create_future::<()>();
    let (awaited, cancels) = (future.clone(), on.clone());
    on.call_later(secs(1), move || {
        for task in cancels.all_tasks() {
            task.cancel();
        }
    })
    .unwrap();
    assert!(runner.run(async move { awaited.await }).unwrap_err().is_cancelled());
    assert!(future.cancelled());
    runner.run(sleep(secs(1))).unwrap();
    runner.close().unwrap();
}

#[test]
fn dropped_runner_runs_nothing_and_reports_pending_tasks() {
    let (runner, trace) = (on_virtual_time(), Trace::new());
    let on = runner.get_loop().unwrap();
    let reports = Reports::of(&on);
    on.create_task(cleaning_up(trace.clone())).unwrap();
    runner.run(async { yield_now().await }).unwrap();
    drop(runner);
    trace.expect_nothing();
    assert!(on.is_closed());
    assert_eq!(reports.messages(), ["Task was destroyed but it is pending!"]);
}

#[test]
fn factory_that_panics_or_needs_its_own_loop_gets_an_error() {
    let panics = Runner::with_loop_factory(|| panic!("no loop today"));
    assert!(catch_unwind(AssertUnwindSafe(|| panics.get_loop())).is_err());
    let nothing = (ErrorKind::Runtime, "Runner has no event loop yet".to_owned());
    assert_eq!(said(panics.run(async { Ok(()) })), nothing);
    panics.close().unwrap();

    let asked: Rc<std::cell::OnceCell<Runner>> = Rc::default();
    let itself = asked.clone();
    let runner = Runner::with_loop_factory(move || {
        assert_eq!(said(itself.get().expect("it is there").get_loop()), nothing);
        EventLoop::with_virtual_time()
    });
    let runner = asked.get_or_init(|| runner);
    assert_eq!(runner.run(async { Ok(1) }).unwrap(), 1);
    runner.close().unwrap();
}

/// A result need not be able to show itself.
// CPython: test_runners.RunnerTests.test_no_repr_is_call_on_the_task_result
#[test]
fn a_result_is_passed_on_and_not_looked_at() {
    #[derive(Clone)]
    struct Plain(i32);
    let runner = on_virtual_time();
    assert_eq!(runner.run(async { Ok(Plain(3)) }).unwrap().0, 3);
    runner.close().unwrap();
}
