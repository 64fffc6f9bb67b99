//! Async generators with bodies that handle errors, await what fails, or ask for their own values.

use std::cell::OnceCell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use callsoon::{
    AsyncGenerator, Error, ErrorKind, Result, Yielder, create_task, generator, running_loop, sleep,
    yield_now,
};

use crate::driver::{run, secs};
use crate::support::trace::Trace;

fn value(message: &str) -> Error {
    Error::new(ErrorKind::Value, message)
}

fn kind<T>(outcome: Result<T>) -> Option<ErrorKind> {
    outcome.err().map(|error| error.kind())
}

/// All that comes out of it until its end, errors too.
async fn all_of(numbers: AsyncGenerator<i32>) -> String {
    let mut seen = Vec::new();
    loop {
        match numbers.next().await {
            Ok(Some(number)) => seen.push(number.to_string()),
            Ok(None) => return seen.join(", "),
            Err(error) => seen.push(error.to_string()),
        }
    }
}

// CPython: test_asyncgen.AsyncGenTest.test_async_gen_exception_07
// CPython: test_asyncgen.AsyncGenTest.test_async_gen_exception_08
// CPython: test_asyncgen.AsyncGenTest.test_async_gen_exception_09
#[test]
fn values_given_while_an_error_is_on_its_way_come_before_it() {
    run(async {
        for awaits in [false, true] {
            let pause = async move || if awaits { yield_now().await } else { Ok(()) };
            let cleans_up = generator(async move |y| {
                pause().await?;
                y.give(1).await?;
                let failed = Err(value("in the body"));
                y.give(2).await?;
                pause().await?;
                y.give(3).await?;
                failed
            });
            assert_eq!(all_of(cleans_up).await, "1, 2, 3, ValueError: in the body");
            let fails_in_the_clean_up = generator(async move |y| {
                y.give(1).await?;
                pause().await?;
                y.give(2).await?;
                let failed: Result<()> = Err(value("in the clean-up"));
                failed?;
                y.give(3).await.map(drop)
            });
            assert_eq!(all_of(fails_in_the_clean_up).await, "1, 2, ValueError: in the clean-up");
        }
        Ok(())
    })
    .unwrap();
}

// CPython: test_asyncgen.AsyncGenTest.test_async_gen_exception_12
#[test]
fn a_body_that_asks_for_its_own_next_value_is_told() {
    run(async {
        let itself: Rc<OnceCell<AsyncGenerator<String>>> = Rc::default();
        let own = Rc::downgrade(&itself);
        let numbers = generator(async move |y| {
            let me = own.upgrade().expect("it is held");
            let me = me.get().expect("it was put there");
            let refused = [me.anext().await.map(drop), me.aclose().await];
            for refused in refused {
                y.give(refused.unwrap_err().message()).await?;
            }
            Ok(())
        });
        let numbers = itself.get_or_init(|| numbers);
        let running = "asynchronous generator is already running";
        assert_eq!(numbers.anext().await?, format!("anext(): {running}"));
        assert_eq!(numbers.anext().await?, format!("aclose(): {running}"));
        assert_eq!(numbers.next().await?, None);
        Ok(())
    })
    .unwrap();
}

// CPython: test_asyncgen.AsyncGenTest.test_async_gen_asend_throw_concurrent_with_throw
// CPython: test_asyncgen.AsyncGenTest.test_async_gen_athrow_throw_concurrent_with_throw
#[test]
fn asend_and_athrow_are_refused_during_an_athrow() {
    run(async {
        let slow = generator(async |y: Yielder<i32>| {
            assert!(y.give(1).await.is_err());
            sleep(secs(10)).await?;
            y.give(2).await.map(drop)
        });
        assert_eq!(slow.anext().await?, 1);
        let thrown = slow.clone();
        let throwing = create_task(async move { thrown.athrow(value("v")).await });
        yield_now().await?;
        let refused = [
            slow.asend(None).await.map(drop),
            slow.athrow(value("w")).await.map(drop),
            slow.aclose().await,
        ];
        assert!(refused.into_iter().all(|refused| kind(refused) == Some(ErrorKind::Runtime)));
        assert_eq!(throwing.await?, Some(2));
        slow.aclose().await
    })
    .unwrap();
}

/// Waits for what it is to wait for when it is resumed, and cleans up for two seconds.
fn cleans_up<F: Future<Output = Result<()>> + 'static>(
    trace: &Trace,
    awaits: impl FnOnce() -> F + 'static,
) -> AsyncGenerator<i32> {
    let trace = trace.clone();
    generator(async move |y| {
        let body = async {
            let thrown = y.give(1).await.is_err();
            if thrown {
                trace.push("caught");
            }
            awaits().await?;
            y.give(if thrown { 3 } else { 2 }).await.map(drop)
        };
        let outcome = body.await;
        sleep(secs(2)).await?;
        trace.push("cleaned up");
        outcome
    })
}

async fn fails() -> Result<()> {
    sleep(secs(1)).await?;
    Err(value("awaited"))
}

/// Awaits a future that is cancelled meanwhile.
async fn is_cancelled() -> Result<()> {
    let future = running_loop()?.create_future::<()>();
    let cancelled = future.clone();
    let cancel = move || {
        cancelled.cancel();
    };
    running_loop()?.call_later(secs(1), cancel)?;
    future.await
}

