//! The end of `run`, and what becomes there of all that its main task leaves behind.

use std::rc::Rc;
use std::time::Duration;

use callsoon::{
    Error, ErrorKind, EventLoop, ExceptionContext, LoopRef, create_task, generator, run_on, sleep,
    yield_now,
};

use crate::support::trace::Trace;

const HOUR: Duration = Duration::from_secs(3600);

fn told_to(trace: &Trace, event_loop: &EventLoop) {
    let says = trace.clone();
    let handler = move |_: &LoopRef, context: &ExceptionContext| {
        says.push(format!("{} | {:?}", context.message, context.exception));
    };
    event_loop.set_exception_handler(Some(Rc::new(handler)));
}

#[test]
fn run_cancels_left_tasks_oldest_first_and_awaits_clean_up() {
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    told_to(&trace, &event_loop);
    let says = trace.clone();
    let answer = run_on(&event_loop, async move {
        for name in ["a", "b", "c"] {
            let says = says.clone();
            create_task(async move {
                let slept = sleep(HOUR).await;
                says.push(format!("{name} is cancelled"));
                sleep(HOUR).await?;
                says.push(format!("{name} has cleaned up"));
                if name == "b" {
                    return Err(Error::new(ErrorKind::Value, "in the clean-up"));
                }
                slept
            });
        }
        yield_now().await?;
        Ok("main")
    });
    assert_eq!(answer.unwrap(), "main");
    trace.expect([
        "a is cancelled",
        "b is cancelled",
        "c is cancelled",
        "a has cleaned up",
        "b has cleaned up",
        "c has cleaned up",
        "unhandled exception during run() shutdown | Some(ValueError(\"in the clean-up\"))",
    ]);
    assert!(event_loop.is_closed());
    assert_eq!(event_loop.time(), HOUR);
}

// CPython: test_runners.RunTests.test_asyncio_run_closes_gens_after_hanging_tasks_errors
#[test]
fn run_closes_the_generators_after_the_tasks() {
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    told_to(&trace, &event_loop);
    let says = trace.clone();
    run_on(&event_loop, async move {
        let task_says = says.clone();
        create_task(async move {
            let slept = sleep(HOUR).await;
            task_says.push("task ends");
            slept
        });
        let open = generator(async move |y| {
            let gave = y.give(1).await;
            yield_now().await?;
            says.push("generator ends");
            gave.map(drop)
        });
        open.anext().await?;
        // It is never dropped, so that it is open to the end.
        std::mem::forget(open);
        Ok(())
    })
    .unwrap();
    trace.expect(["task ends", "generator ends"]);
}

#[test]
fn run_returns_the_main_tasks_error_after_winding_down() {
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    let says = trace.clone();
    let error = run_on(&event_loop, async move {
        create_task(async move {
            let slept = sleep(HOUR).await;
            says.push(format!("cancelled: {}", slept.is_err()));
            slept
        });
        yield_now().await?;
        Err::<(), _>(Error::new(ErrorKind::Value, "main's own"))
    })
    .unwrap_err();
    assert_eq!(error.message(), "main's own");
    trace.expect(["cancelled: true"]);
    assert!(event_loop.is_closed());
}

#[test]
fn a_main_task_that_can_never_end_is_an_error_and_not_a_hang() {
    let event_loop = EventLoop::with_virtual_time();
    let on = event_loop.clone();
    let error = run_on(&event_loop, async move { on.create_future::<()>().await }).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Stalled);
    assert!(event_loop.is_closed());
}
