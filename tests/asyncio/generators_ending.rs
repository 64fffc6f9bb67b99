//! The closing of async generators: by hand, by being dropped, and with their loop.

use std::future::Future;
use std::task::Poll;

use callsoon::{
    AnyFuture, AsyncGenerator, Error, ErrorKind, EventLoop, Result, TaskGroup, create_task,
    current_task, generator, run_on, running_loop, sleep, yield_now,
};

use crate::combinators::{boxed, select};
use crate::driver::{Reports, run, secs, turn};
use crate::support::on_drop::on_drop;
use crate::support::trace::Trace;

fn kind<T>(outcome: Result<T>) -> Option<ErrorKind> {
    outcome.err().map(|error| error.kind())
}

/// Gives numbers for ever, and pushes how it ends, after a clean-up of one second.
fn endless(trace: &Trace, name: &'static str) -> AsyncGenerator<i32> {
    let trace = trace.clone();
    generator(async move |y| {
        for number in 1.. {
            if let Err(error) = y.give(number).await {
                trace.push(format!("{name}: {error}"));
                sleep(secs(1)).await?;
                trace.push(format!("{name}: cleaned up"));
                return Err(error);
            }
        }
        Ok(())
    })
}

/// Gives on, whatever it is told.
fn stubborn() -> AsyncGenerator<i32> {
    generator(async |y| {
        for number in 1.. {
            let _ = y.give(number).await;
        }
        Ok(())
    })
}

// CPython: test_asyncgen.AsyncGenAsyncioTest.test_async_gen_aclose_twice_with_different_coros
#[test]
fn closing_one_that_has_not_started_means_the_body_never_runs() {
    run(async {
        let trace = Trace::new();
        let numbers = endless(&trace, "n");
        numbers.aclose().await?;
        assert_eq!(numbers.next().await?, None);
        numbers.aclose().await?;
        assert_eq!(numbers.athrow(Error::new(ErrorKind::Value, "")).await?, None);
        assert_eq!(kind(numbers.asend(Some(())).await), Some(ErrorKind::StopAsyncIteration));
        trace.expect_nothing();
        Ok(())
    })
    .unwrap();
}

// CPython: test_asyncgen.AsyncGenAsyncioTest.test_async_gen_asyncio_aclose_07
// CPython: test_asyncgen.AsyncGenAsyncioTest.test_async_gen_asyncio_aclose_08
#[test]
fn aclose_throws_an_exit_at_the_last_yield_and_awaits_clean_up() {
    run(async {
        let trace = Trace::new();
        let numbers = endless(&trace, "n");
        numbers.anext().await?;
        numbers.aclose().await?;
        trace.expect(["n: GeneratorExit", "n: cleaned up"]);
        assert_eq!(running_loop()?.time(), secs(1));
        assert_eq!(numbers.next().await?, None);
        numbers.aclose().await?;
        trace.expect_nothing();
        Ok(())
    })
    .unwrap();
}

