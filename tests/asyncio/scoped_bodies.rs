//! Scopes around foreign futures: what counts as an await in the body, and bodies that are dropped.

use std::cell::Cell;
use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use callsoon::{
    ErrorKind, Lock, Result, Task, create_task, current_task, generator, running_loop, sleep,
    timeout, yield_now,
};

use crate::combinators::{Boxed, OneShot, Unordered, boxed, foreign_yield, join, select};
use crate::driver::{run, secs, turns_of};
use crate::scoped::{stuck, word};
use crate::support::on_drop::on_drop;
use crate::support::trace::Trace;

/// Polls `future` once, as the current task.
async fn is_pending<F: Future + ?Sized>(mut future: Pin<&mut F>) -> bool {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_pending())).await
}

/// Each yield that is polled in a step asks for the next turn anew.
#[test]
fn yields_of_one_step_are_awaits_of_a_scope() -> Result<()> {
    for count in 1..=3 {
        run(async move {
            let yields = move || join((0..count).map(|_| boxed(yield_now())).collect());
            assert_eq!(turns_of(yields()).await?.0, 1);
            let trace = Trace::new();
            let own = trace.clone();
            let task = create_task(async move {
                let body = async |_| {
                    let outcome: Result<Vec<()>> = yields().await.into_iter().collect();
                    own.push(format!("yields: {}", word(&outcome)));
                    sleep(secs(1)).await?;
                    own.push("cleaned up");
                    outcome
                };
                timeout(secs(60), body).await
            });
            yield_now().await?;
            task.cancel();
            assert!(task.await.unwrap_err().is_cancelled());
            trace.expect(["yields: cancelled", "cleaned up"]);
            Ok(())
        })?;
    }
    Ok(())
}

#[test]
fn a_panic_in_its_drop_is_the_tasks_error() -> Result<()> {
    run(async {
        let lock = Lock::new();
        let held = lock.clone();
        let task: Task<()> = create_task(async move {
            held.scope(async || {
                let _guard = on_drop(|| panic!("dropped badly"));
                pending().await
            })
            .await
        });
        yield_now().await?;
        task.cancel();
        let error = task.await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Panic);
        assert_eq!(error.message(), "dropped badly");
        assert!(!lock.locked());
        Ok(())
    })
}

#[test]
fn its_drop_may_call_back_into_the_loop() -> Result<()> {
    let trace = Trace::new();
    let own = trace.clone();
    run(async move {
        let task = create_task(async move {
            let outcome: Result<()> = timeout(secs(9), async |_| {
                let _guard = on_drop(|| {
                    let current = current_task().expect("dropped in the task's step");
                    assert_eq!(current.cancelling(), 1);
                    current.cancel_with("second");
                    let own = own.clone();
                    let made = async move {
                        own.push("made in a drop");
                        Ok(())
                    };
                    create_task(made);
                });
                pending().await
            })
            .await;
            own.push(format!("scope: {}", word(&outcome)));
            let next = sleep(secs(1)).await;
            own.push(format!("sleep: {}", next.unwrap_err().message()));
            Ok(())
        });
        yield_now().await?;
        task.cancel();
        task.await?;
        trace.expect(["scope: cancelled", "made in a drop", "sleep: second"]);
        Ok(())
    })
}

#[test]
fn a_body_that_only_wakes_itself_is_cancelled() -> Result<()> {
    run(async {
        let outcome = timeout(secs(0), async |_| {
            loop {
                foreign_yield().await;
            }
            #[allow(unreachable_code)]
            Ok(())
        })
        .await;
        assert_eq!(word(&outcome), "timeout");
        Ok(())
    })
}

#[test]
fn a_cancelled_generator_body_leaves_its_consumer() -> Result<()> {
    let trace = Trace::new();
    let own = trace.clone();
    run(async move {
        let task = create_task(async move {
            let body = own.clone();
            let numbers = generator(async move |y| {
                y.give(1).await?;
                stuck(body).await
            });
            assert_eq!(numbers.next().await?, Some(1));
            let outcome = numbers.next().await;
            own.push(format!("next: {}", word(&outcome)));
            assert_eq!(numbers.next().await?, None);
            numbers.aclose().await
        });
        yield_now().await?;
        task.cancel();
        task.await?;
        trace.expect(["body dropped", "next: cancelled"]);
        Ok(())
    })
}

#[test]
fn a_generator_left_there_can_be_closed() -> Result<()> {
    let trace = Trace::new();
    let own = trace.clone();
    run(async move {
        let body = own.clone();
        let numbers = generator::<u8>(async move |_| stuck(body).await);
        let mut next = Box::pin(numbers.next());
        assert!(is_pending(next.as_mut()).await);
        drop(next);
        numbers.aclose().await?;
        trace.expect(["body dropped"]);
        yield_now().await // nothing is left to be thrown
    })
}

#[test]
fn a_scope_around_a_give_is_not_the_consumers() -> Result<()> {
    run(async {
        let numbers = generator(async |y| {
            let given = timeout(None, async |_| y.give(1).await).await;
            y.give(if given.is_ok() { 2 } else { 3 }).await.map(drop)
        });
        let consumer = numbers.clone();
        let task = create_task(async move {
            assert_eq!(consumer.next().await?, Some(1));
            assert_eq!(word(&sleep(secs(5)).await), "cancelled");
            assert_eq!(consumer.next().await?, Some(2));
            Ok(())
        });
        yield_now().await?;
        task.cancel();
        task.await
    })
}

