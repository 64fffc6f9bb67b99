//! Waiting for all, for the first, and until cancelled futures are done.

use callsoon::helpers as hp;
use callsoon::{AnyFuture, ErrorKind, LoopFuture, Result, create_task, running_loop, sleep};

use crate::driver::{run, secs, turns_of};
use crate::parts::{callbacks, endless, ends, error, kind, poll_once_and_drop, rest, say};
use crate::support::trace::Trace;

const NOTHING: [&dyn AnyFuture; 0] = [];

#[test]
fn wait_for_no_futures_does_not_yield() -> Result<()> {
    run(async {
        let all = turns_of(hp::wait_for_all_futures(NOTHING)).await?;
        let first = turns_of(hp::wait_for_first_future(NOTHING)).await?;
        let cancelled = turns_of(hp::cancel_futures_and_wait(NOTHING)).await?;
        assert_eq!([all.0, first.0, cancelled.0], [0, 0, 0]);
        Ok(())
    })
}

#[test]
fn waiting_for_all_goes_on_when_each_is_done_however_it_ended() -> Result<()> {
    let trace = Trace::new();
    run(async move {
        let futs: Vec<LoopFuture<i32>> = (0..4).map(|_| hp::create_future()).collect();
        let (waited, waits) = (futs.clone(), trace.clone());
        let waiting = create_task(async move {
            hp::wait_for_all_futures(&waited).await?;
            say(&waits, "all done")
        });
        futs[2].set_result(1)?;
        sleep(secs(1)).await?;
        futs[0].set_exception(error("bad"))?;
        sleep(secs(1)).await?;
        futs[3].cancel();
        sleep(secs(1)).await?;
        trace.expect_nothing();
        futs[1].set_result(2)?;
        (&waiting).await?;
        trace.expect(["3000 all done"]);
        Ok(())
    })
}

#[test]
fn a_future_that_is_named_twice_counts_once() -> Result<()> {
    run(async {
        let (one, two) = (hp::create_future::<i32>(), hp::create_future::<i32>());
        one.set_result(1)?;
        two.set_result(1)?;
        hp::wait_for_all_futures([&one, &two, &one, &one]).await?;
        hp::wait_for_first_future([&one, &one]).await
    })
}

#[test]
fn first_done_future_ends_the_wait_and_others_stay() -> Result<()> {
    run(async move {
        for end in ends() {
            let (one, two) = (hp::create_future::<i32>(), hp::create_future::<i32>());
            let later = two.clone();
            running_loop()?.call_later(secs(1), move || end(&later))?;
            hp::wait_for_first_future([&one, &two]).await?;
            assert!(two.done() && !one.done());
            // A future that was waited for and is not done has no callback left of the wait.
            assert_eq!(callbacks(&one), 1);
        }
        Ok(())
    })
}

#[test]
fn what_is_done_already_still_takes_two_turns() -> Result<()> {
    run(async {
        let (done, other) = (hp::create_future::<i32>(), hp::create_future::<i32>());
        done.set_result(1)?;
        assert_eq!(turns_of(hp::wait_for_all_futures([&done])).await?.0, 2);
        assert_eq!(turns_of(hp::wait_for_first_future([&done, &other])).await?.0, 2);
        Ok(())
    })
}

#[test]
fn wait_takes_futures_of_different_kinds_and_values() -> Result<()> {
    let trace = Trace::new();
    run(async move {
        let number = hp::create_future::<i32>();
        let text = hp::create_future::<String>();
        let resettable = hp::ResettableFuture::<[u8; 3]>::new();
        let child = hp::ChildOfFuture::<()>::new(&text);
        let task = create_task(endless(trace.clone(), "task"));
        let all: [&dyn AnyFuture; 5] = [&number, &text, &resettable, &child, &task];
        rest().await?;
        resettable.set_result([1, 2, 3])?;
        hp::wait_for_first_future(all).await?;
        assert_eq!(all.map(AnyFuture::done), [false, false, true, false, false]);
        hp::cancel_futures_and_wait(all).await?;
        say(&trace, "all over")?;
        assert_eq!(all.map(AnyFuture::cancelled), [true, true, false, true, true]);
        trace.expect(["0 task cleans up", "1000 task is clean", "1000 all over"]);
        let owned = all.map(AnyFuture::to_any);
        hp::wait_for_all_futures(owned).await
    })
}

#[test]
fn cancel_and_wait_ignores_done_futures_without_a_yield() -> Result<()> {
    run(async {
        let futs = [(); 3].map(|()| hp::create_future::<i32>());
        futs[0].set_result(1)?;
        futs[1].set_exception(error("bad"))?;
        futs[2].cancel();
        rest().await?;
        assert_eq!(turns_of(hp::cancel_futures_and_wait(&futs)).await?.0, 0);
        assert_eq!((futs[0].result()?, futs[1].cancelled()), (1, false));
        Ok(())
    })
}

#[test]
fn cancel_and_wait_returns_when_the_tasks_have_cleaned_up() -> Result<()> {
    let trace = Trace::new();
    run(async move {
        let tasks = [
            create_task(endless(trace.clone(), "a")),
            create_task(endless(trace.clone(), "b")),
            create_task(async { Ok(1) }),
        ];
        sleep(secs(1)).await?;
        hp::cancel_futures_and_wait(&tasks).await?;
        say(&trace, "all over")?;
        let cleaned =
            ["1000 a cleans up", "1000 b cleans up", "2000 a is clean", "2000 b is clean"];
        trace.expect(cleaned.into_iter().chain(["2000 all over"]));
        assert_eq!(tasks.map(|task| task.cancelled()), [true, true, false]);
        Ok(())
    })
}

#[test]
fn cancelled_or_dropped_wait_leaves_futures_without_a_callback() -> Result<()> {
    run(async {
        let (one, two) = (hp::create_future::<i32>(), hp::create_future::<i32>());
        let before = [callbacks(&one), callbacks(&two)];
        let waited = [one.clone(), two.clone()];
        let waiting = create_task(async move { hp::wait_for_all_futures(&waited).await });
        rest().await?;
        assert_eq!([callbacks(&one), callbacks(&two)], before.map(|count| count + 1));
        waiting.cancel();
        assert_eq!(kind((&waiting).await), Some(ErrorKind::Cancelled));
        assert_eq!([callbacks(&one), callbacks(&two)], before);
        assert!(!poll_once_and_drop(hp::wait_for_first_future([&one, &two])).await);
        assert_eq!([callbacks(&one), callbacks(&two)], before);
        assert!(!one.done() && !two.done());
        Ok(())
    })
}

#[test]
fn cancelled_tasks_stay_so_when_their_wait_is_cancelled() -> Result<()> {
    let trace = Trace::new();
    run(async move {
        let task = create_task(endless(trace.clone(), "task"));
        rest().await?;
        let waited = task.clone();
        let waiting = create_task(async move { hp::cancel_futures_and_wait([&waited]).await });
        rest().await?;
        waiting.cancel();
        assert_eq!(kind((&waiting).await), Some(ErrorKind::Cancelled));
        assert!(!task.done());
        assert_eq!(kind((&task).await), Some(ErrorKind::Cancelled));
        trace.expect(["0 task cleans up", "1000 task is clean"]);
        Ok(())
    })
}
