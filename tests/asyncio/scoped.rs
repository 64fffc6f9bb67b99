//! Scopes around bare foreign futures: a cancellation there ends the innermost body, and the scope
//! goes on with it.

use std::cell::Cell;
use std::future::{Future, pending, poll_fn};

use callsoon::{
    AnyFuture, BoundedSemaphore, Condition, Error, ErrorKind, EventLoop, Lock, Result, Semaphore,
    TaskGroup, Timeout, create_task, current_task, run_on, running_loop, sleep, timeout,
    timeout_at, wait_for, yield_now,
};

use crate::combinators::{Boxed, OneShot, Unordered, boxed, foreign_yield, join};
use crate::driver::{run, secs, settle, turn};
use crate::support::on_drop::on_drop;
use crate::support::trace::Trace;

/// A bare foreign future that never ends, and traces its drop.
pub(crate) async fn stuck(trace: Trace) -> Result<()> {
    let _guard = on_drop(trace.says("body dropped"));
    pending().await
}

/// Returns a word for the outcome of a scope.
pub(crate) fn word<T>(outcome: &Result<T>) -> &'static str {
    match outcome {
        Ok(_) => "ok",
        Err(error) if error.is_cancelled() => "cancelled",
        Err(error) if error.kind() == ErrorKind::Timeout => "timeout",
        Err(error) if error.kind() == ErrorKind::Group => "group",
        Err(_) => "error",
    }
}

/// A task in a scope, cancelled while the body is at a foreign future.
async fn cancel_in<S: Future<Output = Result<()>> + 'static>(
    trace: &Trace,
    scope: impl FnOnce(Boxed<Result<()>>) -> S,
) -> Result<()> {
    let own = trace.clone();
    let scope = scope(boxed(stuck(trace.clone())));
    let task = create_task(async move {
        let outcome = scope.await;
        own.push(format!("scope: {}", word(&outcome)));
        sleep(secs(1)).await?; // the clean-up awaits
        own.push("cleaned up");
        outcome
    });
    sleep(secs(1)).await?;
    assert!(task.cancel());
    assert!((&task).await.unwrap_err().is_cancelled());
    assert_eq!(task.cancelling(), 1);
    trace.expect(["body dropped", "scope: cancelled", "cleaned up"]);
    Ok(())
}

#[test]
fn every_scope_outlives_a_cancelled_foreign_future() -> Result<()> {
    let trace = Trace::new();
    run(async move {
        let t = &trace;
        cancel_in(t, |body| async move { timeout(secs(9), async |_| body.await).await }).await?;
        cancel_in(t, |body| async move { timeout(None, async |_| body.await).await }).await?;
        cancel_in(t, |body| async move { timeout_at(secs(900), async |_| body.await).await })
            .await?;
        cancel_in(t, |body| wait_for(body, secs(9))).await?;
        cancel_in(t, |body| wait_for(body, None)).await?;
        cancel_in(t, |body| async move { TaskGroup::scope(async |_| body.await).await }).await?;
        let (lock, condition) = (Lock::new(), Condition::new());
        let (semaphore, bounded) = (Semaphore::new(1), BoundedSemaphore::new(1));
        let own = lock.clone();
        cancel_in(t, move |body| async move { own.scope(async || body.await).await }).await?;
        let own = condition.clone();
        cancel_in(t, move |body| async move { own.scope(async || body.await).await }).await?;
        let own = semaphore.clone();
        cancel_in(t, move |body| async move { own.scope(async || body.await).await }).await?;
        let own = bounded.clone();
        cancel_in(t, move |body| async move { own.scope(async || body.await).await }).await?;
        assert!(!lock.locked() && !condition.locked());
        assert!(!semaphore.locked() && !bounded.locked());
        Ok(())
    })
}

#[test]
fn a_deadline_at_a_foreign_future_is_a_timeout() -> Result<()> {
    let trace = Trace::new();
    run(async move {
        let by_hand = Timeout::after(secs(1));
        let outcome = by_hand.scope(async |_| stuck(trace.clone()).await).await;
        assert_eq!(word(&outcome), "timeout");
        assert!(by_hand.expired());
        assert_eq!(word(&wait_for(stuck(trace.clone()), secs(1)).await), "timeout");
        assert_eq!(word(&timeout(secs(0), async |_| stuck(trace.clone()).await).await), "timeout");
        assert_eq!(current_task().unwrap().cancelling(), 0);
        sleep(secs(1)).await?; // nothing of it is left to be thrown
        assert_eq!(running_loop()?.time(), secs(3));
        trace.expect(["body dropped"; 3]);
        Ok(())
    })
}

