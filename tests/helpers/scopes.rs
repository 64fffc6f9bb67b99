//! Scopes that are dropped midway: cleaning up can't be awaited any more, and nothing hangs.

use callsoon::helpers::{self as hp, ATicker, Adding, ResultStreamer, TaskHolder, TickerOptions};
use callsoon::{EventLoop, Result, create_task, sleep};

use crate::driver::{run, secs, settle};
use crate::parts::{callbacks, endless, poll_once_and_drop, rest, work};
use crate::support::trace::Trace;

#[test]
fn a_holders_tasks_go_on_when_its_scope_is_dropped() -> Result<()> {
    let trace = Trace::new();
    run(async move {
        let stop = hp::create_future::<()>()?;
        let holder = TaskHolder::new(&stop)?;
        let scope = holder.clone().scope(async |holder| {
            holder.add(work(trace.clone(), "it", 2))?;
            sleep(secs(100)).await
        });
        assert!(!poll_once_and_drop(scope).await);
        assert_eq!(holder.pending(), 1);
        sleep(secs(3)).await?;
        trace.expect(["2000 it done"]);
        assert_eq!(holder.pending(), 0);
        // And it can still be finished by hand.
        holder.add(work(trace.clone(), "more", 1))?;
        holder.finish(None).await?;
        trace.expect(["4000 more done"]);
        Ok(())
    })
}

#[test]
fn a_holders_finish_that_is_dropped_can_be_called_again() -> Result<()> {
    let trace = Trace::new();
    run(async move {
        let stop = hp::create_future::<()>()?;
        let holder = TaskHolder::new(&stop)?;
        let task = holder.add(work(trace.clone(), "it", 2))?;
        let before = callbacks(&task);
        assert!(!poll_once_and_drop(holder.finish(None)).await);
        assert_eq!(callbacks(&task), before);
        holder.finish(None).await?;
        trace.expect(["2000 it done"]);
        Ok(())
    })
}

#[test]
fn a_streamers_tasks_go_on_when_its_scope_is_dropped() -> Result<()> {
    let trace = Trace::new();
    run(async move {
        let stop = hp::create_future::<()>()?;
        let streamer = ResultStreamer::<u64>::new(&stop)?;
        let scope = streamer.clone().scope(async |streamer| {
            streamer.add_coroutine(work(trace.clone(), "it", 2), Adding::new()).await?;
            streamer.iter().next().await
        });
        assert!(!poll_once_and_drop(scope).await);
        let result = streamer.iter().next().await?.expect("there is one");
        assert_eq!(result.value.ok(), Some(2));
        trace.expect(["2000 it done"]);
        streamer.finish(None).await
    })
}

#[test]
fn a_ticker_whose_scope_is_dropped_ticks_no_more_once_nobody_holds_it() {
    let event_loop = EventLoop::with_virtual_time();
    let ticks = event_loop
        .create_task(async {
            let ticker = ATicker::new(secs(5), TickerOptions::default())?;
            let scope = ticker.scope(async |ticker| {
                ticker.next().await?;
                ticker.next().await
            });
            assert!(!poll_once_and_drop(scope).await);
            rest().await
        })
        .unwrap();
    settle(&event_loop);
    assert!(ticks.done());
    assert_eq!(event_loop.pending_timers(), 0, "no timer is left of it");
}

#[test]
fn tasks_of_a_holder_that_nobody_finishes_are_ended_with_their_loop() {
    let trace = Trace::new();
    let told = trace.clone();
    run(async move {
        let stop = hp::create_future::<()>()?;
        TaskHolder::new(&stop)?.add(endless(told, "it"))?;
        create_task(rest())?.await
    })
    .unwrap();
    trace.expect(["0 it cleans up", "1000 it is clean"]);
}
