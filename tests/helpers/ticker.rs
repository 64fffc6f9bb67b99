//! `ATicker`: scopes, ends and misuse. When it ticks is in `ticker_timing`.

use std::rc::Rc;

use callsoon::helpers::{self as hp, ATicker, TickerOptions};
use callsoon::{ErrorKind, Lock, Result, create_task, running_loop, sleep};

use crate::driver::{run, secs};
use crate::parts::{callbacks, ends, error, kind, poll_once_and_drop, rest, say};
use crate::support::trace::Trace;

/// Says every tick until the end.
async fn say_ticks(ticker: &ATicker, trace: &Trace) -> Result<()> {
    while let Some((number, until_next)) = ticker.next().await? {
        say(trace, format_args!("tick {number} next {}", until_next.as_millis()))?;
    }
    say(trace, "over")
}

#[test]
fn outside_of_its_scope_it_can_not_be_iterated() -> Result<()> {
    run(async {
        let ticker = ATicker::new(secs(1), TickerOptions::default());
        let refused = ticker.next().await.unwrap_err();
        assert_eq!(ticker.iter().unwrap_err().kind(), refused.kind());
        let text = "The ticker must be used as a context manager before being used as an async \
                    iterator";
        assert_eq!((refused.kind().name(), refused.message().as_str()), ("Exception", text));
        Ok(())
    })
}

#[test]
fn after_its_scope_it_is_over() -> Result<()> {
    run(async {
        let ticker = hp::tick(secs(1), TickerOptions::default());
        let kept = ticker.clone();
        ticker.scope(async |ticker| ticker.next().await.map(drop)).await?;
        assert_eq!((kept.next().await?, kept.next().await?), (None, None));
        assert_eq!(running_loop()?.time(), secs(0));
        Ok(())
    })
}

#[test]
fn started_and_finished_by_hand_it_is_as_in_a_scope() -> Result<()> {
    let trace = Trace::new();
    run(async move {
        let options = TickerOptions { max_iterations: Some(2), ..Default::default() };
        let ticker = ATicker::new(secs(1), options);
        ticker.start();
        say_ticks(&ticker, &trace).await?;
        ticker.finish(None).await?;
        trace.expect(["0 tick 1 next 1000", "1000 tick 2 next 1000", "2000 over"]);
        Ok(())
    })
}

#[test]
fn iterator_keeps_its_iteration_when_the_ticker_restarts() -> Result<()> {
    run(async {
        let options = TickerOptions { max_iterations: Some(2), ..Default::default() };
        let ticker = ATicker::new(secs(1), options);
        ticker.start();
        let first = ticker.iter()?;
        assert_eq!(first.next().await?, Some((1, secs(1))));
        ticker.start();
        let second = ticker.iter()?;
        assert_eq!(second.next().await?, Some((1, secs(1))));
        assert_eq!(first.next().await?, Some((2, secs(1))));
        assert_eq!(first.next().await?, None);
        assert_eq!(ticker.next().await?, None, "the first has ended the ticker");
        Ok(())
    })
}

#[test]
fn its_final_future_ends_it_at_once_in_any_way() -> Result<()> {
    for end in ends() {
        let trace = Trace::new();
        run(async move {
            let stop = hp::create_future::<()>();
            let later = stop.clone();
            running_loop()?.call_later(secs(7), move || end(&later))?;
            let options = TickerOptions { final_future: Some(Rc::new(stop)), ..Default::default() };
            let ticker = ATicker::new(secs(5), options);
            ticker.scope(async |ticker| say_ticks(ticker, &trace).await).await?;
            trace.expect(["0 tick 1 next 5000", "5000 tick 2 next 5000", "7000 over"]);
            Ok(())
        })?;
    }
    Ok(())
}

#[test]
fn end_of_a_ticker_leaves_its_final_future_without_a_callback() -> Result<()> {
    run(async {
        let stop = hp::create_future::<()>();
        let before = callbacks(&stop);
        let final_future = Some(Rc::new(stop.clone()) as _);
        let options = TickerOptions { final_future, ..Default::default() };
        let ticker = ATicker::new(secs(5), options);
        assert_eq!(callbacks(&stop), before + 1);
        ticker.scope(async |ticker| ticker.next().await.map(drop)).await?;
        rest().await?;
        assert_eq!((stop.done(), callbacks(&stop)), (false, before));
        Ok(())
    })
}

#[test]
fn a_locked_pauser_does_not_keep_a_final_future_from_ending_it() -> Result<()> {
    let trace = Trace::new();
    run(async move {
        let (stop, lock) = (hp::create_future::<()>(), Lock::new());
        lock.acquire().await?;
        let later = stop.clone();
        running_loop()?.call_later(secs(7), move || _ = later.cancel())?;
        let options = TickerOptions {
            final_future: Some(Rc::new(stop)),
            pauser: Some(Rc::new(lock.clone())),
            ..Default::default()
        };
        let ticker = ATicker::new(secs(3), options);
        ticker.scope(async |ticker| say_ticks(ticker, &trace).await).await?;
        trace.expect(["7000 over"]);
        // The ticker doesn't wait for the lock any more.
        lock.release()?;
        rest().await?;
        assert!(!lock.locked());
        Ok(())
    })
}

#[test]
fn an_error_of_the_body_ends_it_and_is_the_scopes() -> Result<()> {
    run(async {
        let ticker = ATicker::new(secs(5), TickerOptions::default());
        let (kept, ours) = (ticker.clone(), error("bad"));
        let outcome: Result<()> = ticker
            .scope(async |ticker| {
                ticker.next().await?;
                Err(ours.clone())
            })
            .await;
        assert!(outcome.unwrap_err().ptr_eq(&ours));
        assert_eq!(kept.next().await?, None);
        Ok(())
    })
}

#[test]
fn a_task_that_is_cancelled_between_ticks_ends_it() -> Result<()> {
    let trace = Trace::new();
    run(async move {
        let ticker = ATicker::new(secs(5), TickerOptions::default());
        let (ticks, told) = (ticker.clone(), trace.clone());
        let task =
            create_task(
                async move { ticks.scope(async |ticker| say_ticks(ticker, &told).await).await },
            );
        sleep(secs(7)).await?;
        task.cancel();
        assert_eq!(kind((&task).await), Some(ErrorKind::Cancelled));
        assert_eq!(ticker.next().await?, None);
        trace.expect(["0 tick 1 next 5000", "5000 tick 2 next 5000"]);
        Ok(())
    })
}

#[test]
fn while_one_task_waits_for_the_tick_another_is_refused() -> Result<()> {
    run(async {
        let ticker = ATicker::new(secs(5), TickerOptions::default());
        ticker
            .scope(async |ticker| {
                ticker.next().await?;
                let waits = ticker.clone();
                let waiting = create_task(async move { waits.next().await });
                rest().await?;
                assert_eq!(kind(ticker.next().await), Some(ErrorKind::Runtime));
                assert_eq!((&waiting).await?.map(|(number, _)| number), Some(2));
                Ok(())
            })
            .await
    })
}

#[test]
fn tick_of_a_dropped_wait_goes_to_the_next_wait() -> Result<()> {
    run(async {
        let ticker = ATicker::new(secs(5), TickerOptions::default());
        ticker
            .scope(async |ticker| {
                ticker.next().await?;
                assert!(!poll_once_and_drop(ticker.next()).await);
                assert_eq!(ticker.next().await?.map(|(number, _)| number), Some(2));
                assert_eq!(running_loop()?.time(), secs(5));
                Ok(())
            })
            .await
    })
}