#[test]
fn an_await_that_is_not_polled_again_counts() -> Result<()> {
    let trace = Trace::new();
    let own = trace.clone();
    run(async move {
        let foreign = OneShot::new();
        let wakes = foreign.clone();
        let task = create_task(async move {
            let outcome: Result<()> = timeout(secs(90), async |_| {
                let ours = own.clone();
                let parts: Vec<Boxed<()>> = vec![
                    boxed(async move {
                        let slept = sleep(secs(50)).await;
                        ours.push(format!("sleep: {}", word(&slept)));
                        sleep(secs(1)).await.unwrap();
                    }),
                    boxed(foreign),
                ];
                Unordered::new(parts).await;
                Ok(())
            })
            .await;
            own.push(format!("scope: {}", word(&outcome)));
            outcome
        });
        yield_now().await?;
        // Wakes the foreign part alone, which stays pending.
        wakes.take_waker().unwrap().wake();
        yield_now().await?;
        task.cancel();
        sleep(secs(2)).await?;
        trace.expect(["sleep: cancelled"]);
        wakes.send(());
        task.await?;
        trace.expect(["scope: ok"]);
        Ok(())
    })
}

#[test]
fn an_await_polled_outside_before_counts() -> Result<()> {
    for polls in [1, 2] {
        run(async move {
            let task = create_task(async move {
                let slow = create_task(async {
                    let slept = sleep(secs(50)).await;
                    sleep(secs(1)).await?;
                    slept
                });
                let mut slow = pin!(slow.into_future());
                assert!(is_pending(slow.as_mut()).await);
                foreign_yield().await;
                let body = async |_| {
                    for _ in 1..polls {
                        assert!(is_pending(slow.as_mut()).await);
                    }
                    slow.as_mut().await
                };
                assert_eq!(word(&timeout(secs(5), body).await), "timeout");
                // The scope has waited for what the task did about it.
                running_loop().map(|on| on.time())
            });
            assert_eq!(task.await?, secs(6));
            Ok(())
        })?;
    }
    Ok(())
}

#[test]
fn a_select_may_drop_its_await_of_ours() -> Result<()> {
    run(async {
        for steps in 1..4 {
            let outcome: Result<()> = timeout(secs(5), async |_| {
                let yields = boxed(async move {
                    for _ in 0..steps {
                        foreign_yield().await;
                    }
                    Ok(())
                });
                select(vec![boxed(sleep(secs(9))), yields]).await?;
                pending().await
            })
            .await;
            assert_eq!(word(&outcome), "timeout");
        }
        Ok(())
    })
}

#[test]
fn a_scope_may_be_polled_where_no_loop_runs() {
    let lock = Lock::new();
    let foreign = OneShot::new();
    let awaited = foreign.clone();
    let mut scope = pin!(lock.scope(async || Ok(awaited.await)));
    let cx = &mut Context::from_waker(Waker::noop());
    assert!(scope.as_mut().poll(cx).is_pending());
    foreign.send(3);
    assert!(matches!(scope.as_mut().poll(cx), Poll::Ready(Ok(3))));
    assert!(!lock.locked());
}

#[test]
fn a_scope_belongs_to_the_task_that_polled_last() -> Result<()> {
    run(async {
        let lock = Lock::new();
        let own = lock.clone();
        let mut scope =
            boxed(async move { own.scope(async || pending::<Result<()>>().await).await });
        let first = create_task(async move {
            assert!(is_pending(scope.as_mut()).await);
            Ok(Rc::new(Cell::new(Some(scope))))
        });
        let moved = (&first).await?.take().expect("the first task leaves it");
        let second = create_task(moved);
        yield_now().await?;
        second.cancel();
        assert_eq!(word(&second.await), "cancelled");
        assert!(!lock.locked());
        Ok(())
    })
}

#[test]
fn a_scope_that_was_left_takes_no_cancellation() -> Result<()> {
    run(async {
        let foreign = OneShot::new();
        let sends = foreign.clone();
        let task = create_task(async move {
            timeout(secs(9), async |_| foreign.await).await?;
            // With a wait left of the scope, this would not be all that the task awaits.
            let outcome = sleep(secs(5)).await;
            yield_now().await?;
            Ok(word(&outcome))
        });
        yield_now().await?;
        sends.send(Ok(()));
        yield_now().await?;
        task.cancel();
        assert_eq!(task.await?, "cancelled");
        Ok(())
    })
}

#[test]
fn scope_leaves_a_cancel_to_the_second_wait_of_its_body() -> Result<()> {
    run(async {
        let event_loop = running_loop()?;
        let (first, second) = (event_loop.create_future::<()>(), event_loop.create_future::<()>());
        let (awaits, stays) = (first.clone(), second.clone());
        let task = create_task(async move {
            timeout(None, async |_| {
                let later = async move {
                    let outcome = stays.await;
                    yield_now().await?;
                    Ok(word(&outcome))
                };
                let both = [boxed(async move { awaits.await.map(|()| "set") }), boxed(later)];
                let ended: Vec<Result<&str>> = Unordered::new(both.into()).await;
                ended.into_iter().collect::<Result<Vec<_>>>()
            })
            .await
        });
        yield_now().await?;
        first.set_result(())?;
        for _ in 0..3 {
            yield_now().await?;
        }
        task.cancel();
        assert_eq!(task.await?, ["set", "cancelled"]);
        assert!(second.cancelled());
        Ok(())
    })
}

#[test]
fn scope_that_has_ended_is_no_wait_of_the_body_around_it() -> Result<()> {
    run(async {
        let outcome = timeout(secs(1), async |_| {
            timeout(None, async |_| Ok(())).await?;
            pending::<Result<()>>().await
        })
        .await;
        assert_eq!(word(&outcome), "timeout");
        Ok(())
    })
}
