//! `ResultStreamer`: results as they come, and how it ends. Errors are in `streamed_errors`.

use callsoon::helpers::{self as hp, Adding, ResultStreamer, StreamContext, StreamValue};
use callsoon::{
    AnyFuture, AsyncGenerator, Error, ErrorKind, Result, create_task, generator, running_loop,
    sleep,
};

use crate::driver::{run, secs};
use crate::parts::{callbacks, endless, kind, rest, say, work};
use crate::support::trace::Trace;

type Streamer = ResultStreamer<u64, &'static str>;
type StreamResult = hp::StreamResult<u64, &'static str>;

fn shown(result: &StreamResult) -> String {
    let value = match &result.value {
        StreamValue::Value(value) => value.to_string(),
        StreamValue::Error(error) => error.to_string(),
        StreamValue::GeneratorComplete => "complete".to_owned(),
    };
    let context = result.context.get().copied().unwrap_or("-");
    format!("{value} of {context}{}", if result.successful { "" } else { " failed" })
}

/// Says every result until the end.
async fn say_results(streamer: &Streamer, trace: &Trace) -> Result<()> {
    let mut results = streamer.iter();
    while let Some(result) = results.next().await? {
        say(trace, shown(&result))?;
    }
    say(trace, "over")
}

fn says(trace: &Trace, who: &'static str) -> impl Fn(&StreamResult) + use<> {
    let trace = trace.clone();
    move |result| say(&trace, format_args!("{who}: {}", shown(result))).expect("a loop runs")
}