// CPython: test_asyncgen.AsyncGenTest.test_async_gen_exception_03
// CPython: test_asyncgen.AsyncGenAsyncioTest.test_async_gen_asyncio_02
// CPython: test_asyncgen.AsyncGenAsyncioTest.test_async_gen_asyncio_asend_02
// CPython: test_asyncgen.AsyncGenAsyncioTest.test_async_gen_asyncio_asend_03
// CPython: test_asyncgen.AsyncGenAsyncioTest.test_async_gen_asyncio_athrow_02
#[test]
fn error_of_a_bodys_await_comes_out_after_its_clean_up() {
    run(async {
        let trace = Trace::new();
        for throws in [false, true] {
            for cancelled in [false, true] {
                let awaits =
                    async move || if cancelled { is_cancelled().await } else { fails().await };
                let numbers = cleans_up(&trace, awaits);
                assert_eq!(numbers.asend(None).await?, 1);
                let ended = if throws {
                    numbers.athrow(value("thrown")).await.map(drop)
                } else {
                    numbers.asend(Some(())).await.map(drop)
                };
                let expected = if cancelled { ErrorKind::Cancelled } else { ErrorKind::Value };
                assert_eq!(kind(ended), Some(expected));
                trace.expect(["caught", "cleaned up"].into_iter().skip(usize::from(!throws)));
                assert_eq!(numbers.next().await?, None);
            }
        }
        let me = callsoon::current_task().expect("main is one");
        assert_eq!(me.cancelling(), 0, "the task was not cancelled");
        Ok(())
    })
    .unwrap();
}

// CPython: test_asyncgen.AsyncGenAsyncioTest.test_async_gen_asyncio_asend_01
// CPython: test_asyncgen.AsyncGenAsyncioTest.test_async_gen_asyncio_athrow_01
#[test]
fn body_may_await_after_an_athrow_and_cleans_up_at_its_end() {
    run(async {
        let trace = Trace::new();
        let numbers = cleans_up(&trace, async || sleep(secs(1)).await);
        assert_eq!(numbers.asend(None).await?, 1);
        assert_eq!(numbers.athrow(value("thrown")).await?, Some(3));
        trace.expect(["caught"]);
        assert_eq!(kind(numbers.asend(None).await), Some(ErrorKind::StopAsyncIteration));
        trace.expect(["cleaned up"]);
        assert_eq!(running_loop()?.time(), secs(3));
        Ok(())
    })
    .unwrap();
}

// CPython: test_asyncgen.AsyncGenAsyncioTest.test_async_gen_asyncio_aclose_12
#[test]
fn a_clean_up_may_await_a_task_and_catch_its_error() {
    run(async {
        let trace = Trace::new();
        let own = trace.clone();
        let numbers = generator(async move |y| {
            let task = create_task(fails());
            let told = y.give(1).await;
            own.push(format!("{:?}", task.await));
            told.map(drop)
        });
        assert_eq!(numbers.anext().await?, 1);
        numbers.aclose().await?;
        trace.expect([r#"Err(ValueError("awaited"))"#]);
        Ok(())
    })
    .unwrap();
}

// CPython: test_asyncgen.AsyncGenAsyncioTest.test_async_gen_aclose_after_exhaustion
#[test]
fn closing_what_has_come_to_its_end_does_nothing() {
    run(async {
        let numbers = generator(async |y| y.give(1).await.map(drop));
        assert_eq!(all_of(numbers.clone()).await, "1");
        numbers.aclose().await?;
        numbers.aclose().await
    })
    .unwrap();
}

// CPython: test_asyncgen.AsyncGenTest.test_async_gen_iteration_02
#[test]
fn body_may_await_before_a_value_and_before_its_end() {
    run(async {
        let numbers = generator(async |y| {
            yield_now().await?;
            y.give(123).await?;
            yield_now().await
        });
        for expected in [Ok(123), Err(ErrorKind::StopAsyncIteration)] {
            let mut next = pin!(numbers.anext());
            let first = poll_fn(|context| Poll::Ready(next.as_mut().poll(context))).await;
            assert!(first.is_pending());
            assert_eq!(next.await.map_err(|error| error.kind()), expected);
        }
        Ok(())
    })
    .unwrap();
}

// CPython: test_asyncgen.AsyncGenAsyncioTest.test_async_gen_expression_02
#[test]
fn async_filter_passes_on_the_items_of_another_generator() {
    run(async {
        let numbers = generator(async |y| {
            for number in 0..10 {
                yield_now().await?;
                y.give(number).await?;
            }
            Ok(())
        });
        let even = generator(async move |y| {
            while let Some(number) = numbers.next().await? {
                let is_even = create_task(async move { Ok(number % 2 == 0) });
                if is_even.await? {
                    y.give(number).await?;
                }
            }
            Ok(())
        });
        assert_eq!(all_of(even).await, "0, 2, 4, 6, 8");
        Ok(())
    })
    .unwrap();
}

#[test]
fn error_unmet_outside_of_a_step_is_thrown_nowhere_else() {
    run(async {
        let stuck: Rc<AsyncGenerator<i32>> =
            Rc::new(generator(async |_| std::future::pending::<Result<()>>().await));
        let mut context = Context::from_waker(Waker::noop());
        assert!(pin!(stuck.next()).poll(&mut context).is_pending());
        running_loop()?.call_soon(move || {
            let thrown = pin!(stuck.athrow(value("at the one that is stuck")));
            assert!(thrown.poll(&mut Context::from_waker(Waker::noop())).is_pending());
        })?;
        yield_now().await?;
        sleep(secs(1)).await
    })
    .unwrap();
}
