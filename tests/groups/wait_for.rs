//! `wait_for`: a limit on one future, and what its end may still say.

use callsoon::{
    AnyFuture, ErrorKind, EventLoop, create_task, current_task, running_loop, shield, sleep,
    wait_for, yield_now,
};

use crate::driver::{run, secs};
use crate::parts::{
    after, cancel_me_after, cleaning_up, cleans_up, done, fails, now, pending, shown, stubborn,
};
use crate::support::trace::Trace;

// CPython: test_waitfor.AsyncioWaitForTest.test_wait_for_blocking
#[test]
fn in_time_it_gives_what_it_awaits() {
    run(async {
        assert_eq!(wait_for(after(1, 7), secs(2)).await?, 7);
        assert_eq!(wait_for(after(5, 7), None).await?, 7);
        assert_eq!(shown(wait_for(fails::<i32>(1, "early"), secs(2)).await), "ValueError: early");
        assert_eq!(now()?, 7);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_coroutine_runs_in_the_task_that_awaits() {
    run(async {
        let me = current_task().map(|task| task.name());
        let inside = async { Ok(current_task().map(|task| task.name())) };
        assert_eq!(wait_for(inside, secs(1)).await?, me);
        Ok(())
    })
    .unwrap();
}

// CPython: test_waitfor.AsyncioWaitForTest.test_wait_for
// CPython: test_waitfor.AsyncioWaitForTest.test_wait_for_waits_for_task_cancellation
#[test]
fn when_the_time_is_up_it_waits_for_the_end_of_what_it_cancels() {
    run(async {
        let trace = Trace::new();
        let task = cleans_up(&trace, "task");
        let late = wait_for(task.clone(), secs(2)).await;
        trace.push(format!("{} {}", now()?, shown(late)));
        trace.expect(["task cleans up", "task has cleaned up", "3 TimeoutError"]);
        assert!(task.cancelled());
        let late = wait_for(cleaning_up(trace.clone(), "coroutine"), secs(2)).await;
        trace.push(format!("{} {}", now()?, shown(late)));
        trace.expect(["coroutine cleans up", "coroutine has cleaned up", "6 TimeoutError"]);
        Ok(())
    })
    .unwrap();
}

// CPython: test_waitfor.AsyncioWaitForTest.test_asyncio_wait_for_timeout
// CPython: test_waitfor.AsyncioWaitForTest.test_wait_for_cancellation_race_condition
// CPython: test_waitfor.AsyncioWaitForTest.test_wait_for_reraises_exception_during_cancellation
// CPython: test_waitfor.AsyncioWaitForTest.test_wait_for_cancel_suppressed
#[test]
fn what_makes_nothing_of_being_cancelled_has_its_say() {
    run(async {
        assert_eq!(wait_for(stubborn("late"), secs(1)).await?, "late");
        let task = stubborn("without time");
        sleep(secs(1)).await?;
        assert_eq!(wait_for(task, secs(0)).await?, "without time");
        let fails = create_task(async {
            assert!(sleep(secs(60)).await.is_err());
            fails::<i32>(0, "in the end").await
        });
        assert_eq!(shown(wait_for(fails, secs(1)).await), "ValueError: in the end");
        Ok(())
    })
    .unwrap();
}

// CPython: test_waitfor.AsyncioWaitForTest.test_wait_for_timeout_less_then_0_or_0_future_done
// CPython: test_waitfor.AsyncioWaitForTest.test_wait_for_timeout_less_then_0_or_0
// CPython: test_waitfor.AsyncioWaitForTest.test_wait_for_waits_for_task_cancellation_w_timeout_0
#[test]
fn without_time_only_what_is_done_counts() {
    run(async {
        assert_eq!(wait_for(done(7)?, secs(0)).await?, 7);
        let future = pending::<i32>()?;
        assert_eq!(shown(wait_for(future.clone(), secs(0)).await), "TimeoutError");
        assert!(future.cancelled());
        let trace = Trace::new();
        let task = cleans_up(&trace, "task");
        sleep(secs(1)).await?;
        assert_eq!(shown(wait_for(task.clone(), secs(0)).await), "TimeoutError");
        trace.expect(["task cleans up", "task has cleaned up"]);
        assert!(task.cancelled());
        Ok(())
    })
    .unwrap();
}

/// CPython's `wait_for` reads a done future without a look at its loop. For one that is pending it hangs.
#[test]
fn without_time_what_is_done_on_another_loop_counts() {
    let other = EventLoop::new();
    let done = other.create_future::<i32>();
    done.set_result(4).unwrap();
    let pending = other.create_future::<i32>();
    run(async move {
        assert_eq!(wait_for(&done, secs(0)).await?, 4);
        assert_eq!(wait_for(&pending, secs(0)).await.unwrap_err().kind(), ErrorKind::Value);
        assert!(!pending.done());
        Ok(())
    })
    .unwrap();
}

#[test]
fn outside_cancellation_stays_one_and_cancels_the_awaited() {
    run(async {
        let inner = pending::<i32>()?;
        let own = inner.clone();
        let waiter = create_task(async move {
            cancel_me_after(1)?;
            wait_for(own, secs(5)).await
        });
        assert_eq!(shown(waiter.await), "CancelledError");
        assert!(inner.cancelled());
        assert_eq!(now()?, 1);
        Ok(())
    })
    .unwrap();
}

// CPython: test_waitfor.WaitForShieldTests.test_shielded_timeout
#[test]
fn what_is_shielded_goes_on() {
    run(async {
        let task = create_task(after(5, "in the end"));
        assert_eq!(shown(wait_for(shield(&task), secs(1)).await), "TimeoutError");
        assert_eq!((now()?, task.done()), (1, false));
        assert_eq!(task.await?, "in the end");
        Ok(())
    })
    .unwrap();
}

// CPython: test_waitfor.AsyncioWaitForTest.test_wait_for_race_condition
#[test]
fn a_future_that_a_ready_callback_sets_is_in_time() {
    run(async {
        let future = pending()?;
        let promise = future.clone();
        running_loop()?.call_soon(move || promise.set_result("ok"))?;
        assert_eq!(wait_for(future, secs(1)).await?, "ok");
        assert_eq!(running_loop()?.pending_timers(), 0);
        Ok(())
    })
    .unwrap();
}

// CPython: test_waitfor.AsyncioWaitForTest.test_cancel_blocking_wait_for
// CPython: test_waitfor.AsyncioWaitForTest.test_cancel_wait_for
#[test]
fn outside_cancellation_cancels_a_task_with_and_without_a_limit() {
    for limit in [None, Some(secs(60))] {
        run(async move {
            let never = pending::<i32>()?;
            let task = create_task(async move { never.await });
            let awaited = task.clone();
            let waiter = create_task(async move { wait_for(awaited, limit).await });
            let cancels = waiter.clone();
            let cancel = move || {
                cancels.cancel();
            };
            running_loop()?.call_soon(cancel)?;
            assert!((&waiter).await.unwrap_err().is_cancelled());
            assert!(waiter.cancelled() && task.cancelled());
            assert_eq!(running_loop()?.pending_timers(), 0);
            Ok(())
        })
        .unwrap();
    }
}

/// It swallows every cancellation, and has its time.
// CPython: test_waitfor.AsyncioWaitForTest.test_asyncio_wait_for_cancelled
#[test]
fn a_wait_that_is_cancelled_lets_what_it_awaits_end() {
    run(async {
        let trace = Trace::new();
        let own = trace.clone();
        let slow = async move {
            while now()? < 2 {
                let _ = sleep(secs(2 - now()?)).await;
            }
            own.push("exited");
            Ok(())
        };
        let waiter = create_task(wait_for(slow, secs(4)));
        yield_now().await?;
        waiter.cancel();
        let _ = (&waiter).await;
        trace.expect(["exited"]);
        assert_eq!((now()?, waiter.cancelled()), (2, false));
        Ok(())
    })
    .unwrap();
}

/// The result is there, taken or on its way, and yet the cancellation is told.
// CPython: test_waitfor.AsyncioWaitForTest.test_wait_for_issue86296
#[test]
fn a_cancellation_about_the_turn_of_the_result_is_not_swallowed() {
    for turns in [0, 1] {
        run(async move {
            let inner = create_task(async move {
                for _ in 0..turns {
                    yield_now().await?;
                }
                Ok("done")
            });
            let awaited = inner.clone();
            let waiter = create_task(async move {
                wait_for(awaited, secs(100)).await?;
                sleep(secs(1)).await?;
                panic!("the cancellation is lost") as callsoon::Result<()>
            });
            for _ in 0..=turns {
                yield_now().await?;
            }
            assert!(inner.done() && !waiter.done());
            waiter.cancel();
            assert!((&waiter).await.unwrap_err().is_cancelled());
            assert_eq!(inner.await?, "done");
            Ok(())
        })
        .unwrap();
    }
}

// CPython: test_waitfor.WaitForShieldTests.test_zero_timeout
// CPython: test_waitfor.WaitForShieldTests.test_none_timeout
#[test]
fn shield_is_cancelled_without_time_and_awaited_without_limit() {
    run(async {
        let task = create_task(after(1, "done"));
        let shielded = shield(&task);
        assert_eq!(shown(wait_for(shielded.clone(), secs(0)).await), "TimeoutError");
        assert!(shielded.cancelled() && !task.done());
        assert_eq!(wait_for(shield(&task), None).await?, "done");
        assert_eq!((task.result()?, now()?), ("done", 1));
        Ok(())
    })
    .unwrap();
}
