//! Errors in a streamer: results that failed, and the catchers and the log that they reach.

use std::cell::RefCell;
use std::rc::Rc;

use callsoon::helpers::{self as hp, Adding, ResultStreamer, StreamContext, StreamResult};
use callsoon::{Error, ErrorKind, Result, create_task, generator, running_loop, sleep, wait_for};

use crate::driver::{run, secs};
use crate::parts::{error, rest};
use crate::support::log_lines::log_lines_of;
use crate::support::trace::Trace;

type Streamer = ResultStreamer<u64, &'static str>;
type Streamed = StreamResult<u64, &'static str>;

fn of(context: &'static str) -> Adding<u64, &'static str> {
    Adding::new().context(context)
}

/// A task that fails, one that is cancelled, and one that does neither.
async fn add_three(streamer: &Streamer) -> Result<()> {
    streamer.add_coroutine(async { Err(error("bad")) }, of("fails")).await?;
    let endless =
        streamer.add_coroutine(async { sleep(secs(9)).await.map(|()| 9) }, of("cancelled"));
    endless.await?.cancel();
    streamer.add_value(1, of("value")).await?;
    streamer.no_more_work();
    Ok(())
}

fn shown(result: &Streamed) -> String {
    let value = match result.value.err() {
        Some(error) => error.to_string(),
        None => "a value".to_owned(),
    };
    let context = match &result.context {
        StreamContext::None => "-",
        StreamContext::Given(context) => context,
        StreamContext::GeneratorStopper => "stopper",
    };
    format!("{value} of {context}")
}

/// Runs a streamer to its end; the results, as text.
async fn all_of(streamer: Streamer) -> Result<Vec<String>> {
    streamer
        .scope(async |streamer| {
            add_three(streamer).await?;
            let (mut results, mut all) = (streamer.iter(), Vec::new());
            while let Some(result) = results.next().await? {
                assert_eq!(result.successful, result.value.err().is_none());
                all.push(shown(&result));
            }
            Ok(all)
        })
        .await
}

const ALL: [&str; 3] =
    ["ValueError: bad of fails", "CancelledError of cancelled", "a value of value"];

#[test]
fn failed_or_cancelled_task_is_a_result_and_is_logged() {
    let logged = log_lines_of(|| {
        run(async {
            let stop = hp::create_future::<()>();
            let mut all = all_of(Streamer::new(&stop)).await?;
            all.sort_unstable_by_key(|line| ALL.iter().position(|known| known == line));
            assert_eq!(all, ALL);
            Ok(())
        })
        .unwrap();
    });
    assert_eq!(logged, ["ERROR: ValueError: bad"]);
}

#[test]
fn function_catcher_gets_failed_results_and_stops_the_log() {
    let logged = log_lines_of(|| {
        run(async {
            let stop = hp::create_future::<()>();
            let trace = Trace::new();
            let told = trace.clone();
            let catcher = move |result: Streamed| told.push(shown(&result));
            let all = all_of(Streamer::with_error_catcher(&stop, catcher)).await?;
            assert_eq!(all.len(), 3);
            trace.expect(&ALL[..2]);
            Ok(())
        })
        .unwrap();
    });
    assert_eq!(logged, [""; 0]);
}

#[test]
fn catcher_of_exceptions_gets_no_cancellation() -> Result<()> {
    run(async {
        let stop = hp::create_future::<()>();
        let trace = Trace::new();
        let told = trace.clone();
        let catcher = move |error: Error| told.push(error);
        all_of(Streamer::with_exception_catcher(&stop, catcher)).await?;
        trace.expect(["ValueError: bad"]);
        Ok(())
    })
}

#[test]
fn list_catcher_stops_the_log_once_it_holds_an_error() {
    let logged = log_lines_of(|| {
        run(async {
            let stop = hp::create_future::<()>();
            let list = Rc::new(RefCell::new(Vec::new()));
            let streamer = Streamer::with_exception_catcher(&stop, list.clone());
            streamer
                .scope(async |streamer| {
                    streamer.add_coroutine(async { Err(error("first")) }, of("a")).await?;
                    rest().await?;
                    streamer.add_coroutine(async { Err(error("second")) }, of("b")).await?;
                    rest().await
                })
                .await?;
            let caught: Vec<String> = list.borrow().iter().map(Error::message).collect();
            assert_eq!(caught, ["first", "second"]);
            Ok(())
        })
        .unwrap();
    });
    assert_eq!(logged, ["ERROR: ValueError: first"]);
}

#[test]
fn failed_generators_values_and_error_reach_all_listeners() -> Result<()> {
    run(async {
        let stop = hp::create_future::<()>();
        let trace = Trace::new();
        let (caught, done) = (trace.clone(), trace.clone());
        let catcher = move |result: Streamed| caught.push(format!("caught {}", shown(&result)));
        Streamer::with_error_catcher(&stop, catcher)
            .scope(async |streamer| {
                let fails = generator(async |y| {
                    y.give(1).await?;
                    Err(error("bad"))
                });
                let on_done = move |result: &Streamed| done.push(format!("done {}", shown(result)));
                let task = streamer.add_generator(fails, of("g").on_done(on_done)).await?;
                streamer.no_more_work();
                let mut results = streamer.iter();
                while let Some(result) = results.next().await? {
                    trace.push(shown(&result));
                }
                assert_eq!(task.result().unwrap_err().message(), "bad");
                Ok(())
            })
            .await?;
        trace.expect([
            "caught ValueError: bad of g",
            "done ValueError: bad of g",
            "a value of g",
            "ValueError: bad of g",
        ]);
        Ok(())
    })
}

/// The original stops such a generator there and then; a panic ends the task that drives it, and
/// the loop closes a generator that nothing holds any more.
#[test]
fn panic_in_on_each_is_a_result_and_the_generator_cleans_up() -> Result<()> {
    run(async {
        let stop = hp::create_future::<()>();
        let trace = Trace::new();
        let told = trace.clone();
        Streamer::with_exception_catcher(&stop, |_: Error| ())
            .scope(async |streamer| {
                let cleans_up = generator(async move |y| {
                    let outcome = y.give(1).await;
                    sleep(secs(1)).await?;
                    told.push(format!("clean after {:?}", outcome.as_ref().map_err(Error::kind)));
                    outcome.map(drop)
                });
                streamer.add_generator(cleans_up, of("g").on_each(|_| panic!("ouch"))).await?;
                streamer.no_more_work();
                let mut results = streamer.iter();
                while let Some(result) = results.next().await? {
                    trace.push(shown(&result));
                }
                Ok(())
            })
            .await?;
        sleep(secs(2)).await?;
        trace.expect(["a value of g", "Panic: ouch of g", "clean after Err(GeneratorExit)"]);
        Ok(())
    })
}

#[test]
fn a_future_of_another_type_gives_an_error_for_a_value() -> Result<()> {
    run(async {
        let stop = hp::create_future::<()>();
        Streamer::new(&stop)
            .scope(async |streamer| {
                let text = create_task(async { Ok("not a number") });
                streamer.add_task(&text, of("text")).await?;
                streamer.no_more_work();
                let result = streamer.iter().next().await?.expect("there is one");
                assert_eq!(result.value.err().map(Error::kind), Some(ErrorKind::Type));
                assert!(!result.successful);
                Ok(())
            })
            .await
    })
}

/// A catcher that fails.
struct Refuses;

impl<E> hp::ErrorCatcher<E> for Refuses {
    fn add_error(&self, _: E) -> Result<()> {
        Err(error("refused"))
    }

    fn is_truthy(&self) -> bool {
        true
    }
}

/// A callback that fails puts nothing more into the queue, in the original either.
#[test]
fn no_end_is_streamed_where_a_catcher_or_on_done_fails() -> Result<()> {
    for catcher_fails in [true, false] {
        run(async move {
            let stop = hp::create_future::<()>();
            running_loop()?.set_exception_handler(Some(Rc::new(|_: &_, _: &_| ())));
            let streamer = Streamer::with_error_catcher(&stop, Refuses);
            let (task, adding) = match catcher_fails {
                true => (Err(error("bad")), Adding::new()),
                false => (Ok(1), Adding::new().on_done(|_: &Streamed| panic!("on_done"))),
            };
            streamer.add_coroutine(async { task }, adding).await?;
            streamer.no_more_work();
            for has_result in [!catcher_fails, false] {
                let mut results = streamer.iter();
                let next = wait_for(results.next(), secs(10)).await;
                match next {
                    Ok(result) => assert!(has_result && result.is_some()),
                    Err(error) => assert!(!has_result && error.kind() == ErrorKind::Timeout),
                }
            }
            Ok(())
        })?;
    }
    Ok(())
}

#[test]
fn streamer_is_dropped_after_tasks_without_a_context() -> Result<()> {
    let held = Rc::new(());
    let own = held.clone();
    run(async move {
        let stop = hp::create_future::<()>();
        let streamer = Streamer::with_error_catcher(&stop, move |_: Streamed| _ = &own);
        for value in 0..3 {
            streamer.add_value(value, Adding::new()).await?;
        }
        streamer.no_more_work();
        let mut results = streamer.iter();
        while results.next().await?.is_some() {}
        streamer.finish(None).await
    })?;
    assert_eq!(Rc::strong_count(&held), 1);
    Ok(())
}