#[test]
fn a_failing_child_ends_a_group_at_a_foreign_future() -> Result<()> {
    let trace = Trace::new();
    run(async move {
        let outcome: Result<()> = TaskGroup::scope(async |group| {
            group.create_task::<()>(async {
                sleep(secs(1)).await?;
                Err(Error::new(ErrorKind::Value, "child"))
            })?;
            stuck(trace.clone()).await
        })
        .await;
        assert_eq!(outcome.unwrap_err().group()[0].message(), "child");
        assert_eq!(current_task().unwrap().cancelling(), 0);
        trace.expect(["body dropped"]);
        yield_now().await
    })
}

#[test]
fn only_the_innermost_body_is_dropped() -> Result<()> {
    let trace = Trace::new();
    let own = trace.clone();
    run(async move {
        let task = create_task(async move {
            let outer = timeout(secs(9), async |_| {
                let inner = TaskGroup::scope(async |_| {
                    let lock = Lock::new();
                    let outcome = lock.scope(async || stuck(own.clone()).await).await;
                    own.push(format!("lock: {}", word(&outcome)));
                    assert!(!lock.locked());
                    outcome
                })
                .await;
                own.push(format!("group: {}", word(&inner)));
                sleep(secs(1)).await?;
                Ok("outer went on")
            })
            .await;
            own.push(format!("timeout: {outer:?}"));
            Ok(())
        });
        yield_now().await?;
        task.cancel();
        task.await?;
        let expected = ["body dropped", "lock: cancelled", "group: cancelled"];
        trace.expect(expected.into_iter().chain(["timeout: Ok(\"outer went on\")"]));
        Ok(())
    })
}

#[test]
fn a_foreign_future_beside_an_inner_scope_stays() -> Result<()> {
    run(async {
        let other = OneShot::new();
        let sends = other.clone();
        let task = create_task(async move {
            let parts: Vec<Boxed<Result<i32>>> = vec![
                boxed(timeout(secs(9), async |_| pending().await)),
                boxed(async move { Ok(other.await) }),
            ];
            let outcomes = timeout(secs(9), async |_| Ok(join(parts).await)).await?;
            assert_eq!(word(&outcomes[0]), "cancelled");
            outcomes[1].clone()
        });
        yield_now().await?;
        task.cancel();
        yield_now().await?;
        sends.send(7);
        assert_eq!(task.await?, 7);
        Ok(())
    })
}

#[test]
fn an_await_of_ours_in_the_body_takes_the_cancellation() -> Result<()> {
    let trace = Trace::new();
    let own = trace.clone();
    run(async move {
        let task = create_task(timeout(secs(9), async move |_| {
            let ours = own.clone();
            let parts: Vec<Boxed<Result<()>>> = vec![
                boxed(foreign_yield_then_ok()),
                boxed(async move {
                    let slept = sleep(secs(5)).await;
                    ours.push(format!("sleep: {}", word(&slept)));
                    sleep(secs(1)).await?;
                    ours.push("cleaned up");
                    slept
                }),
                boxed(stuck(own.clone())),
            ];
            select_last(parts).await
        }));
        sleep(secs(1)).await?;
        task.cancel();
        assert_eq!(word(&task.await), "cancelled");
        trace.expect(["sleep: cancelled", "cleaned up", "body dropped"]);
        Ok(())
    })
}

async fn foreign_yield_then_ok() -> Result<()> {
    foreign_yield().await;
    Ok(())
}

/// Polls all until the second is ready.
async fn select_last(mut parts: Vec<Boxed<Result<()>>>) -> Result<()> {
    let mut first_ready = false;
    poll_fn(move |cx| {
        first_ready = first_ready || parts[0].as_mut().poll(cx).is_ready();
        let second = parts[1].as_mut().poll(cx);
        let _ = second.is_pending() && parts[2].as_mut().poll(cx).is_pending();
        second
    })
    .await
}

#[test]
fn a_cancellation_wins_over_a_value_of_the_same_turn() {
    let event_loop = EventLoop::with_virtual_time();
    for cancel_first in [false, true] {
        let foreign = OneShot::new();
        let awaited = foreign.clone();
        let task =
            event_loop.create_task(timeout(secs(9), async move |_| Ok(awaited.await))).unwrap();
        turn(&event_loop, 1);
        let polls = foreign.polls();
        if cancel_first {
            task.cancel();
        }
        foreign.send(1);
        task.cancel();
        settle(&event_loop);
        assert!(task.cancelled());
        assert_eq!(foreign.polls(), polls, "the body is dropped unpolled");
    }
}

