//! `async_with_timeout`: so long and no longer.

use std::time::Duration;

use callsoon::helpers as hp;
use callsoon::{AnyFuture, ErrorKind, Result, create_task, running_loop, sleep};

use crate::driver::{run, secs};
use crate::parts::{endless, error, kind, poll_once_and_drop, rest, say, work};
use crate::support::log_lines::log_lines_of;
use crate::support::trace::Trace;

fn within(seconds: u64) -> hp::TimeoutOptions {
    hp::TimeoutOptions { timeout: secs(seconds), ..Default::default() }
}

fn now() -> Result<Duration> {
    Ok(running_loop()?.time())
}

#[test]
fn what_ends_in_time_gives_its_result_and_leaves_no_timer() -> Result<()> {
    let trace = Trace::new();
    run(async move {
        assert_eq!(hp::async_with_timeout(work(trace.clone(), "it", 2), within(5)).await?, 2);
        assert_eq!(now()?, secs(2));
        sleep(secs(10)).await?;
        trace.expect(["2000 it done"]);
        Ok(())
    })
}

#[test]
fn what_takes_too_long_is_cancelled_and_not_waited_for() -> Result<()> {
    let trace = Trace::new();
    run(async move {
        let outcome = hp::async_with_timeout(endless(trace.clone(), "it"), within(5)).await;
        say(&trace, format_args!("{:?}", kind(outcome)))?;
        sleep(secs(10)).await?;
        trace.expect(["5000 it cleans up", "5000 Some(Cancelled)", "6000 it is clean"]);
        Ok(())
    })
}

#[test]
fn it_takes_ten_seconds_unless_told_otherwise() -> Result<()> {
    run(async {
        let options = hp::TimeoutOptions::default();
        let outcome = hp::async_with_timeout(sleep(secs(60)), options).await;
        assert_eq!((kind(outcome), now()?), (Some(ErrorKind::Cancelled), secs(10)));
        Ok(())
    })
}

#[test]
fn timeout_returns_the_very_error_that_was_given() -> Result<()> {
    let trace = Trace::new();
    run(async move {
        let ours = error("too slow");
        let options = hp::TimeoutOptions { timeout_error: Some(ours.clone()), ..within(5) };
        let outcome = hp::async_with_timeout(endless(trace.clone(), "it"), options).await;
        assert!(outcome.unwrap_err().ptr_eq(&ours));
        sleep(secs(10)).await?;
        trace.expect(["5000 it cleans up", "6000 it is clean"]);
        Ok(())
    })
}

#[test]
fn error_in_time_is_returned_and_logged_unless_silent() {
    let logged = log_lines_of(|| {
        run(async {
            for silent in [false, true] {
                let ours = error("its own");
                let fails = ours.clone();
                let options = hp::TimeoutOptions {
                    silent,
                    timeout_error: Some(error("too slow")),
                    ..within(5)
                };
                let outcome = hp::async_with_timeout(async { Err::<(), _>(fails) }, options).await;
                assert!(outcome.unwrap_err().ptr_eq(&ours));
            }
            Ok(())
        })
        .unwrap();
    });
    assert_eq!(logged, ["ERROR: ValueError: its own"]);
}

#[test]
fn cancellation_in_time_is_not_the_timeout_error() -> Result<()> {
    run(async {
        let options = hp::TimeoutOptions { timeout_error: Some(error("too slow")), ..within(5) };
        let cancels_itself = async {
            callsoon::current_task().expect("in a task").cancel();
            sleep(secs(1)).await
        };
        let outcome = hp::async_with_timeout(cancels_itself, options).await;
        assert_eq!((kind(outcome), now()?), (Some(ErrorKind::Cancelled), Duration::ZERO));
        Ok(())
    })
}

#[test]
fn cancelled_caller_leaves_the_task_running_without_a_limit() -> Result<()> {
    let trace = Trace::new();
    run(async move {
        let caller = create_task(hp::async_with_timeout(work(trace.clone(), "it", 20), within(5)));
        sleep(secs(1)).await?;
        caller.cancel();
        assert_eq!(kind((&caller).await), Some(ErrorKind::Cancelled));
        sleep(secs(30)).await?;
        trace.expect(["20000 it done"]);
        Ok(())
    })
}

#[test]
fn a_wait_that_is_dropped_leaves_the_task_going_without_a_limit() -> Result<()> {
    let trace = Trace::new();
    run(async move {
        let it = work(trace.clone(), "it", 20);
        assert!(!poll_once_and_drop(hp::async_with_timeout(it, within(5))).await);
        sleep(secs(30)).await?;
        trace.expect(["20000 it done"]);
        Ok(())
    })
}

#[test]
fn wait_has_the_name_that_was_given() -> Result<()> {
    run(async {
        let options = hp::TimeoutOptions { name: Some("lamp".to_owned()), ..within(5) };
        let named = async {
            let name = callsoon::current_task().expect("in a task").name();
            Ok((name, callsoon::task_tree()))
        };
        let (name, tree) = hp::async_with_timeout(named, options).await?;
        assert!(name.starts_with("Task-"), "{name}");
        assert!(tree.contains("||async_with_timeout(lamp)[final]"), "{tree}");
        rest().await
    })
}