fn of(context: &'static str) -> Adding<u64, &'static str> {
    Adding::new().context(context)
}

/// Gives 1 to `count`, a second apart.
fn numbers(count: u64) -> AsyncGenerator<u64> {
    generator(async move |y| {
        for number in 1..=count {
            y.give(number).await?;
            sleep(secs(1)).await?;
        }
        Ok(())
    })
}

/// The end of a task is an item of its own behind the result, whether one entry of the queue stands for both
/// or, as there is a function to be called between, two.
#[test]
fn end_behind_a_result_goes_to_the_reader_that_comes_next() -> Result<()> {
    let with_function = || Adding::new().on_done(|_| ());
    for adding in [Adding::<u64, &'static str>::new, with_function] {
        let trace = Trace::new();
        let (saying, waiting) = (trace.clone(), trace.clone());
        run(async move {
            let stop = hp::create_future::<()>();
            let streamer = Streamer::new(&stop);
            streamer.add_coroutine(async { sleep(secs(1)).await.map(|()| 1) }, adding()).await?;
            streamer.no_more_work();
            let reader = streamer.clone();
            let second = create_task(async move { say_results(&reader, &waiting).await });
            let mut results = streamer.iter();
            while let Some(result) = results.next().await? {
                say(&saying, shown(&result))?;
                sleep(secs(10)).await?;
            }
            say(&saying, "first is over")?;
            second.await
        })?;
        trace.expect(["1000 1 of -", "1000 over", "11000 first is over"]);
    }
    Ok(())
}

#[test]
fn results_come_when_they_are_there_each_with_its_context() -> Result<()> {
    let trace = Trace::new();
    run(async move {
        let stop = hp::create_future::<()>();
        let quiet = Trace::new();
        Streamer::new(&stop)
            .scope(async |streamer| {
                streamer.add_coroutine(work(quiet.clone(), "", 3), of("slow")).await?;
                streamer.add_coroutine(work(quiet.clone(), "", 1), of("quick")).await?;
                streamer.add_generator(numbers(2), of("numbers")).await?;
                streamer.add_value(9, Adding::new()).await?;
                let task = create_task(work(quiet.clone(), "", 2));
                streamer.add_task(&task, of("task")).await?;
                streamer.no_more_work();
                say_results(streamer, &trace).await
            })
            .await?;
        trace.expect([
            "0 1 of numbers",
            "0 9 of -",
            "1000 2 of numbers",
            "1000 1 of quick",
            "2000 2 of task",
            "3000 3 of slow",
            "3000 over",
        ]);
        assert!(!stop.done());
        Ok(())
    })
}

#[test]
fn streamer_accepts_tasks_during_iteration() -> Result<()> {
    let trace = Trace::new();
    run(async move {
        let stop = hp::create_future::<()>();
        Streamer::new(&stop)
            .scope(async |streamer| {
                let inside = streamer.clone();
                let first = async move {
                    sleep(secs(1)).await?;
                    let adds = inside.clone();
                    let last = generator(async move |y| {
                        y.give(1).await?;
                        adds.add_value(2, of("from a generator")).await?;
                        Ok(())
                    });
                    inside.add_generator(last, of("from a coroutine")).await?;
                    Ok(0)
                };
                streamer.add_coroutine(first, of("first")).await?;
                streamer.no_more_work();
                let mut results = streamer.iter();
                while let Some(result) = results.next().await? {
                    say(&trace, shown(&result))?;
                    if result.context == StreamContext::Given("first") {
                        streamer.add_value(3, of("from the loop")).await?;
                    }
                }
                Ok(())
            })
            .await?;
        trace.expect([
            "1000 1 of from a coroutine",
            "1000 0 of first",
            "1000 2 of from a generator",
            "1000 3 of from the loop",
        ]);
        Ok(())
    })
}

#[test]
fn it_goes_on_until_it_is_told_that_there_is_no_more_work() -> Result<()> {
    let trace = Trace::new();
    run(async move {
        let stop = hp::create_future::<()>();
        let streamer = Streamer::new(&stop);
        let (adds, told) = (streamer.clone(), trace.clone());
        create_task(async move {
            sleep(secs(5)).await?;
            adds.add_value(2, of("late")).await?;
            say(&told, "no more")?;
            adds.no_more_work();
            Ok(())
        });
        streamer
            .scope(async |streamer| {
                streamer.add_value(1, of("early")).await?;
                say_results(streamer, &trace).await
            })
            .await?;
        trace.expect(["0 1 of early", "5000 no more", "5000 2 of late", "5000 over"]);
        Ok(())
    })
}

#[test]
fn without_any_work_it_is_over_at_once() -> Result<()> {
    let trace = Trace::new();
    run(async move {
        let stop = hp::create_future::<()>();
        let streamer = Streamer::new(&stop);
        streamer.no_more_work();
        say_results(&streamer, &trace).await?;
        streamer.finish(None).await?;
        trace.expect(["0 over"]);
        Ok(())
    })
}

#[test]
fn on_done_hears_of_a_tasks_end_before_its_result_is_taken() -> Result<()> {
    let trace = Trace::new();
    run(async move {
        let stop = hp::create_future::<()>();
        Streamer::new(&stop)
            .scope(async |streamer| {
                let task = create_task(async { Ok(1_u64) });
                let (before, after) = (trace.clone(), trace.clone());
                task.add_done_callback(move |_: &dyn AnyFuture| before.push("before"));
                streamer.add_task(&task, of("a").on_done(says(&trace, "done"))).await?;
                task.add_done_callback(move |_: &dyn AnyFuture| after.push("after"));
                streamer.add_value(2, of("b").on_done(says(&trace, "done"))).await?;
                streamer.no_more_work();
                say_results(streamer, &trace).await
            })
            .await?;
        let ends = ["before", "0 done: 1 of a", "after", "0 done: 2 of b"];
        trace.expect(ends.into_iter().chain(["0 1 of a", "0 2 of b", "0 over"]));
        Ok(())
    })
}

#[test]
fn on_each_gets_each_value_of_a_generator_and_on_done_its_end() -> Result<()> {
    let trace = Trace::new();
    run(async move {
        let stop = hp::create_future::<()>();
        Streamer::new(&stop)
            .scope(async |streamer| {
                let adding = of("g").on_each(says(&trace, "each")).on_done(says(&trace, "done"));
                let task = streamer.add_generator(numbers(2), adding).await?;
                streamer.no_more_work();
                say_results(streamer, &trace).await?;
                assert_eq!(task.result()?, hp::GeneratorComplete);
                Ok(())
            })
            .await?;
        trace.expect([
            "0 each: 1 of g",
            "0 1 of g",
            "1000 each: 2 of g",
            "1000 2 of g",
            "2000 done: complete of g",
            "2000 over",
        ]);
        Ok(())
    })
}

#[test]
fn final_future_ends_the_iteration_and_leaving_cancels_the_rest() -> Result<()> {
    let trace = Trace::new();
    run(async move {
        let stop = hp::create_future::<()>();
        let later = stop.clone();
        running_loop()?.call_later(secs(5), move || _ = later.cancel())?;
        Streamer::new(&stop)
            .scope(async |streamer| {
                streamer.add_coroutine(endless(trace.clone(), "it"), of("it")).await?;
                streamer.add_value(1, of("value")).await?;
                say_results(streamer, &trace).await
            })
            .await?;
        say(&trace, "left")?;
        trace.expect([
            "0 1 of value",
            "5000 over",
            "5000 it cleans up",
            "6000 it is clean",
            "6000 left",
        ]);
        Ok(())
    })
}

#[test]
fn results_from_before_the_final_future_are_still_yielded() -> Result<()> {
    let trace = Trace::new();
    run(async move {
        let stop = hp::create_future::<()>();
        let streamer = Streamer::new(&stop);
        for value in 1..=3 {
            streamer.add_value(value, of("value")).await?;
        }
        rest().await?;
        stop.cancel();
        rest().await?;
        say_results(&streamer, &trace).await?;
        streamer.finish(None).await?;
        trace.expect(["0 1 of value", "0 2 of value", "0 3 of value", "0 over"]);
        Ok(())
    })
}

#[test]
fn task_added_after_the_end_is_cancelled_unless_forced() -> Result<()> {
    let trace = Trace::new();
    run(async move {
        let stop = hp::create_future::<()>();
        let streamer = Streamer::new(&stop);
        streamer.finish(None).await?;
        let unstarted = streamer.add_coroutine(work(trace.clone(), "never", 1), of("a")).await?;
        assert!(unstarted.cancelled());
        let started = create_task(endless(trace.clone(), "started"));
        rest().await?;
        streamer.add_task(&started, of("b")).await?;
        assert!(started.cancelled());
        let forced = work(trace.clone(), "forced", 1);
        let forced = streamer.add_coroutine(forced, of("c").force(true)).await?;
        assert_eq!(forced.result()?, 1);
        trace.expect(["0 started cleans up", "1000 started is clean", "2000 forced done"]);
        say_results(&streamer, &trace).await?;
        trace.expect(["2000 over"]);
        Ok(())
    })
}

#[test]
fn generator_added_after_the_end_is_closed_unstarted() -> Result<()> {
    let trace = Trace::new();
    run(async move {
        let stop = hp::create_future::<()>();
        let streamer = Streamer::new(&stop);
        stop.cancel();
        let told = trace.clone();
        let never = generator(async move |y| {
            told.push("ran");
            y.give(1).await.map(drop)
        });
        let adding = of("g").on_done(says(&trace, "done"));
        let task = streamer.add_generator(never.clone(), adding).await?;
        assert_eq!((task.cancelled(), never.next().await?), (true, None));
        trace.expect_nothing();
        streamer.finish(None).await
    })
}

#[test]
fn unfinished_generator_cleans_up_before_the_streamer_is_left() -> Result<()> {
    let trace = Trace::new();
    run(async move {
        let stop = hp::create_future::<()>();
        let told = trace.clone();
        let it = generator(async move |y| {
            let outcome = async {
                y.give(1).await?;
                sleep(secs(100)).await
            };
            let outcome = outcome.await;
            say(&told, format_args!("told {outcome:?}"))?;
            sleep(secs(1)).await?;
            say(&told, "clean")?;
            outcome
        });
        let kept = it.clone();
        Streamer::new(&stop)
            .scope(async |streamer| {
                streamer.add_generator(it, of("g")).await?;
                let first = streamer.iter().next().await?.expect("there is one");
                say(&trace, shown(&first))
            })
            .await?;
        say(&trace, "left")?;
        trace.expect(["0 1 of g", "0 told Err(CancelledError())", "1000 clean", "1000 left"]);
        assert_eq!(kept.next().await?, None);
        Ok(())
    })
}

#[test]
fn it_is_finished_when_the_body_fails_or_its_task_is_cancelled() -> Result<()> {
    let trace = Trace::new();
    run(async move {
        let stop = hp::create_future::<()>();
        let (told, last) = (trace.clone(), stop.clone());
        let outer = create_task(async move {
            Streamer::new(&last)
                .scope(async |streamer| {
                    streamer.add_coroutine(endless(told.clone(), "a"), of("a")).await?;
                    say_results(streamer, &told).await
                })
                .await
        });
        sleep(secs(5)).await?;
        outer.cancel();
        assert_eq!(kind((&outer).await), Some(ErrorKind::Cancelled));
        trace.expect(["5000 a cleans up", "6000 a is clean"]);
        let ours = Error::new(ErrorKind::Value, "bad");
        let outcome: Result<()> = Streamer::new(&stop)
            .scope(async |streamer| {
                streamer.add_coroutine(endless(trace.clone(), "b"), of("b")).await?;
                rest().await?;
                Err(ours.clone())
            })
            .await;
        assert!(outcome.unwrap_err().ptr_eq(&ours));
        trace.expect(["6000 b cleans up", "7000 b is clean"]);
        assert!(!stop.done());
        Ok(())
    })
}

#[test]
fn an_iteration_that_is_left_can_be_taken_up_by_another() -> Result<()> {
    run(async {
        let stop = hp::create_future::<()>();
        Streamer::new(&stop)
            .scope(async |streamer| {
                for value in 1..=3 {
                    streamer.add_value(value, Adding::new()).await?;
                }
                streamer.no_more_work();
                for value in 1..=3 {
                    let result = streamer.iter().next().await?.expect("there is one");
                    assert_eq!(result.value.ok(), Some(value));
                }
                let mut results = streamer.iter();
                assert!(results.next().await?.is_none() && results.next().await?.is_none());
                Ok(())
            })
            .await
    })
}

#[test]
fn a_streamer_that_was_left_has_no_callback_at_its_final_future() -> Result<()> {
    run(async {
        let stop = hp::create_future::<()>();
        let before = callbacks(&stop);
        Streamer::new(&stop)
            .scope(async |streamer| {
                assert!(callbacks(&stop) > before);
                streamer.add_value(1, Adding::new()).await?;
                streamer.no_more_work();
                let mut results = streamer.iter();
                while results.next().await?.is_some() {}
                Ok(())
            })
            .await?;
        rest().await?;
        assert_eq!(callbacks(&stop), before);
        Ok(())
    })
}

#[test]
fn results_are_equal_by_value_context_and_success() {
    let result = |value: StreamValue<u64>, context| StreamResult {
        successful: !matches!(value, StreamValue::Error(_)),
        value,
        context: StreamContext::Given(context),
    };
    let error = Error::new(ErrorKind::Value, "bad");
    let one = result(StreamValue::Value(1), "a");
    assert_eq!(one, one.clone());
    assert_ne!(one, result(StreamValue::Value(2), "a"));
    assert_ne!(one, result(StreamValue::Value(1), "b"));
    assert_ne!(one, StreamResult { successful: false, ..one.clone() });
    assert_ne!(one, result(StreamValue::GeneratorComplete, "a"));
    let failed = result(StreamValue::Error(error.clone()), "a");
    assert_eq!(failed, result(StreamValue::Error(error), "a"));
    assert_ne!(failed, result(StreamValue::Error(Error::new(ErrorKind::Value, "bad")), "a"));
}
