//! Scopes that are dropped midway, after which nothing can be awaited and nothing hangs; and scopes
//! that clean up as ever after their body was dropped at a foreign future.

use std::future::pending;

use callsoon::helpers::{
    self as hp, ATicker, Adding, ChildOfFuture, ResultStreamer, TaskHolder, ThreadHooks,
    ThreadToAsyncQueue, TickerOptions,
};
use callsoon::{EventLoop, Result, create_task, sleep, timeout, yield_now};

use crate::driver::{run, secs, settle};
use crate::parts::{callbacks, endless, poll_once_and_drop, rest, work};
use crate::support::trace::Trace;

#[test]
fn a_holders_tasks_go_on_when_its_scope_is_dropped() -> Result<()> {
    let trace = Trace::new();
    run(async move {
        let stop = hp::create_future::<()>();
        let holder = TaskHolder::new(&stop);
        let scope = holder.clone().scope(async |holder| {
            holder.add(work(trace.clone(), "it", 2));
            sleep(secs(100)).await
        });
        assert!(!poll_once_and_drop(scope).await);
        assert_eq!(holder.pending(), 1);
        sleep(secs(3)).await?;
        trace.expect(["2000 it done"]);
        assert_eq!(holder.pending(), 0);
        // And it can still be finished by hand.
        holder.add(work(trace.clone(), "more", 1));
        holder.finish(None).await?;
        trace.expect(["4000 more done"]);
        Ok(())
    })
}

#[test]
fn a_holders_finish_that_is_dropped_can_be_called_again() -> Result<()> {
    let trace = Trace::new();
    run(async move {
        let stop = hp::create_future::<()>();
        let holder = TaskHolder::new(&stop);
        let task = holder.add(work(trace.clone(), "it", 2));
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
        let stop = hp::create_future::<()>();
        let streamer = ResultStreamer::<u64>::new(&stop);
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
fn ticker_with_a_dropped_scope_stops_with_its_last_handle() {
    let event_loop = EventLoop::with_virtual_time();
    let ticks = event_loop
        .create_task(async {
            let ticker = ATicker::new(secs(5), TickerOptions::default());
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
fn tasks_of_an_unfinished_holder_end_with_their_loop() {
    let trace = Trace::new();
    let told = trace.clone();
    run(async move {
        let stop = hp::create_future::<()>();
        TaskHolder::new(&stop).add(endless(told, "it"));
        create_task(rest()).await
    })
    .unwrap();
    trace.expect(["0 it cleans up", "1000 it is clean"]);
}

/// Cancels a task in `scope`, with the scope's body at a foreign future that never ends.
async fn cancel_in(trace: &Trace, scope: impl Future<Output = Result<()>> + 'static) -> Result<()> {
    let own = trace.clone();
    let task = create_task(async move {
        let outcome = scope.await;
        own.push("the scope is left");
        sleep(secs(1)).await?;
        own.push("cleaned up");
        outcome
    });
    sleep(secs(1)).await?;
    task.cancel();
    assert!(task.await.unwrap_err().is_cancelled());
    trace.expect(["the scope is left", "cleaned up"]);
    Ok(())
}

#[test]
fn helper_scopes_outlive_a_cancelled_foreign_future() -> Result<()> {
    let trace = Trace::new();
    run(async move {
        let stop = hp::create_future::<()>();
        let holder = TaskHolder::new(&stop);
        let held = holder.add(sleep(secs(900)));
        cancel_in(&trace, holder.scope(async |_| pending().await)).await?;
        assert!(held.cancelled(), "the scope was finished");
        let streamer = ResultStreamer::<()>::new(&stop);
        let streamed = streamer.add_coroutine(sleep(secs(900)), Adding::new()).await?;
        cancel_in(&trace, streamer.scope(async |_| pending().await)).await?;
        assert!(streamed.cancelled());
        let ticker = ATicker::new(secs(5), TickerOptions::default());
        cancel_in(&trace, ticker.scope(async |_| pending().await)).await?;
        let queue = ThreadToAsyncQueue::builder(NoHooks).build(&stop)?;
        cancel_in(&trace, queue.scope(async |_| pending().await)).await
    })
}

struct NoHooks;

impl ThreadHooks for NoHooks {
    type Args = ();

    fn create_args(&self, _thread_number: usize, _existing: Option<()>) -> Result<()> {
        Ok(())
    }
}

#[test]
fn a_child_scope_dropped_at_a_foreign_future_cancels() -> Result<()> {
    run(async {
        let stop = hp::create_future::<()>();
        let child = ChildOfFuture::<()>::new(&stop);
        let seen = child.clone();
        let task = create_task(async move {
            let outcome: Result<()> =
                timeout(None, async |_| child.scope(async |_| pending().await).await).await;
            assert!(outcome.unwrap_err().is_cancelled());
            assert!(seen.cancelled());
            Ok(())
        });
        yield_now().await?;
        task.cancel();
        task.await
    })
}

#[test]
fn async_with_timeout_ends_at_a_foreign_future() -> Result<()> {
    run(async {
        let options = hp::TimeoutOptions { timeout: secs(1), ..hp::TimeoutOptions::default() };
        let outcome = hp::async_with_timeout(pending::<Result<()>>(), options).await;
        assert!(outcome.unwrap_err().is_cancelled());
        Ok(())
    })
}
