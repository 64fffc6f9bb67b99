//! Async generators that a main leaves half way, or drops, as its loop is ended, and the reports.

use callsoon::{
    AnyFuture, AsyncGenerator, Error, ErrorKind, EventLoop, create_task, generator, run_on,
    running_loop, sleep, yield_now,
};

use crate::driver::{Reports, secs};
use crate::support::trace::Trace;

fn two() -> AsyncGenerator<i32> {
    generator(async |y| {
        y.give(1).await?;
        y.give(2).await.map(drop)
    })
}

fn fails_in_the_clean_up() -> AsyncGenerator<i32> {
    generator(async |y| {
        let _ = y.give(1).await;
        Err(Error::new(ErrorKind::Value, "in the clean-up"))
    })
}

// CPython: test_asyncgen.AsyncGenAsyncioTest.test_async_gen_asyncio_shutdown_02
// CPython: test_asyncgen.AsyncGenAsyncioTest.test_asyncgen_nonstarted_hooks_are_cancellable
#[test]
fn generator_left_or_dropped_that_ends_well_is_not_reported() {
    let event_loop = EventLoop::with_virtual_time();
    let reports = Reports::of(&event_loop);
    let held = two();
    let left = held.clone();
    let main = async move {
        left.anext().await?;
        two().anext().await
    };
    assert_eq!(run_on(&event_loop, main).unwrap(), 1);
    assert!(reports.messages().is_empty());
    assert_eq!(format!("{held:?}"), "<async_generator finished>");
}

// CPython: test_asyncgen.AsyncGenAsyncioTest.test_async_gen_asyncio_shutdown_exception_01
#[test]
fn an_error_of_one_that_is_left_half_way_is_reported_with_it() {
    let event_loop = EventLoop::with_virtual_time();
    let reports = Reports::of(&event_loop);
    let held = fails_in_the_clean_up();
    let left = held.clone();
    run_on(&event_loop, async move { left.anext().await }).unwrap();
    let [report] = &reports.take()[..] else { panic!("one report") };
    let message = "an error occurred during closing of asynchronous generator ";
    assert!(report.message.starts_with(message), "{}", report.message);
    assert_eq!(report.exception.as_ref().unwrap().message(), "in the clean-up");
    assert_eq!(report.asyncgen.as_deref(), Some("<async_generator finished>"));
}

/// The task that closes it is among those that are left, and fails.
// CPython: test_asyncgen.AsyncGenAsyncioTest.test_async_gen_asyncio_shutdown_exception_02
#[test]
fn error_of_a_generator_that_main_drops_is_a_left_tasks_report() {
    let event_loop = EventLoop::with_virtual_time();
    let reports = Reports::of(&event_loop);
    run_on(&event_loop, async { fails_in_the_clean_up().anext().await }).unwrap();
    let [report] = &reports.take()[..] else { panic!("one report") };
    assert_eq!(report.message, "unhandled exception during run() shutdown");
    assert_eq!(report.exception.as_ref().unwrap().message(), "in the clean-up");
    assert!(report.asyncgen.is_none());
}

// CPython: test_asyncgen.AsyncGenAsyncioTest.test_async_gen_asyncio_shutdown_01
#[test]
fn cancelled_tasks_finish_their_generator_before_the_shutdown() {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let waiter = |trace: &Trace| {
        let trace = trace.clone();
        generator(async move |y| {
            let outcome = match sleep(secs(1000)).await {
                Ok(()) => y.give(1).await.map(drop),
                cancelled => cancelled,
            };
            yield_now().await?;
            trace.push("finalized");
            outcome
        })
    };
    let tasks = [(); 2].map(|()| {
        let numbers = waiter(&trace);
        event_loop.create_task(async move { numbers.anext().await }).unwrap()
    });
    event_loop.run_until_complete(sleep(secs(1))).unwrap();
    for task in &tasks {
        assert!(task.cancel());
        assert!(event_loop.run_until_complete(task.clone()).unwrap_err().is_cancelled());
    }
    trace.expect(["finalized", "finalized"]);
    let on = event_loop.clone();
    event_loop.run_until_complete(async move { on.shutdown_asyncgens().await }).unwrap();
    trace.expect_nothing();
}

