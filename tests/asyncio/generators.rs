//! Async generators: what goes in by `asend` and `athrow`, and what comes out.

use callsoon::{
    AsyncGenerator, Error, ErrorKind, EventLoop, Result, create_task, generator, running_loop,
    sleep, yield_now,
};

use crate::driver::{run, secs, settle, turn};
use crate::support::trace::Trace;

fn value(message: &str) -> Error {
    Error::new(ErrorKind::Value, message)
}

fn kind<T>(outcome: Result<T>) -> Option<ErrorKind> {
    outcome.err().map(|error| error.kind())
}

/// Counts to three, and pushes what is sent and thrown.
fn counter(trace: &Trace) -> AsyncGenerator<i32, &'static str> {
    let trace = trace.clone();
    AsyncGenerator::new(async move |y| {
        let body = async {
            for number in 1..=3 {
                if let Some(sent) = y.give(number).await? {
                    trace.push(format!("got {sent}"));
                }
            }
            Ok(())
        };
        let outcome = body.await;
        if let Err(error) = &outcome {
            trace.push(format!("thrown {error}"));
        }
        trace.push("finally");
        outcome
    })
}

// CPython: test_asyncgen.AsyncGenAsyncioTest.test_async_generator_anext
// CPython: test_asyncgen.AsyncGenAsyncioTest.test_async_gen_asyncio_anext_04
#[test]
fn values_come_in_order_and_then_the_end_again_and_again() {
    run(async {
        let numbers = counter(&Trace::new());
        for number in 1..=3 {
            assert_eq!(numbers.anext().await?, number);
        }
        for _ in 0..3 {
            let end = numbers.anext().await.unwrap_err();
            assert_eq!((end.kind(), &*end.message()), (ErrorKind::StopAsyncIteration, ""));
            assert_eq!(numbers.next().await?, None);
            assert_eq!(
                kind(numbers.asend(Some("late")).await),
                Some(ErrorKind::StopAsyncIteration)
            );
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn the_body_does_not_run_before_the_first_value_is_asked_for() {
    run(async {
        let trace = Trace::new();
        let own = trace.clone();
        let numbers = generator(async move |y| {
            own.push("runs");
            y.give(1).await?;
            Ok(())
        });
        let step = numbers.anext();
        yield_now().await?;
        trace.expect_nothing();
        assert_eq!(step.await?, 1);
        trace.expect(["runs"]);
        Ok(())
    })
    .unwrap();
}

// CPython: test_asyncgen.AsyncGenTest.test_async_gen_iteration_01
// CPython: test_asyncgen.AsyncGenAsyncioTest.test_async_gen_asyncio_anext_05
// CPython: test_asyncgen.AsyncGenAsyncioTest.test_async_gen_asyncio_anext_06
// CPython: test_asyncgen.AsyncGenAsyncioTest.test_async_gen_asyncio_asend_01
#[test]
fn what_is_sent_is_what_give_returns() {
    run(async {
        let trace = Trace::new();
        let numbers = counter(&trace);
        assert_eq!(numbers.asend(None).await?, 1);
        assert_eq!(numbers.asend(Some("a")).await?, 2);
        assert_eq!(numbers.anext().await?, 3);
        assert_eq!(kind(numbers.asend(Some("b")).await), Some(ErrorKind::StopAsyncIteration));
        trace.expect(["got a", "got b", "finally"]);
        Ok(())
    })
    .unwrap();
}

// CPython: test_asyncgen.AsyncGenTest.test_async_gen_exception_10
#[test]
fn a_value_can_not_be_sent_to_a_body_that_has_not_started() {
    run(async {
        let trace = Trace::new();
        let numbers = counter(&trace);
        let error = numbers.asend(Some("early")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Type);
        assert_eq!(error.message(), "can't send non-None value to a just-started async generator");
        assert_eq!(numbers.anext().await?, 1, "it is none the worse");
        trace.expect_nothing();
        numbers.aclose().await
    })
    .unwrap();
}

#[test]
fn an_error_is_thrown_in_where_the_last_value_was_given() {
    run(async {
        let trace = Trace::new();
        let numbers = counter(&trace);
        numbers.anext().await?;
        let error = value("v");
        assert!(numbers.athrow(error.clone()).await.unwrap_err().ptr_eq(&error));
        trace.expect(["thrown ValueError: v", "finally"]);
        assert_eq!(numbers.next().await?, None);
        assert_eq!(numbers.athrow(value("w")).await?, None, "it had finished before");
        Ok(())
    })
    .unwrap();
}

#[test]
fn an_error_thrown_into_a_body_that_has_not_started_finishes_it() {
    run(async {
        let trace = Trace::new();
        let numbers = counter(&trace);
        let error = value("v");
        assert!(numbers.athrow(error.clone()).await.unwrap_err().ptr_eq(&error));
        assert_eq!(numbers.next().await?, None);
        trace.expect_nothing();
        Ok(())
    })
    .unwrap();
}

// CPython: test_asyncgen.AsyncGenAsyncioTest.test_async_gen_asyncio_anext_04
// CPython: test_asyncgen.AsyncGenAsyncioTest.test_async_gen_asyncio_athrow_03
#[test]
fn body_may_catch_an_athrow_and_yield_or_return() {
    run(async {
        let gives = generator(async |y| {
            assert_eq!(kind(y.give(1).await), Some(ErrorKind::Value));
            y.give(2).await?;
            Ok(())
        });
        gives.anext().await?;
        assert_eq!(gives.athrow(value("v")).await?, Some(2));
        assert_eq!(gives.next().await?, None);
        let returns = generator(async |y| {
            let _ = y.give(1).await;
            Ok(())
        });
        returns.anext().await?;
        let end = returns.athrow(value("v")).await;
        assert_eq!(kind(end), Some(ErrorKind::StopAsyncIteration));
        Ok(())
    })
    .unwrap();
}

// CPython: test_asyncgen.AsyncGenTest.test_async_gen_exception_04
// CPython: test_asyncgen.AsyncGenAsyncioTest.test_async_gen_asyncio_02
#[test]
fn an_error_of_the_body_comes_out_once() {
    run(async {
        let failing = generator(async |y| {
            y.give(1).await?;
            Err(value("from the body"))
        });
        assert_eq!(failing.next().await?, Some(1));
        assert_eq!(failing.next().await.unwrap_err().message(), "from the body");
        assert_eq!(failing.next().await?, None);
        Ok(())
    })
    .unwrap();
}

// CPython: test_asyncgen.AsyncGenTest.test_async_gen_exception_05
#[test]
fn a_stop_out_of_the_body_is_a_mistake_and_not_its_end() {
    run(async {
        let stopping = || {
            generator(async |y| {
                y.give(1).await?;
                Err(Error::new(ErrorKind::StopAsyncIteration, ""))
            })
        };
        let numbers = stopping();
        numbers.anext().await?;
        let error = numbers.anext().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Runtime);
        assert_eq!(error.message(), "async generator raised StopAsyncIteration");
        assert_eq!(numbers.next().await?, None);
        let thrown = stopping();
        thrown.anext().await?;
        let stop = Error::new(ErrorKind::StopAsyncIteration, "");
        assert_eq!(kind(thrown.athrow(stop).await), Some(ErrorKind::Runtime));
        Ok(())
    })
    .unwrap();
}

// CPython: test_asyncgen.AsyncGenTest.test_async_gen_exception_11
#[test]
fn an_exit_out_of_the_body_comes_through_as_it_is() {
    run(async {
        let exit = Error::new(ErrorKind::GeneratorExit, "");
        let own = exit.clone();
        let leaving = generator(async move |y| {
            y.give(1).await?;
            Err(own)
        });
        leaving.anext().await?;
        assert!(leaving.anext().await.unwrap_err().ptr_eq(&exit));
        assert_eq!(leaving.next().await?, None);
        let trace = Trace::new();
        let numbers = counter(&trace);
        numbers.anext().await?;
        assert!(numbers.athrow(exit.clone()).await.unwrap_err().ptr_eq(&exit));
        assert_eq!(numbers.next().await?, None);
        Ok(())
    })
    .unwrap();
}

// CPython: test_asyncgen.AsyncGenTest.test_async_gen_asend_throw_concurrent_with_send
// CPython: test_asyncgen.AsyncGenTest.test_async_gen_athrow_throw_concurrent_with_send
// CPython: test_asyncgen.TestUnawaitedWarnings.test_asend_send_already_running
// CPython: test_asyncgen.TestUnawaitedWarnings.test_athrow_send_already_running
#[test]
fn one_step_at_a_time() {
    let event_loop = EventLoop::with_virtual_time();
    let slow = generator(async |y| {
        sleep(secs(1)).await?;
        y.give(1).await?;
        Ok(())
    });
    let consumed = slow.clone();
    let first = event_loop.create_task(async move { consumed.anext().await }).unwrap();
    turn(&event_loop, 1);
    let second = async move {
        let mut refusals = Vec::new();
        refusals.extend(slow.anext().await.err());
        refusals.extend(slow.next().await.err());
        refusals.extend(slow.asend(None).await.err());
        refusals.extend(slow.athrow(value("")).await.err());
        refusals.extend(slow.aclose().await.err());
        Ok(refusals)
    };
    let refusals = event_loop.run_until_complete(second).unwrap();
    assert!(refusals.iter().all(|error| error.kind() == ErrorKind::Runtime));
    let said: Vec<String> = refusals.iter().map(Error::message).collect();
    let is_running = |what: &str| format!("{what}: asynchronous generator is already running");
    let expected = ["anext()", "anext()", "anext()", "athrow()", "aclose()"].map(is_running);
    assert_eq!(said, expected);
    assert_eq!(event_loop.run_until_complete(first).unwrap(), 1, "none of that disturbed it");
}

// CPython: test_asyncgen.AsyncGenTest.test_async_gen_iteration_01
// CPython: test_asyncgen.AsyncGenAsyncioTest.test_async_gen_asyncio_01
#[test]
fn what_the_body_awaits_the_consumer_waits_for() {
    run(async {
        let on = running_loop()?;
        let ticks = generator(async |y| {
            for number in 0.. {
                sleep(secs(10)).await?;
                y.give(number).await?;
            }
            Ok(())
        });
        for number in 0..3 {
            assert_eq!(ticks.next().await?, Some(number));
            assert_eq!(on.time(), secs(10 * (number + 1)));
        }
        ticks.aclose().await
    })
    .unwrap();
}

#[test]
fn cancel_of_the_consumer_is_thrown_at_the_bodys_await() {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let own = trace.clone();
    let slow = generator(async move |y| {
        let outcome = sleep(secs(100)).await;
        own.push(format!("body {outcome:?}"));
        sleep(secs(1)).await?;
        outcome?;
        y.give(1).await?;
        Ok(())
    });
    let (consumed, own) = (slow.clone(), trace.clone());
    let consumer = event_loop
        .create_task(async move {
            let outcome = consumed.anext().await;
            own.push(format!("consumer {outcome:?}"));
            outcome
        })
        .unwrap();
    turn(&event_loop, 1);
    assert!(consumer.cancel_with("msg"));
    assert!(event_loop.run_until_complete(consumer.clone()).unwrap_err().is_cancelled());
    trace.expect([r#"body Err(CancelledError("msg"))"#, r#"consumer Err(CancelledError("msg"))"#]);
    assert!(consumer.cancelled());
    assert_eq!(event_loop.time(), secs(1), "its clean-up was awaited");
    let after = event_loop.run_until_complete(async move { slow.next().await });
    assert_eq!(after.unwrap(), None);
}

#[test]
fn body_that_catches_the_cancel_lets_the_consumer_go_on() {
    run(async {
        let stubborn = generator(async |y| {
            let caught = sleep(secs(100)).await.is_err();
            y.give(caught).await?;
            Ok(())
        });
        let consumer = create_task(async move { stubborn.anext().await });
        yield_now().await?;
        assert!(consumer.cancel());
        assert!((&consumer).await?);
        assert_eq!((consumer.cancelled(), consumer.cancelling()), (false, 1));
        Ok(())
    })
    .unwrap();
}

#[test]
fn several_tasks_may_take_turns_with_one_generator() {
    run(async {
        let trace = Trace::new();
        let numbers = generator(async |y| {
            for number in 1.. {
                y.give(number).await?;
            }
            Ok(())
        });
        let mut consumers = Vec::new();
        for name in ["a", "b"] {
            let (numbers, own) = (numbers.clone(), trace.clone());
            consumers.push(create_task(async move {
                for _ in 0..2 {
                    own.push(format!("{name}{:?}", numbers.next().await?));
                    yield_now().await?;
                }
                Ok(())
            }));
        }
        for consumer in consumers {
            consumer.await?;
        }
        trace.expect(["aSome(1)", "bSome(2)", "aSome(3)", "bSome(4)"]);
        Ok(())
    })
    .unwrap();
}

// CPython: test_asyncgen.AsyncGenAsyncioTest.test_async_gen_aiter
// CPython: test_asyncgen.AsyncGenAsyncioTest.test_async_gen_asyncio_01
// CPython: test_asyncgen.AsyncGenAsyncioTest.test_async_gen_expression_01
#[test]
fn a_generator_may_be_built_on_another() {
    run(async {
        let numbers = generator(async |y| {
            for number in 1..=4 {
                yield_now().await?;
                y.give(number).await?;
            }
            Ok(())
        });
        let squares = generator(async move |y| {
            while let Some(number) = numbers.next().await? {
                y.give(number * number).await?;
            }
            Ok(())
        });
        let mut seen = Vec::new();
        while let Some(square) = squares.next().await? {
            seen.push(square);
        }
        assert_eq!(seen, [1, 4, 9, 16]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_panic_in_the_body_is_the_consumers() {
    let event_loop = EventLoop::with_virtual_time();
    let numbers = generator(async |y| {
        y.give(1).await?;
        panic!("in the body")
    });
    let consumer = event_loop
        .create_task(async move {
            numbers.anext().await?;
            numbers.anext().await
        })
        .unwrap();
    settle(&event_loop);
    let error = consumer.exception().unwrap().unwrap();
    assert_eq!((error.kind(), &*error.message()), (ErrorKind::Panic, "in the body"));
}
