//! Tasks, timers, a ticker, a task holder and a result streamer; each line says when it came.

use alloc::format;
use core::time::Duration;

use callsoon::helpers::{Adding, ResultStreamer, StreamValue, TaskHolder, TickerOptions, tick};
use callsoon::{Error, ErrorKind, Result, create_task, generator, running_loop, sleep};

/// Where a line goes.
pub type Say = fn(&str);

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn note(say: Say, what: &str) {
    let now = running_loop().map_or(0, |on| on.time().as_millis());
    say(&format!("{now:5} ms  {what}"));
}

pub async fn program(say: Say) -> Result<()> {
    timers(say).await?;
    tasks(say).await?;
    ticker(say).await?;
    holder(say).await?;
    streamer(say).await?;
    note(say, "done");
    Ok(())
}

async fn timers(say: Say) -> Result<()> {
    let on = running_loop()?;
    on.call_later(ms(20), move || note(say, "timer: second"))?;
    on.call_later(ms(10), move || note(say, "timer: first"))?;
    on.call_later(ms(10), move || note(say, "timer: never"))?.cancel();
    on.call_later(ms(20), move || note(say, "timer: third, made later for the same time"))?;
    on.call_soon(move || note(say, "soon"))?;
    sleep(ms(50)).await
}

async fn tasks(say: Say) -> Result<()> {
    let session = create_task(async move {
        note(say, "task: begins");
        let outcome = sleep(ms(1_000)).await;
        note(say, "task: cancelled, says goodbye");
        sleep(ms(30)).await?;
        outcome
    });
    sleep(ms(25)).await?;
    session.cancel();
    let outcome = session.await;
    note(say, &format!("task: {}", outcome.expect_err("it was cancelled")));
    Ok(())
}

async fn ticker(say: Say) -> Result<()> {
    let options = TickerOptions { max_iterations: Some(3), ..Default::default() };
    tick(ms(200), options)
        .scope(async |ticks| {
            while let Some(tick) = ticks.next().await? {
                note(say, &format!("ticker: {tick:?}"));
                sleep(ms(70)).await?;
            }
            Ok(())
        })
        .await
}

async fn holder(say: Say) -> Result<()> {
    let last = running_loop()?.create_future::<()>();
    TaskHolder::new(&last)
        .scope(async |holder| {
            for number in [3, 1, 2] {
                holder.add(async move {
                    sleep(ms(10 * number)).await?;
                    note(say, &format!("holder: task {number} is over"));
                    Ok(())
                });
            }
            note(say, &format!("holder: {} pending", holder.pending()));
            Ok(())
        })
        .await
}

async fn streamer(say: Say) -> Result<()> {
    let last = running_loop()?.create_future::<()>();
    let streamer = ResultStreamer::<u64, &str>::new(&last);
    let show = async |streamer: &ResultStreamer<u64, &'static str>| {
        let counted = generator(async |y| {
            for number in 1..=3 {
                sleep(ms(15)).await?;
                y.give(number).await?;
            }
            Ok(())
        });
        let slow = async { sleep(ms(40)).await.map(|()| 40) };
        let fails = async { Err(Error::new(ErrorKind::Value, "no such light")) };
        streamer.add_generator(counted, Adding::new().context("counted")).await?;
        streamer.add_coroutine(slow, Adding::new().context("slow")).await?;
        streamer.add_coroutine(fails, Adding::new().context("fails")).await?;
        streamer.no_more_work();
        let mut results = streamer.iter();
        while let Some(result) = results.next().await? {
            let from = result.context.get().copied().unwrap_or_default();
            match result.value {
                StreamValue::Value(value) => note(say, &format!("streamer: {from} {value}")),
                StreamValue::Error(error) => note(say, &format!("streamer: {from}: {error}")),
                StreamValue::GeneratorComplete => {}
            }
        }
        Ok(())
    };
    streamer.scope(show).await
}
