//! Sleeps that are the only wait of their task, which take no future: what ends them, what is left of
//! them, and how they become waits for a future.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::time::Duration;

use callsoon::{
    Awaited, Error, ErrorKind, EventLoop, ExceptionContext, FutureLike, LoopFuture, LoopRef,
    Result, Sleep, Task, create_task, current_task, gather, sleep, yield_now,
};

use crate::combinators::{boxed, join, select};
use crate::driver::{run, secs, settle, turn};
use crate::shared_wait::Shared;
use crate::support::cancels::Cancels;
use crate::support::hand_clock::HandClock;
use crate::support::on_drop::on_drop;
use crate::support::trace::Trace;

fn with_clock() -> (EventLoop, HandClock) {
    let clock = HandClock::default();
    (EventLoop::with_host(clock.clone()), clock)
}

#[test]
fn entry_of_a_dropped_sleep_does_not_end_the_next() {
    let (event_loop, clock) = with_clock();
    let trace = Trace::new();
    let first = event_loop.create_future::<()>();
    let (awaited, says) = (first.clone(), trace.clone());
    let task = event_loop
        .create_task(async move {
            select(vec![boxed(sleep(secs(1))), boxed(async move { awaited.await })]).await?;
            says.push("first");
            sleep(secs(1)).await?;
            says.push("second");
            Ok(())
        })
        .unwrap();
    turn(&event_loop, 1);
    // The step is on the ready queue before the timer's entry.
    first.set_result(()).unwrap();
    clock.pass(secs(1));
    turn(&event_loop, 4);
    trace.expect(["first"]);
    assert_eq!((task.done(), event_loop.pending_timers()), (false, 1));
    clock.pass(secs(1));
    turn(&event_loop, 2);
    trace.expect(["second"]);
    assert!(task.done());
}

#[test]
fn cancel_before_the_entry_of_a_sleep_that_is_due() {
    let (event_loop, clock) = with_clock();
    let trace = Trace::new();
    let says = trace.clone();
    let task: Rc<RefCell<Option<Task<()>>>> = Rc::default();
    let cancelled = task.clone();
    let canceller = move || {
        assert!(cancelled.borrow().as_ref().is_some_and(Task::cancel));
    };
    // It is due with the sleep, and was made before.
    event_loop.call_at(secs(1), canceller).unwrap();
    *task.borrow_mut() = Some(
        event_loop
            .create_task(async move {
                says.push(format!("{:?}", sleep(secs(1)).await));
                says.push(format!("{:?}", sleep(secs(1)).await));
                Ok(())
            })
            .unwrap(),
    );
    turn(&event_loop, 1);
    clock.pass(secs(1));
    turn(&event_loop, 4);
    trace.expect(["Err(CancelledError())"]);
    clock.pass(secs(1));
    turn(&event_loop, 2);
    trace.expect(["Ok(())"]);
}

#[test]
fn cancel_of_a_sleep_delivers_the_first_message_of_two() {
    let event_loop = EventLoop::with_virtual_time();
    let task = event_loop.create_task(sleep(secs(1))).unwrap();
    turn(&event_loop, 1);
    task.cancel_with("first");
    task.cancel_with("second");
    settle(&event_loop);
    assert_eq!(task.result().unwrap_err().message(), "first");
    assert_eq!((event_loop.pending_timers(), task.cancelling()), (0, 2));
}

#[test]
fn message_of_a_cancelled_sleep_is_not_that_of_the_next() {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let says = trace.clone();
    let sleeper = event_loop
        .create_task(async move {
            for _ in 0..2 {
                says.push(format!("{:?}", sleep(secs(1)).await));
            }
            Ok(())
        })
        .unwrap();
    turn(&event_loop, 1);
    sleeper.cancel_with("first");
    turn(&event_loop, 1);
    sleeper.cancel();
    settle(&event_loop);
    trace.expect(["Err(CancelledError(\"first\"))", "Err(CancelledError())"]);
}

#[test]
fn uncancel_does_not_take_back_what_a_sleep_has_accepted() {
    let event_loop = EventLoop::with_virtual_time();
    let task = event_loop.create_task(sleep(secs(1))).unwrap();
    turn(&event_loop, 1);
    task.cancel();
    assert_eq!(task.uncancel(), 0);
    settle(&event_loop);
    assert!(task.cancelled());
}

#[test]
fn cancel_reaches_a_sleep_and_what_is_joined_with_it() {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let (says, future) = (trace.clone(), event_loop.create_future::<()>());
    let awaited = future.clone();
    let task = event_loop
        .create_task(async move {
            let both: Vec<_> = vec![
                boxed(sleep(secs(1))),
                boxed(async move { awaited.await }),
                boxed(sleep(secs(2))),
            ];
            for outcome in join(both).await {
                says.push(format!("{outcome:?}"));
            }
            Ok(())
        })
        .unwrap();
    turn(&event_loop, 1);
    assert_eq!(event_loop.pending_timers(), 2);
    let waits = &event_loop.task_infos()[0].waits_on;
    assert_eq!(waits[0], Awaited::Sleep(Some(secs(1))));
    assert_eq!(waits[2], Awaited::Sleep(Some(secs(2))));
    assert!(task.cancel_with("all"));
    settle(&event_loop);
    trace.expect(["Err(CancelledError(\"all\"))"; 3]);
    assert!(future.cancelled());
    assert_eq!(event_loop.pending_timers(), 0);
}