// CPython: test_runners.RunTests.test_asyncio_run_closes_gens_after_hanging_tasks_errors
#[test]
fn failed_main_leaves_the_generator_of_a_failing_task_finished() {
    let event_loop = EventLoop::with_virtual_time();
    let reports = Reports::of(&event_loop);
    let spinner = generator(async |y| {
        loop {
            y.give(1).await?;
            sleep(secs(1)).await?;
        }
    });
    let spun = spinner.clone();
    let task = event_loop
        .create_task(async move {
            loop {
                if spun.next().await.is_err() {
                    return Err::<(), _>(Error::new(ErrorKind::Value, "in the cancel"));
                }
            }
        })
        .unwrap();
    let main = async {
        create_task(async { Ok(()) });
        yield_now().await?;
        Err::<(), _>(Error::new(ErrorKind::Value, "main's"))
    };
    assert_eq!(run_on(&event_loop, main).unwrap_err().message(), "main's");
    assert!(task.done() && !task.cancelled());
    assert_eq!(reports.messages(), ["unhandled exception during run() shutdown"]);
    assert_eq!(format!("{spinner:?}"), "<async_generator finished>");
    assert!(task.to_any().exception().unwrap().is_some());
}

/// A generator with a clean-up that takes so many turns.
fn slow(trace: &Trace, turns: usize) -> AsyncGenerator<i32> {
    let trace = trace.clone();
    generator(async move |y| {
        let outcome = y.give(1).await;
        for _ in 0..turns {
            yield_now().await?;
        }
        trace.push("cleaned up");
        outcome.map(drop)
    })
}

#[test]
fn a_generator_dropped_by_a_cancelled_task_is_awaited() {
    for turns in 0..9 {
        let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
        let reports = Reports::of(&event_loop);
        let numbers = slow(&trace, turns);
        let main = async move {
            create_task(async move {
                while numbers.next().await?.is_some() {
                    sleep(secs(9)).await?;
                }
                Ok(())
            });
            yield_now().await?;
            yield_now().await
        };
        run_on(&event_loop, main).unwrap();
        trace.expect(["cleaned up"]);
        assert!(reports.messages().is_empty(), "{turns} turns: {:?}", reports.messages());
    }
}

/// It is dropped in the last turn of all that the end has for tasks, generators and threads.
#[test]
fn a_generator_dropped_in_the_last_turn_is_awaited() {
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    let numbers = slow(&trace, 2);
    let main = async move {
        numbers.next().await?;
        let on = running_loop()?;
        fn keep(turns: usize, numbers: AsyncGenerator<i32>) -> callsoon::Result<()> {
            match turns {
                0 => {
                    drop(numbers);
                    Ok(())
                }
                _ => running_loop()?.call_soon(move || keep(turns - 1, numbers)).map(drop),
            }
        }
        // Closing it is not what waits here: it has been shut down already.
        let other = slow(&Trace::new(), 0);
        on.call_soon(move || keep(4, other))?;
        on.shutdown_asyncgens().await?;
        let late = numbers.clone();
        on.call_soon(move || keep(4, late)).map(drop)
    };
    run_on(&event_loop, main).unwrap();
    trace.expect(["cleaned up"]);
}

#[test]
fn a_dropped_generator_is_no_affair_of_shutdown_asyncgens() {
    let event_loop = EventLoop::with_virtual_time();
    let (reports, trace) = (Reports::of(&event_loop), Trace::new());
    let numbers = slow(&trace, 5);
    let says = trace.clone();
    let main = async move {
        numbers.next().await?;
        drop(numbers);
        yield_now().await?;
        yield_now().await?;
        running_loop()?.shutdown_asyncgens().await?;
        says.push("shut down");
        sleep(secs(1)).await
    };
    run_on(&event_loop, main).unwrap();
    trace.expect(["shut down", "cleaned up"]);
    assert!(reports.messages().is_empty(), "{:?}", reports.messages());
}

