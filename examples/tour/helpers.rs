//! The helpers of Photons.

use std::time::Duration;

use callsoon::{Result, generator, helpers as hp, running_loop, sleep};

/// Seconds that take none, on a virtual clock.
const SECOND: Duration = Duration::from_secs(1);

pub(crate) async fn ticker() -> Result<()> {
    let options = hp::TickerOptions { max_iterations: Some(3), ..Default::default() };
    let body = async |ticks: &hp::ATicker| {
        while let Some((number, _until_next)) = ticks.next().await? {
            println!("  tick {number} after {:?}", running_loop()?.time());
            sleep(4 * SECOND).await?;
        }
        Ok(())
    };
    hp::tick(10 * SECOND, options).scope(body).await
}

pub(crate) async fn holder() -> Result<()> {
    let body = async |holder: &hp::TaskHolder| {
        for seconds in [3, 1, 2] {
            holder.add(async move {
                sleep(seconds * SECOND).await?;
                println!("  a task of {seconds} seconds is over");
                Ok(())
            });
        }
        println!("  {} tasks are held; the holder waits for them", holder.pending());
        Ok(())
    };
    hp::TaskHolder::new(&hp::create_future::<()>()).scope(body).await
}

pub(crate) async fn streamer() -> Result<()> {
    let body = async |streamer: &hp::ResultStreamer<u32, &'static str>| {
        let counted = generator(async |y| {
            for number in 1..=2 {
                sleep(2 * SECOND).await?;
                y.give(number).await?;
            }
            Ok(())
        });
        let slow = async { sleep(3 * SECOND).await.map(|()| 3) };
        streamer.add_generator(counted, hp::Adding::new().context("counted")).await?;
        streamer.add_coroutine(slow, hp::Adding::new().context("slow")).await?;
        streamer.no_more_work();
        let mut results = streamer.iter();
        while let Some(result) = results.next().await? {
            let from = result.context.get().copied().unwrap_or_default();
            println!("  from {from}: {}", result.value.ok().unwrap_or_default());
        }
        Ok(())
    };
    hp::ResultStreamer::new(&hp::create_future::<()>()).scope(body).await
}