#[test]
fn sleep_ends_where_it_is_polled_last() {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let shared = Shared::new(sleep(secs(1)));
    let first = shared.task(&event_loop, &trace, "first");
    let second = shared.task(&event_loop, &trace, "second");
    turn(&event_loop, 1);
    assert_eq!(event_loop.pending_timers(), 1);
    event_loop.run_until_complete(async move { second.await }).unwrap();
    trace.expect(["second: Ok(())"]);
    assert_eq!(event_loop.time(), secs(1));
    first.cancel();
    settle(&event_loop);
    assert!(first.cancelled());
}

#[test]
fn due_sleep_that_another_task_polls_ends_there() {
    let (event_loop, clock) = with_clock();
    let trace = Trace::new();
    let shared = Shared::new(sleep(secs(1)));
    let first = shared.task(&event_loop, &trace, "first");
    turn(&event_loop, 1);
    // Its step is ready before the timer's entry.
    let second = shared.task(&event_loop, &trace, "second");
    clock.pass(secs(1));
    turn(&event_loop, 2);
    trace.expect(["second: Ok(())"]);
    assert!(second.done() && !first.done());
    first.cancel();
    settle(&event_loop);
    assert!(first.cancelled());
}

#[test]
fn sleep_that_is_over_is_so_for_another_task() {
    let (event_loop, clock) = with_clock();
    let trace = Trace::new();
    let shared = Shared::new(sleep(secs(1)));
    let second: Rc<RefCell<Option<Task<()>>>> = Rc::default();
    let (place, own, says) = (second.clone(), shared.clone(), trace.clone());
    // It is due with the sleep, and was made before.
    let make = move || {
        let task = create_task(async move {
            says.push(format!("second: {:?}", own.wait().await));
            Ok(())
        });
        *place.borrow_mut() = Some(task);
    };
    event_loop.call_at(secs(1), make).unwrap();
    let first = shared.task(&event_loop, &trace, "first");
    turn(&event_loop, 1);
    clock.pass(secs(1));
    turn(&event_loop, 2);
    trace.expect(["second: Ok(())", "first: Ok(())"]);
    assert!(first.done());
}

#[test]
fn cancelled_sleep_is_so_for_another_task() {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let shared = Shared::new(sleep(secs(1)));
    let first = shared.task(&event_loop, &trace, "first");
    turn(&event_loop, 1);
    let second = shared.task(&event_loop, &trace, "second");
    first.cancel_with("why");
    turn(&event_loop, 1);
    trace.expect(["second: Err(CancelledError(\"why\"))", "first: Ok(())"]);
    assert!(first.done() && second.cancelled());
    assert_eq!(event_loop.pending_timers(), 0);
}

#[test]
fn sleep_that_is_leaked_leaves_its_task_to_others() {
    run(async {
        let mut leaked = Box::pin(sleep(secs(1)));
        poll_fn(|cx| {
            assert!(leaked.as_mut().poll(cx).is_pending());
            std::task::Poll::Ready(())
        })
        .await;
        std::mem::forget(leaked);
        sleep(secs(3)).await?;
        let task = create_task(async { yield_now().await });
        task.await?;
        let own = current_task().expect("a task");
        own.cancel_with("on purpose");
        assert_eq!(sleep(secs(1)).await.unwrap_err().message(), "on purpose");
        own.uncancel();
        Ok(())
    })
    .unwrap();
}

#[test]
fn task_that_ends_before_its_sleeps_entry_is_dropped_then() {
    let (event_loop, clock) = with_clock();
    let trace = Trace::new();
    let reports = trace.clone();
    let handler = move |_: &LoopRef, _: &ExceptionContext| reports.push("report");
    event_loop.set_exception_handler(Some(Rc::new(handler)));
    for (fails, last) in [(true, "report"), (false, "drop")] {
        let own = trace.clone();
        let task = event_loop
            .create_task(async move {
                assert!(sleep(secs(1)).await.is_err());
                own.push("end");
                if fails {
                    Err(Error::new(ErrorKind::Value, "x"))
                } else {
                    Ok(on_drop(own.says("drop")))
                }
            })
            .unwrap();
        event_loop.call_later(Duration::from_millis(500), trace.says("other")).unwrap();
        turn(&event_loop, 1);
        // Its step is ready before the entries of both timers.
        task.cancel();
        drop(task);
        clock.pass(secs(1));
        turn(&event_loop, 1);
        trace.expect(["end", last, "other"]);
    }
    assert_eq!(event_loop.pending_timers(), 0);
}