/// CPython reports it, too: the closing that is under way is another task's.
#[test]
fn a_generator_being_closed_by_a_task_is_reported() {
    let event_loop = EventLoop::with_virtual_time();
    let (reports, trace) = (Reports::of(&event_loop), Trace::new());
    let numbers = slow(&trace, 5);
    let main = async move {
        numbers.next().await?;
        let closed = numbers.clone();
        let closing = create_task(async move { closed.aclose().await });
        yield_now().await?;
        running_loop()?.shutdown_asyncgens().await?;
        closing.await
    };
    run_on(&event_loop, main).unwrap();
    trace.expect(["cleaned up"]);
    let [report] = &reports.take()[..] else { panic!("one report") };
    let message = "aclose(): asynchronous generator is already running";
    assert_eq!(report.exception.as_ref().unwrap().message(), message);
}

#[test]
fn failing_generators_are_reported_when_all_are_closed() {
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    let says = trace.clone();
    event_loop.set_exception_handler(Some(std::rc::Rc::new(
        move |_: &callsoon::LoopRef, context: &callsoon::ExceptionContext| {
            says.push(context.exception.as_ref().unwrap().message());
        },
    )));
    let generators = [fails_in_the_clean_up(), slow(&trace, 3), fails_in_the_clean_up()];
    let main = async move {
        for numbers in &generators {
            numbers.next().await?;
        }
        running_loop()?.shutdown_asyncgens().await?;
        drop(generators);
        Ok(())
    };
    run_on(&event_loop, main).unwrap();
    trace.expect(["cleaned up", "in the clean-up", "in the clean-up"]);
}

/// Keys that are free again must not change the order.
#[test]
fn generators_are_closed_in_the_order_of_their_first_step() {
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    let named = |name: &'static str| {
        let trace = trace.clone();
        generator(async move |y| {
            let outcome = y.give(1).await.map(drop);
            trace.push(name);
            outcome
        })
    };
    let generators = [named("gone"), named("second"), named("first"), named("last")];
    let main = async move {
        let [gone, second, first, last] = generators;
        for numbers in [&gone, &first, &second] {
            numbers.next().await?;
        }
        drop(gone);
        sleep(secs(1)).await?;
        last.next().await?;
        running_loop()?.shutdown_asyncgens().await
    };
    run_on(&event_loop, main).unwrap();
    trace.expect(["gone", "first", "second", "last"]);
}

#[test]
fn a_cancelled_shutdown_of_generators_cancels_their_clean_up() {
    for turns in 0..4 {
        let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
        let reports = Reports::of(&event_loop);
        let says = trace.clone();
        let numbers = generator(async move |y| {
            let outcome = y.give(1).await.map(drop);
            sleep(secs(1)).await.inspect_err(|error| says.push(format!("{:?}", error.kind())))?;
            says.push("cleaned up");
            outcome
        });
        let says = trace.clone();
        let main = async move {
            numbers.next().await?;
            let shutting = create_task(async move {
                let outcome = running_loop()?.shutdown_asyncgens().await;
                says.push(format!("{:?}", outcome.as_ref().map_err(Error::kind)));
                outcome
            });
            for _ in 0..turns {
                yield_now().await?;
            }
            shutting.cancel();
            shutting.await
        };
        assert!(run_on(&event_loop, main).unwrap_err().is_cancelled());
        match turns {
            0 => trace.expect(["cleaned up"]), // by the end of `run_on`
            // Thrown where the generator stands, as its closing has not begun.
            1 => trace.expect(["cleaned up", "Err(Cancelled)"]),
            _ => trace.expect(["Cancelled", "Err(Cancelled)"]),
        }
        assert!(reports.messages().is_empty(), "{:?}", reports.messages());
    }
}

/// The task that closes it holds it, and the end of the run has no more to do.
#[test]
fn a_generator_dropped_while_it_is_shut_down_is_closed_once() {
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    let reports = Reports::of(&event_loop);
    let numbers = slow(&trace, 0);
    let (says, on) = (trace.clone(), event_loop.clone());
    let main = async move {
        numbers.next().await?;
        // Behind the step in which the shutdown begins, before the one that closes.
        let next = on.clone();
        on.call_soon(move || {
            drop(numbers);
            // In the next turn a task of its own would be there.
            let after = next.clone();
            next.call_soon(move || says.push(format!("{} task", after.all_tasks().len()))).map(drop)
        })?;
        on.shutdown_asyncgens().await?;
        Ok(())
    };
    run_on(&event_loop, main).unwrap();
    trace.expect(["cleaned up", "1 task"]);
    assert!(reports.messages().is_empty(), "{:?}", reports.messages());
}