// CPython: test_asyncgen.AsyncGenAsyncioTest.test_async_gen_asyncio_aclose_10
#[test]
fn a_body_that_returns_when_it_is_closed_is_as_good() {
    run(async {
        let trace = Trace::new();
        let own = trace.clone();
        let numbers = generator(async move |y| {
            let _ = y.give(1).await;
            own.push("goes on");
            Ok(())
        });
        numbers.anext().await?;
        numbers.aclose().await?;
        trace.expect(["goes on"]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn an_error_of_the_clean_up_comes_out_of_the_close() {
    run(async {
        let numbers = generator(async |y| {
            let _ = y.give(1).await;
            Err(Error::new(ErrorKind::Value, "in the clean-up"))
        });
        numbers.anext().await?;
        assert_eq!(numbers.aclose().await.unwrap_err().message(), "in the clean-up");
        numbers.aclose().await?;
        assert_eq!(numbers.next().await?, None);
        Ok(())
    })
    .unwrap();
}

// CPython: test_asyncgen.AsyncGenAsyncioTest.test_async_gen_asyncio_aclose_06
// CPython: test_asyncgen.AsyncGenAsyncioTest.test_async_gen_asyncio_aclose_11
#[test]
fn a_body_that_ignores_the_exit_is_a_mistake() {
    run(async {
        let numbers = stubborn();
        numbers.anext().await?;
        let error = numbers.aclose().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Runtime);
        assert_eq!(error.message(), "async generator ignored GeneratorExit");
        assert_eq!(numbers.anext().await?, 3, "it goes on giving");
        assert_eq!(kind(numbers.aclose().await), Some(ErrorKind::StopAsyncIteration));
        let thrown = numbers.athrow(Error::new(ErrorKind::Value, "")).await;
        assert_eq!(kind(thrown), Some(ErrorKind::StopAsyncIteration));
        let awaits = generator(async |y| {
            let told = y.give(1).await;
            sleep(secs(1)).await?;
            y.give(12).await?;
            told.map(drop)
        });
        awaits.anext().await?;
        let error = awaits.aclose().await.unwrap_err();
        assert_eq!(error.message(), "async generator ignored GeneratorExit");
        assert_eq!(running_loop()?.time(), secs(1));
        Ok(())
    })
    .unwrap();
}

// CPython: test_asyncgen.AsyncGenAsyncioTest.test_async_gen_asyncio_gc_aclose_09
#[test]
fn generator_dropped_unfinished_is_closed_by_a_task_of_the_loop() {
    run(async {
        let trace = Trace::new();
        let numbers = endless(&trace, "n");
        numbers.anext().await?;
        let other = numbers.clone();
        drop(numbers);
        yield_now().await?;
        yield_now().await?;
        trace.expect_nothing();
        drop(other);
        trace.expect_nothing();
        yield_now().await?;
        trace.expect_nothing();
        yield_now().await?;
        trace.expect(["n: GeneratorExit"]);
        sleep(secs(5)).await?;
        trace.expect(["n: cleaned up"]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn leaving_a_loop_over_it_does_not_close_it() {
    run(async {
        let trace = Trace::new();
        let numbers = endless(&trace, "n");
        while let Some(number) = numbers.next().await? {
            if number == 2 {
                break;
            }
        }
        sleep(secs(5)).await?;
        trace.expect_nothing();
        assert_eq!(numbers.next().await?, Some(3));
        numbers.aclose().await
    })
    .unwrap();
}

#[test]
fn unstarted_or_finished_generator_is_dropped_without_a_task() {
    run(async {
        let trace = Trace::new();
        let (unstarted, closed) = (endless(&trace, "unstarted"), endless(&trace, "closed"));
        closed.aclose().await?;
        let finished = generator(async |y| y.give(1).await.map(drop));
        while finished.next().await?.is_some() {}
        drop((unstarted, closed, finished));
        yield_now().await?;
        assert_eq!(callsoon::all_tasks().len(), 1);
        trace.expect_nothing();
        Ok(())
    })
    .unwrap();
}

#[test]
fn error_of_closing_a_dropped_generator_is_its_tasks_report() {
    let event_loop = EventLoop::with_virtual_time();
    let reports = Reports::of(&event_loop);
    let dropped = async {
        let numbers = generator(async |y| {
            let _ = y.give(1).await;
            Err(Error::new(ErrorKind::Value, "in the clean-up"))
        });
        numbers.anext().await.map(drop)
    };
    // It is dropped in the turn before the one in which the run stops.
    event_loop.run_until_complete(dropped).unwrap();
    turn(&event_loop, 1);
    let report = &reports.take()[0];
    assert_eq!(report.message, "Task exception was never retrieved");
    assert_eq!(report.exception.as_ref().unwrap().message(), "in the clean-up");
}

#[test]
fn the_loops_shutdown_closes_all_that_have_started() {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let (one, two) = (endless(&trace, "one"), endless(&trace, "two"));
    let (unstarted, over) = (endless(&trace, "unstarted"), endless(&trace, "over"));
    let (first, second, on) = (one.clone(), two.clone(), event_loop.clone());
    let shutdown = async move {
        over.anext().await?;
        first.anext().await?;
        second.anext().await?;
        over.aclose().await?;
        on.shutdown_asyncgens().await
    };
    event_loop.run_until_complete(shutdown).unwrap();
    trace.expect([
        "over: GeneratorExit",
        "over: cleaned up",
        "one: GeneratorExit",
        "two: GeneratorExit",
        "one: cleaned up",
        "two: cleaned up",
    ]);
    assert_eq!(event_loop.time(), secs(2), "all at once");
    drop((one, two, unstarted));
    assert_eq!(event_loop.run_once(Some(secs(0))).unwrap(), 0, "there is nothing left to close");
}

#[test]
fn error_in_the_shutdown_is_reported_with_the_generator() {
    let event_loop = EventLoop::with_virtual_time();
    let reports = Reports::of(&event_loop);
    let (numbers, on) = (stubborn(), event_loop.clone());
    let consumed = numbers.clone();
    let shutdown = async move {
        consumed.anext().await?;
        on.shutdown_asyncgens().await
    };
    event_loop.run_until_complete(shutdown).unwrap();
    let report = &reports.take()[0];
    assert_eq!(
        report.message,
        "an error occurred during closing of asynchronous generator <async_generator suspended>"
    );
    assert_eq!(
        report.exception.as_ref().unwrap().message(),
        "async generator ignored GeneratorExit"
    );
    assert_eq!(report.asyncgen.as_deref(), Some("<async_generator suspended>"));
    drop(numbers);
}

#[test]
fn generator_started_after_a_shutdown_is_closed_by_the_next() {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let (numbers, on) = (endless(&trace, "late"), event_loop.clone());
    let consumed = numbers.clone();
    let late = async move {
        on.shutdown_asyncgens().await?;
        consumed.anext().await?;
        on.shutdown_asyncgens().await
    };
    event_loop.run_until_complete(late).unwrap();
    trace.expect(["late: GeneratorExit", "late: cleaned up"]);
}

#[test]
fn generator_of_a_cancelled_shutdown_is_closed_at_its_drop() {
    let (event_loop, trace) = (EventLoop::with_virtual_time(), Trace::new());
    let (own, on) = (trace.clone(), event_loop.clone());
    let numbers: AsyncGenerator<i32> = generator(async move |y| {
        sleep(secs(1)).await?;
        let outcome = y.give(1).await;
        own.push(format!("{:?}", outcome.as_ref().map(drop)));
        outcome.map(drop)
    });
    let main = async move {
        let consumer = create_task(async move { numbers.anext().await });
        yield_now().await?;
        let shutdown = create_task(async move { on.shutdown_asyncgens().await });
        yield_now().await?;
        shutdown.cancel();
        assert_eq!(consumer.await?, 1, "it was running, and was not closed");
        yield_now().await?;
        // CPython keeps the generator alive as long as this task, which has the traceback.
        assert!(shutdown.cancelled());
        trace.expect(["Err(GeneratorExit(\"\"))"]);
        drop(shutdown);
        Ok(())
    };
    event_loop.run_until_complete(main).unwrap();
}

/// The shutdown has it until it returns, as CPython's has a reference. So `run` finds no task that closes it,
/// which it would cancel.
#[test]
fn generator_dropped_amid_a_shutdown_is_closed_after_it() {
    let (event_loop, trace) = (EventLoop::with_virtual_time(), Trace::new());
    let (own, on) = (trace.clone(), event_loop.clone());
    event_loop.set_exception_handler(Some(std::rc::Rc::new(|_, _| ())));
    let numbers: AsyncGenerator<i32> = generator(async move |y| {
        y.give(1).await?;
        for _ in 0..3 {
            yield_now().await?;
        }
        let outcome = y.give(2).await;
        own.push(format!("{:?}", outcome.as_ref().map(drop)));
        outcome.map(drop)
    });
    let main = async move {
        create_task(async move { on.shutdown_asyncgens().await });
        assert_eq!(numbers.anext().await?, 1);
        assert_eq!(numbers.anext().await?, 2, "it was running, and was not closed");
        Ok(())
    };
    run_on(&event_loop, main).unwrap();
    trace.expect(["Err(GeneratorExit(\"\"))"]);
}

/// A closing that was cancelled before its first step, of a shutdown that was dropped: CPython's `aclose()` has
/// a reference to the generator, and lets it go with that open.
#[test]
fn generator_of_a_dropped_shutdown_closes_with_its_closing() {
    let (event_loop, trace) = (EventLoop::with_virtual_time(), Trace::new());
    let (own, on) = (trace.clone(), event_loop.clone());
    let numbers: AsyncGenerator<i32> = generator(async move |y| {
        loop {
            let Err(error) = y.give(1).await else { return Ok(()) };
            own.push(format!("{error:?}"));
            if error.kind() == ErrorKind::GeneratorExit {
                return Err(error);
            }
        }
    });
    let main = async move {
        numbers.anext().await?;
        let mut shutdown = Box::pin(on.shutdown_asyncgens());
        std::future::poll_fn(|cx| Poll::Ready(shutdown.as_mut().poll(cx).is_pending())).await;
        drop((shutdown, numbers));
        let own = current_task().unwrap();
        on.all_tasks()
            .iter()
            .filter(|task| task.id() != own.id())
            .for_each(|task| _ = task.cancel());
        for _ in 0..5 {
            yield_now().await?;
        }
        trace.expect(["CancelledError()", "GeneratorExit(\"\")"]);
        Ok(())
    };
    event_loop.run_until_complete(main).unwrap();
}

#[test]
fn run_closes_what_main_leaves_open_and_awaits_the_clean_up() {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let numbers = endless(&trace, "n");
    let consumed = numbers.clone();
    run_on(&event_loop, async move { consumed.anext().await }).unwrap();
    trace.expect(["n: GeneratorExit", "n: cleaned up"]);
    assert!(event_loop.is_closed());
}

#[test]
fn generator_that_main_drops_has_its_clean_up_awaited() {
    // The task that would close it is itself among those that are cancelled.
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let own = trace.clone();
    let numbers = generator(async move |y| {
        let told = y.give(1).await;
        sleep(secs(1)).await?;
        own.push("cleaned up");
        told.map(drop)
    });
    run_on(&event_loop, async move { numbers.anext().await }).unwrap();
    trace.expect(["cleaned up"]);
}

#[test]
fn generator_is_dropped_unfinished_with_its_closing_loop() {
    let trace = Trace::new();
    let event_loop = EventLoop::with_virtual_time();
    let guard = on_drop(trace.says("dropped"));
    let numbers = generator(async move |y| {
        let _guard = guard;
        y.give(1).await?;
        Ok(())
    });
    let consumed = numbers.clone();
    event_loop.run_until_complete(async move { consumed.anext().await }).unwrap();
    trace.expect_nothing();
    event_loop.close().unwrap();
    trace.expect(["dropped"]);
    drop(numbers);
}

#[test]
fn a_step_that_is_dropped_leaves_the_generator_where_it_awaits() {
    run(async {
        let slow = generator(async |y| {
            for number in 1..=2 {
                sleep(secs(10)).await?;
                y.give(number).await?;
            }
            Ok(())
        });
        let consumed = slow.clone();
        let impatient = select(vec![
            boxed(async move { consumed.next().await }),
            boxed(async { sleep(secs(3)).await.map(|()| None) }),
        ]);
        assert_eq!(impatient.await?, None);
        assert_eq!(slow.next().await?, Some(1), "the body goes on from there");
        assert_eq!(running_loop()?.time(), secs(10), "and its sleep was not begun anew");
        assert_eq!(slow.next().await?, Some(2));
        assert_eq!(slow.next().await?, None);
        Ok(())
    })
    .unwrap();
}

#[test]
fn aclose_after_a_dropped_step_awaits_no_further_value() {
    run(async {
        let slow = generator(async |y| {
            sleep(secs(10)).await?;
            y.give(1).await?;
            Ok(())
        });
        let consumed = slow.clone();
        let impatient = select(vec![
            boxed(async move { consumed.next().await }),
            boxed(async { sleep(secs(3)).await.map(|()| None) }),
        ]);
        assert_eq!(impatient.await?, None);
        slow.aclose().await?;
        assert_eq!(slow.next().await?, None);
        Ok(())
    })
    .unwrap();
}

#[test]
fn cancel_during_aclose_is_thrown_into_the_clean_up() {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let own = trace.clone();
    let numbers = generator(async move |y| {
        let _ = y.give(1).await;
        let outcome = sleep(secs(100)).await;
        own.push(format!("{outcome:?}"));
        outcome
    });
    let closing = async move {
        numbers.anext().await?;
        let closer = create_task(async move { numbers.aclose().await });
        yield_now().await?;
        yield_now().await?;
        closer.cancel();
        assert!((&closer).await.unwrap_err().is_cancelled());
        Ok(())
    };
    event_loop.run_until_complete(closing).unwrap();
    trace.expect(["Err(CancelledError())"]);
    assert_eq!(event_loop.pending_timers(), 0);
    turn(&event_loop, 2);
}

/// Around a `give`, a task group makes a `BaseExceptionGroup` of the exit.
#[test]
fn exit_through_a_task_group_is_an_error_and_is_not_reported() {
    let event_loop = EventLoop::with_virtual_time();
    let reports = Reports::of(&event_loop);
    let numbers = || {
        generator(async |y| {
            TaskGroup::scope(async |group| {
                group.create_task(sleep(secs(1)))?;
                y.give(1).await?;
                y.give(2).await.map(drop)
            })
            .await
        })
    };
    let (closed, left, on) = (numbers(), numbers(), event_loop.clone());
    let shutdown = async move {
        closed.anext().await?;
        let error = closed.aclose().await.unwrap_err();
        assert_eq!((error.kind(), error.is_exception()), (ErrorKind::Group, false));
        left.anext().await?;
        on.shutdown_asyncgens().await
    };
    event_loop.run_until_complete(shutdown).unwrap();
    assert!(reports.take().is_empty());
}