#[test]
fn moved_sleep_outlives_the_task_that_has_begun_it() {
    let (event_loop, clock) = with_clock();
    let trace = Trace::new();
    let shared = Shared::new(sleep(secs(1)));
    let (own, says) = (shared.clone(), trace.clone());
    let first = event_loop
        .create_task(async move {
            let kept = on_drop(says.says("first dropped"));
            select(vec![boxed(async move { own.wait().await }), boxed(yield_now())]).await?;
            Ok(kept)
        })
        .unwrap();
    turn(&event_loop, 1);
    // The steps of both are ready before the timer's entry.
    let second = shared.task(&event_loop, &trace, "second");
    drop(first);
    clock.pass(secs(1));
    turn(&event_loop, 1);
    trace.expect(["first dropped"]);
    turn(&event_loop, 1);
    trace.expect(["second: Ok(())"]);
    assert!(second.done());
}

/// A hundred cancellations inside of each other go on; the next task's waits are asked when they are
/// through, its sleep among them.
#[test]
fn deferred_cancel_reaches_a_sleep_after_the_others() {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let mut next: Option<Task<()>> = None;
    for number in (0..=101).rev() {
        let seen = number > 97;
        let last: LoopFuture<()> = event_loop.create_future();
        let own = event_loop.create_future();
        let first: Rc<dyn FutureLike<()>> = match next.take() {
            Some(task) => Rc::new(Cancels { own, task, panics: false }),
            None => Rc::new(own),
        };
        let (awaited, says) = (last.clone(), trace.clone());
        let watcher = async move {
            let _ = awaited.await;
            if seen {
                says.push(format!("future {number}"));
            }
            Ok(())
        };
        drop(event_loop.create_task(watcher).unwrap());
        let says = trace.clone();
        let sleeper = async move {
            let both = gather([first, Rc::new(last)]);
            let sleeps = async move {
                let _ = sleep(secs(9)).await;
                if seen {
                    says.push(format!("sleep {number}"));
                }
            };
            join(vec![boxed(sleeps), boxed(async move { _ = both.await })]).await;
            Ok(())
        };
        next = Some(event_loop.create_task(sleeper).unwrap());
    }
    turn(&event_loop, 1);
    next.unwrap().cancel();
    turn(&event_loop, 1);
    let order = [("sleep", 98), ("sleep", 99), ("future", 99), ("future", 98)];
    let deferred = [("sleep", 100), ("sleep", 101), ("future", 101), ("future", 100)];
    trace.expect([order, deferred].concat().iter().map(|(what, at)| format!("{what} {at}")));
}

#[test]
fn sleep_that_outlives_its_loop_is_dropped_quietly() {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let shared = Shared::new(sleep(secs(1)));
    let task = shared.task(&event_loop, &trace, "task");
    turn(&event_loop, 1);
    event_loop.set_exception_handler(Some(Rc::new(|_: &_, _: &_| {})));
    event_loop.close().unwrap();
    drop(event_loop);
    assert!(!task.done());
    shared.drop_wait();
    drop(task);
    trace.expect_nothing();
}

#[test]
fn error_thrown_at_a_sleep_takes_its_timer_back() {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let (says, other) = (trace.clone(), event_loop.create_future::<()>());
    let awaited = other.clone();
    let task = event_loop
        .create_task(async move {
            let outcome =
                join(vec![boxed(sleep(secs(5))), boxed(async move { awaited.await })]).await;
            says.push(format!("{outcome:?}"));
            Ok(())
        })
        .unwrap();
    turn(&event_loop, 1);
    // It is woken first, and cancelled then: what is thrown meets the first await.
    other.set_result(()).unwrap();
    assert!(task.cancel());
    settle(&event_loop);
    trace.expect(["[Err(CancelledError()), Ok(())]"]);
    assert_eq!(event_loop.pending_timers(), 0);
    assert_eq!(task.result().map_err(|error: Error| error.kind()), Ok(()));
}

/// A sleep that is due, and a task that comes before its entry on the ready queue: it begins a sleep, which gets
/// the place among the timers that the other had, does `then`, and says when its sleep is over.
fn due_beside_another<F: Future<Output = Result<()>> + 'static>(
    then: impl FnOnce(Shared<Sleep>) -> F,
) -> Trace {
    let ((event_loop, clock), trace) = (with_clock(), Trace::new());
    let shared = Shared::new(sleep(secs(1)));
    let task = shared.task(&event_loop, &trace, "first");
    turn(&event_loop, 1);
    let (says, then) = (trace.clone(), boxed(then(shared)));
    let other = event_loop.create_task(async move {
        join(vec![boxed(sleep(secs(1))), then]).await;
        says.push("second");
        Ok(())
    });
    clock.pass(secs(1));
    turn(&event_loop, 3);
    trace.push(format!("{} pending", event_loop.pending_timers()));
    clock.pass(secs(1));
    turn(&event_loop, 2);
    assert!(other.unwrap().done() && !task.done());
    trace
}

#[test]
fn dropped_sleep_that_is_due_leaves_the_timer_in_its_place() {
    let trace = due_beside_another(async |shared| {
        shared.drop_wait();
        Ok(())
    });
    trace.expect(["1 pending", "second"]);
}

#[test]
fn moved_sleep_that_is_due_leaves_the_timer_in_its_place() {
    let trace = due_beside_another(async |shared| shared.wait().await);
    trace.expect(["1 pending", "second"]);
}