#[test]
fn sibling_scopes_in_one_task_are_each_cancelled() -> Result<()> {
    run(async {
        let limited =
            |seconds| boxed(timeout(secs(seconds), async |_| pending::<Result<()>>().await));
        let words = |outcomes: Vec<Result<()>>| outcomes.iter().map(word).collect::<Vec<_>>();
        // The deadline of one cancels the task, as it would with awaits of ours in the bodies.
        let outcomes = join(vec![limited(5), limited(1)]).await;
        assert_eq!(words(outcomes), ["cancelled", "timeout"]);
        assert_eq!(running_loop()?.time(), secs(1));
        let outcomes = Unordered::new(vec![limited(5), limited(9), limited(1)]).await;
        assert_eq!(words(outcomes), ["cancelled", "cancelled", "timeout"]);
        Ok(())
    })
}

#[test]
fn a_scope_beside_an_await_of_ours_is_cancelled_too() -> Result<()> {
    run(async {
        for swap in [false, true] {
            let task = create_task(async move {
                let mut parts = vec![
                    boxed(sleep(secs(5))),
                    boxed(timeout(secs(9), async |_| pending::<Result<()>>().await)),
                ];
                if swap {
                    parts.reverse();
                }
                let outcomes = join(parts).await;
                assert!(outcomes.iter().all(|outcome| word(outcome) == "cancelled"));
                Ok(())
            });
            yield_now().await?;
            task.cancel();
            task.await?;
        }
        Ok(())
    })
}

#[test]
fn a_task_that_cancels_itself_is_told_at_its_scope() -> Result<()> {
    run(async {
        let task = create_task(async {
            current_task().unwrap().cancel_with("own");
            let outcome = timeout(secs(9), async |_| pending::<Result<()>>().await).await;
            assert_eq!(outcome.as_ref().unwrap_err().message(), "own");
            yield_now().await?; // it was taken, and is not thrown again
            let outcome = timeout(secs(9), async |_| {
                current_task().unwrap().cancel();
                pending::<Result<()>>().await
            });
            assert_eq!(word(&outcome.await), "cancelled");
            yield_now().await?;
            Ok(current_task().unwrap().uncancel())
        });
        assert_eq!(task.await?, 1);
        Ok(())
    })
}

#[test]
fn a_deadline_and_a_cancel_in_one_turn_cancel() {
    for deadline_first in [false, true] {
        let event_loop = EventLoop::with_virtual_time();
        let task = event_loop
            .create_task(async {
                let outcome = timeout(secs(1), async |_| pending::<Result<()>>().await).await;
                yield_now().await?; // nothing is thrown a second time
                assert_eq!(current_task().unwrap().cancelling(), 1);
                outcome
            })
            .unwrap();
        let to_cancel = task.clone();
        let cancel = move || {
            to_cancel.cancel();
            Ok(())
        };
        if deadline_first {
            turn(&event_loop, 1);
        }
        event_loop.call_at(secs(1), cancel).unwrap();
        let ended = event_loop.run_until_complete(task);
        assert!(ended.unwrap_err().is_cancelled());
    }
}

#[test]
fn nested_deadlines_end_their_own_scope() -> Result<()> {
    run(async {
        for (outer, inner, expected) in [
            (1, 5, ["cancelled", "timeout"]),
            (5, 1, ["timeout", "ok"]),
            (1, 1, ["cancelled", "timeout"]),
        ] {
            let seen = Cell::new("");
            let outcome = timeout(secs(outer), async |_| {
                let inner = timeout(secs(inner), async |_| pending::<Result<()>>().await).await;
                seen.set(word(&inner));
                if word(&inner) == "timeout" { Ok(()) } else { inner }
            })
            .await;
            assert_eq!([seen.get(), word(&outcome)], expected);
            assert_eq!(current_task().unwrap().cancelling(), 0);
        }
        Ok(())
    })
}

#[test]
fn run_waits_for_the_cleanup_behind_a_scope() -> Result<()> {
    let trace = Trace::new();
    let own = trace.clone();
    run_on(&EventLoop::with_virtual_time(), async move {
        create_task(async move {
            let outcome = timeout(None, async |_| stuck(own.clone()).await).await;
            sleep(secs(1)).await?;
            own.push("cleaned up");
            outcome
        });
        yield_now().await
    })?;
    trace.expect(["body dropped", "cleaned up"]);
    Ok(())
}

#[test]
fn the_rest_of_a_join_ends_with_the_second_cancel() -> Result<()> {
    run(async {
        let task = create_task(timeout(secs(9), async |_| {
            let parts = vec![boxed(sleep(secs(50))), boxed(pending::<Result<()>>())];
            join(parts).await;
            Ok(())
        }));
        sleep(secs(1)).await?;
        task.cancel();
        sleep(secs(1)).await?;
        assert!(!task.done(), "what is left may be the clean-up of what took the cancellation");
        task.cancel();
        assert!((&task).await.unwrap_err().is_cancelled());
        assert_eq!(running_loop()?.time(), secs(2));
        Ok(())
    })
}
