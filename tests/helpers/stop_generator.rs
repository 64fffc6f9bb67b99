//! `stop_async_generator`: an error, one value more, and the end.

use callsoon::helpers as hp;
use callsoon::{AsyncGenerator, ErrorKind, Result, create_task, generator, sleep};

use crate::driver::{run, secs};
use crate::parts::{error, kind, rest, say};
use crate::support::trace::Trace;

/// Gives `count` numbers, says what it is told, and cleans up for a second.
fn numbers(trace: &Trace, count: i32) -> AsyncGenerator<i32> {
    let trace = trace.clone();
    generator(async move |y| {
        let mut outcome = Ok(());
        for number in 1..=count {
            say(&trace, format_args!("gives {number}"))?;
            outcome = y.give(number).await.map(drop);
            if let Err(error) = &outcome {
                say(&trace, format_args!("told {error}"))?;
                break;
            }
        }
        sleep(secs(1)).await?;
        say(&trace, "clean")?;
        outcome
    })
}

#[test]
fn one_that_is_half_way_is_cancelled_cleans_up_and_is_over() -> Result<()> {
    let trace = Trace::new();
    run(async move {
        let it = numbers(&trace, 5);
        assert_eq!(it.next().await?, Some(1));
        let stopped = hp::stop_async_generator(&it, None, None).await;
        assert_eq!(kind(stopped), Some(ErrorKind::Cancelled));
        trace.expect(["0 gives 1", "0 told CancelledError", "1000 clean"]);
        assert_eq!(it.next().await?, None);
        Ok(())
    })
}

#[test]
fn any_error_can_be_thrown_and_is_returned_if_it_passes() -> Result<()> {
    let trace = Trace::new();
    run(async move {
        let it = numbers(&trace, 5);
        assert_eq!(it.next().await?, Some(1));
        let ours = error("enough");
        let stopped = hp::stop_async_generator(&it, None, Some(ours.clone())).await;
        assert!(stopped.unwrap_err().ptr_eq(&ours));
        trace.expect(["0 gives 1", "0 told ValueError: enough", "1000 clean"]);
        Ok(())
    })
}

#[test]
fn unstarted_generator_runs_nothing_and_returns_the_error() -> Result<()> {
    let trace = Trace::new();
    run(async move {
        let it = numbers(&trace, 5);
        let stopped = hp::stop_async_generator(&it, None, Some(error("enough"))).await;
        assert_eq!(kind(stopped), Some(ErrorKind::Value));
        assert_eq!(it.next().await?, None);
        trace.expect_nothing();
        Ok(())
    })
}

#[test]
fn one_that_is_over_can_be_stopped_however_it_ended() -> Result<()> {
    run(async {
        let complete: AsyncGenerator<i32> = generator(async |_| Ok(()));
        let failed: AsyncGenerator<i32> = generator(async |_| Err(error("bad")));
        let cancelled: AsyncGenerator<i32> = generator(async |_| Err(callsoon::Error::cancelled()));
        let ended =
            [kind(complete.next().await), kind(failed.next().await), kind(cancelled.next().await)];
        assert_eq!(ended, [None, Some(ErrorKind::Value), Some(ErrorKind::Cancelled)]);
        for it in [complete, failed, cancelled] {
            hp::stop_async_generator(&it, None, None).await?;
        }
        Ok(())
    })
}

#[test]
fn generator_that_swallows_the_error_is_asked_again_and_closed() -> Result<()> {
    let trace = Trace::new();
    run(async move {
        let told = trace.clone();
        let it = AsyncGenerator::<i32, &str>::new(async move |y| {
            for number in 1.. {
                match y.give(number).await {
                    Ok(sent) => say(&told, format_args!("{number}: {sent:?}"))?,
                    Err(error) if error.kind() == ErrorKind::GeneratorExit => {
                        say(&told, format_args!("{number}: closed"))?;
                        return Err(error);
                    }
                    Err(error) => say(&told, format_args!("{number}: {error}"))?,
                }
            }
            Ok(())
        });
        assert_eq!(it.next().await?, Some(1));
        hp::stop_async_generator(&it, Some("last words"), None).await?;
        trace.expect(["0 1: CancelledError", "0 2: Some(\"last words\")", "0 3: closed"]);
        assert_eq!(it.next().await?, None);
        Ok(())
    })
}

#[test]
fn generator_that_ends_cleanly_by_the_error_is_no_error() -> Result<()> {
    run(async {
        let it: AsyncGenerator<i32> = generator(async |y| {
            let _ = y.give(1).await;
            Ok(())
        });
        assert_eq!(it.next().await?, Some(1));
        hp::stop_async_generator(&it, None, Some(error("enough"))).await
    })
}

#[test]
fn error_of_the_clean_up_is_returned_and_the_generator_closed() -> Result<()> {
    run(async {
        let it: AsyncGenerator<i32> = generator(async |y| {
            let _ = y.give(1).await;
            Err(error("while cleaning up"))
        });
        assert_eq!(it.next().await?, Some(1));
        let stopped = hp::stop_async_generator(&it, None, None).await;
        assert_eq!(stopped.unwrap_err().message(), "while cleaning up");
        assert_eq!(it.next().await?, None);
        Ok(())
    })
}

#[test]
fn a_cancellation_while_it_cleans_up_reaches_the_clean_up() -> Result<()> {
    let trace = Trace::new();
    run(async move {
        let told = trace.clone();
        let it: AsyncGenerator<i32> = generator(async move |y| {
            let outcome = y.give(1).await;
            let slept = sleep(secs(100)).await;
            say(&told, format_args!("slept {slept:?}"))?;
            outcome.map(drop)
        });
        assert_eq!(it.next().await?, Some(1));
        let stopped = it.clone();
        let stops = create_task(async move {
            hp::stop_async_generator(&stopped, None, Some(error("enough"))).await
        });
        rest().await?;
        stops.cancel();
        assert_eq!(kind((&stops).await), Some(ErrorKind::Value));
        trace.expect(["0 slept Err(CancelledError())"]);
        assert_eq!(it.next().await?, None);
        Ok(())
    })
}
