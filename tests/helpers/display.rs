//! The `Debug` output of the helpers: what they are, and the most useful figures of each.

use std::time::Duration;

use callsoon::helpers::{self as hp, Adding, ResultStreamer, TaskHolder, TickerOptions};
use callsoon::{LoopFuture, Result};

use crate::driver::run;

#[test]
fn futures_show_what_they_stand_on() -> Result<()> {
    run(async {
        let parent: LoopFuture<()> = hp::create_future();
        parent.set_name("up");
        let child = hp::ChildOfFuture::<i32>::named(&parent, "own");
        assert_eq!(format!("{child:?}"), "<ChildOfFuture#own((pending))<Future#up(pending)>>");
        let resettable = hp::ResettableFuture::<i32>::named("x");
        assert_eq!(format!("{resettable:?}"), "<ResettableFuture#x((pending))>");
        Ok(())
    })
}

#[test]
fn queues_and_holders_show_how_much_they_hold() -> Result<()> {
    run(async {
        let stop: LoopFuture<()> = hp::create_future();
        let queue = hp::Queue::<i32>::new(&stop);
        queue.append(1);
        queue.append(2);
        assert_eq!(format!("{queue:?}"), "Queue { len: 2, .. }");
        assert_eq!(format!("{:?}", queue.iter()), "QueueIter { queue: Queue { len: 2, .. }, .. }");
        let to_threads = hp::SyncQueue::<i32>::new(&stop);
        to_threads.append(1);
        to_threads.append(2);
        assert_eq!(format!("{to_threads:?}"), "SyncQueue { len: 2, finished: false, .. }");
        let holder = TaskHolder::new(&stop);
        let task = holder.add(async { Ok(1) });
        assert_eq!(format!("{holder:?}"), "TaskHolder { pending: 1, .. }");
        task.await?;
        stop.cancel();
        assert_eq!(format!("{to_threads:?}"), "SyncQueue { len: 2, finished: false, .. }");
        holder.finish(None).await
    })
}

#[test]
fn streamers_tickers_and_their_options_show_what_was_asked_for() -> Result<()> {
    run(async {
        let stop: LoopFuture<()> = hp::create_future();
        let streamer = ResultStreamer::<i32, &str>::new(&stop);
        let adding = Adding::new().context("why").force(true);
        assert_eq!(format!("{adding:?}"), "Adding { context: Given(\"why\"), force: true, .. }");
        let _task = streamer.add_value(1, adding).await?;
        let shown = format!("{streamer:?}");
        assert!(shown.starts_with("ResultStreamer { pending: ") && shown.contains("registered: 1"));
        let iter = format!("{:?}", streamer.iter());
        assert_eq!(iter, format!("StreamIter {{ streamer: {shown}, .. }}"));
        streamer.finish(None).await?;
        let every = Duration::from_millis(1500);
        let options = TickerOptions { max_iterations: Some(2), ..TickerOptions::default() };
        let shown = format!("{options:?}");
        assert!(
            shown.contains("max_iterations: Some(2)") && shown.contains("max_time: None"),
            "{shown}"
        );
        let ticker = hp::ATicker::new(every, TickerOptions { name: Some("t".into()), ..options });
        assert_eq!(format!("{ticker:?}"), "ATicker { name: Some(\"t\"), every: 1.5s, .. }");
        ticker.finish(None).await
    })
}
