//! Futures of other crates, which know of this one only a waker.

use std::cell::RefCell;
use std::future::{Future, IntoFuture, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::thread;

use callsoon::{EventLoop, LoopFuture, Task, create_task, running_loop, sleep, yield_now};

use crate::combinators::{OneShot, foreign_yield};
use crate::driver::{Reports, run, secs, settle, turn, turns_of};
use crate::support::on_drop::on_drop;
use crate::support::trace::Trace;

/// A task that awaits a foreign future, bare, after its first step.
fn parked(event_loop: &EventLoop) -> (Task<i32>, OneShot<i32>) {
    let foreign = OneShot::new();
    let awaited = foreign.clone();
    let task = event_loop.create_task(async move { Ok(awaited.await) }).unwrap();
    turn(event_loop, 1);
    (task, foreign)
}

#[test]
fn wake_on_the_loops_thread_schedules_the_task_in_place() {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let foreign = OneShot::new();
    let (awaited, own) = (foreign.clone(), trace.clone());
    let task = event_loop
        .create_task(async move {
            own.push(awaited.await);
            Ok(())
        })
        .unwrap();
    turn(&event_loop, 1);
    let (first, last) = (trace.says("ready before"), trace.says("ready after"));
    let on = event_loop.clone();
    let wake = move || {
        on.call_soon(first)?;
        foreign.send(1);
        on.call_soon(last).map(drop)
    };
    event_loop.call_soon(wake).unwrap();
    turn(&event_loop, 1);
    trace.expect_nothing();
    turn(&event_loop, 1);
    trace.expect(["ready before", "1", "ready after"]);
    assert!(task.done());
}

#[test]
fn wake_while_no_loop_runs_keeps_its_place_in_the_next_run() {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let (task, foreign) = parked(&event_loop);
    event_loop.call_soon(trace.says("before")).unwrap();
    foreign.send(2);
    let own = trace.clone();
    task.add_done_callback(move |_: &dyn callsoon::AnyFuture| own.push("done"));
    event_loop.call_soon(trace.says("after")).unwrap();
    settle(&event_loop);
    trace.expect(["before", "after", "done"]);
    assert_eq!(task.result().unwrap(), 2);
}

// CPython: test_futures.BaseFutureTests.test_wrap_future
#[test]
fn a_wake_from_another_thread_ends_the_loops_sleep() {
    let event_loop = EventLoop::new();
    let (task, foreign) = parked(&event_loop);
    foreign.put(3);
    let waker = foreign.take_waker().expect("the task has left one");
    let thread = thread::spawn(move || waker.wake());
    assert_eq!(event_loop.run_until_complete(task).unwrap(), 3);
    thread.join().unwrap();
}

#[test]
fn wake_of_another_thread_before_the_run_is_not_lost() {
    let event_loop = EventLoop::with_virtual_time();
    let (task, foreign) = parked(&event_loop);
    foreign.put(3);
    let waker = foreign.take_waker().unwrap();
    thread::spawn(move || waker.wake_by_ref()).join().unwrap();
    turn(&event_loop, 1);
    assert_eq!(task.result().unwrap(), 3);
}

// CPython: test_tasks.RunCoroutineThreadsafeTests.test_run_coroutine_threadsafe
#[test]
fn another_thread_may_have_a_task_made_and_hear_of_its_result() {
    let event_loop = EventLoop::new();
    let (handle, stopping) = (event_loop.handle(), event_loop.handle());
    let thread = thread::spawn(move || {
        let (sender, receiver) = std::sync::mpsc::channel();
        let make = move || {
            let task = create_task(async { yield_now().await.map(|()| 9) });
            task.add_done_callback(move |done: &dyn callsoon::AnyFuture| {
                let task = done.downcast_ref::<i32>().expect("it is the task");
                task.result().map(|value| sender.send(value).expect("the thread waits for it"))
            });
            Ok(())
        };
        handle.call_soon_threadsafe(make).unwrap();
        let result = receiver.recv().unwrap();
        stopping.call_soon_threadsafe(|| running_loop().map(|on| on.stop())).unwrap();
        result
    });
    event_loop.run_forever().unwrap();
    assert_eq!(thread.join().unwrap(), 9);
}

#[test]
fn many_wakes_in_one_turn_are_one_step() {
    let event_loop = EventLoop::with_virtual_time();
    let (task, foreign) = parked(&event_loop);
    let polls = foreign.polls();
    let waker = foreign.take_waker().unwrap();
    for _ in 0..5 {
        waker.wake_by_ref();
    }
    let other = waker.clone();
    thread::spawn(move || other.wake()).join().unwrap();
    settle(&event_loop);
    assert_eq!(foreign.polls(), polls + 1);
    waker.wake();
    settle(&event_loop);
    assert_eq!(foreign.polls(), polls + 2);
    assert!(!task.done());
}

#[test]
fn a_wake_after_the_end_does_nothing() {
    let event_loop = EventLoop::with_virtual_time();
    let (task, foreign) = parked(&event_loop);
    let waker = foreign.take_waker().unwrap();
    foreign.put(4);
    waker.wake_by_ref();
    waker.wake_by_ref();
    settle(&event_loop);
    assert_eq!(task.result().unwrap(), 4);
    waker.wake_by_ref();
    assert_eq!(event_loop.run_once(Some(secs(0))).unwrap(), 0);
    drop(task);
    waker.wake_by_ref();
    assert_eq!(event_loop.run_once(Some(secs(0))).unwrap(), 0);
    assert_eq!(foreign.holders(), 1, "the task's future is gone");
}

#[test]
fn waker_of_a_done_task_wakes_no_task_in_its_memory() {
    let event_loop = EventLoop::with_virtual_time();
    let (task, foreign) = parked(&event_loop);
    let stale = foreign.take_waker().unwrap();
    foreign.put(1);
    stale.wake_by_ref();
    settle(&event_loop);
    drop(task);
    let (next, next_foreign) = parked(&event_loop);
    let polls = next_foreign.polls();
    stale.wake_by_ref();
    thread::spawn(move || stale.wake()).join().unwrap();
    settle(&event_loop);
    assert_eq!(next_foreign.polls(), polls, "the stale waker stepped another task");
    assert!(!next.done());
    next_foreign.send(5);
    settle(&event_loop);
    assert_eq!(next.result().unwrap(), 5);
}

#[test]
fn a_wake_after_the_loop_has_closed_does_nothing() {
    let event_loop = EventLoop::with_virtual_time();
    let reports = Reports::of(&event_loop);
    let (task, foreign) = parked(&event_loop);
    let waker = foreign.take_waker().unwrap();
    event_loop.close().unwrap();
    assert_eq!(reports.messages(), ["Task was destroyed but it is pending!"]);
    waker.wake_by_ref();
    drop(event_loop);
    let other = waker.clone();
    thread::spawn(move || other.wake()).join().unwrap();
    waker.wake();
    drop(task);
    assert_eq!(foreign.holders(), 1);
}

#[test]
fn future_that_wakes_in_its_poll_gets_one_step_each_turn() {
    run(async {
        let (turns, ()) = turns_of(async {
            for _ in 0..3 {
                foreign_yield().await;
            }
        })
        .await?;
        assert_eq!(turns, 3);
        Ok(())
    })
    .unwrap();
}

#[test]
fn kept_waker_woken_in_a_poll_gives_one_step_each_turn() {
    let event_loop = EventLoop::with_virtual_time();
    let polls = Rc::new(RefCell::new(0));
    let own = polls.clone();
    let mut kept: Vec<Waker> = Vec::new();
    let restless = poll_fn(move |cx| {
        *own.borrow_mut() += 1;
        kept.push(cx.waker().clone());
        cx.waker().wake_by_ref();
        Poll::<callsoon::Result<()>>::Pending
    });
    let task = event_loop.create_task(restless).unwrap();
    turn(&event_loop, 1);
    let first = *polls.borrow();
    turn(&event_loop, 4);
    assert_eq!(*polls.borrow(), first + 4, "no turn is left out, and none polls twice");
    assert!(task.cancel());
    settle(&event_loop);
    assert!(task.cancelled());
}

#[test]
fn a_waker_that_is_cloned_and_dropped_again_costs_no_wake() {
    let event_loop = EventLoop::with_virtual_time();
    let polls = Rc::new(RefCell::new(0));
    let (own, future) = (polls.clone(), event_loop.create_future::<i32>());
    let awaited = future.clone();
    let mut wait = Box::pin(awaited.into_future());
    let fickle = poll_fn(move |cx| {
        *own.borrow_mut() += 1;
        drop(cx.waker().clone());
        wait.as_mut().poll(cx)
    });
    let task = event_loop.create_task(fickle).unwrap();
    settle(&event_loop);
    assert_eq!(*polls.borrow(), 1);
    future.set_result(1).unwrap();
    settle(&event_loop);
    assert_eq!((*polls.borrow(), task.result().unwrap()), (2, 1));
}

#[test]
fn cancel_of_a_task_on_a_bare_foreign_future_drops_the_future() {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let foreign = OneShot::<i32>::new();
    let (awaited, guard, own) = (foreign.clone(), on_drop(trace.says("dropped")), trace.clone());
    let task = event_loop
        .create_task(async move {
            let _guard = guard;
            awaited.await;
            own.push("never");
            Ok(())
        })
        .unwrap();
    turn(&event_loop, 1);
    assert!(task.cancel_with("gone"));
    trace.expect_nothing();
    turn(&event_loop, 1);
    trace.expect(["dropped"]);
    assert!(task.cancelled());
    assert_eq!(task.result().unwrap_err().message(), "gone");
    assert_eq!(foreign.holders(), 1);
    foreign.send(1);
    assert_eq!(event_loop.run_once(Some(secs(0))).unwrap(), 0);
}

#[test]
fn wake_and_cancel_in_one_turn_are_one_step_and_cancel_wins() {
    let event_loop = EventLoop::with_virtual_time();
    let (task, foreign) = parked(&event_loop);
    foreign.send(1);
    assert!(task.cancel());
    assert_eq!(event_loop.run_once(Some(secs(0))).unwrap(), 1);
    assert!(task.cancelled());
}

#[test]
fn uncancel_before_its_turn_spares_a_task_on_a_foreign_future() {
    let event_loop = EventLoop::with_virtual_time();
    let (task, foreign) = parked(&event_loop);
    task.cancel();
    assert_eq!(task.uncancel(), 0);
    settle(&event_loop);
    assert!(!task.done());
    foreign.send(1);
    settle(&event_loop);
    assert_eq!(task.result().unwrap(), 1);
}

#[test]
fn a_cancel_drops_a_task_that_does_nothing_but_wake_itself() {
    let event_loop = EventLoop::with_virtual_time();
    let task: Task<()> = event_loop
        .create_task(async {
            loop {
                foreign_yield().await;
            }
        })
        .unwrap();
    turn(&event_loop, 3);
    assert!(task.cancel());
    turn(&event_loop, 10);
    assert!(task.cancelled(), "{task:?} was cancelled ten turns ago");
}

/// A cancellation is thrown at an await of ours. Where a step meets none, the next step ends the
/// task.
#[test]
fn cancel_that_meets_no_await_of_ours_ends_the_task_next_step() {
    let event_loop = EventLoop::with_virtual_time();
    let mut ours = Some(yield_now());
    let task: Task<()> = event_loop
        .create_task(poll_fn(move |cx| match ours.take() {
            Some(ours) => pin!(ours).poll(cx),
            None => Poll::Pending,
        }))
        .unwrap();
    turn(&event_loop, 1);
    assert!(task.cancel());
    turn(&event_loop, 1);
    assert!(!task.done(), "{task:?} has met no await");
    turn(&event_loop, 1);
    assert!(task.cancelled(), "{task:?} stands at no await of ours");
}

#[test]
fn a_task_goes_from_ours_to_foreign_and_back() {
    let event_loop = EventLoop::with_virtual_time();
    let foreign = OneShot::new();
    let (awaited, trace) = (foreign.clone(), Trace::new());
    let own = trace.clone();
    let task = event_loop
        .create_task(async move {
            for round in 0..3 {
                own.push(format!("{round} ours {:?}", running_loop()?.time()));
                sleep(secs(1)).await?;
                own.push(format!("{round} foreign {}", awaited.clone().await));
                yield_now().await?;
                foreign_yield().await;
            }
            let outcome = sleep(secs(100)).await;
            own.push(format!("{outcome:?}"));
            outcome
        })
        .unwrap();
    for round in 0..3 {
        event_loop.run_once(Some(secs(1))).unwrap();
        event_loop.run_once(Some(secs(1))).unwrap();
        settle(&event_loop);
        foreign.send(round);
        settle(&event_loop);
    }
    trace.expect([
        "0 ours 0ns",
        "0 foreign 0",
        "1 ours 1s",
        "1 foreign 1",
        "2 ours 2s",
        "2 foreign 2",
    ]);
    assert!(task.cancel());
    settle(&event_loop);
    trace.expect(["Err(CancelledError())"]);
    assert!(task.cancelled());
}

#[test]
fn late_wake_of_a_foreign_future_leaves_an_await_of_ours_alone() {
    let event_loop = EventLoop::with_virtual_time();
    let foreign = OneShot::new();
    let future: LoopFuture<i32> = event_loop.create_future();
    let (awaited, ours) = (foreign.clone(), future.clone());
    let task = event_loop
        .create_task(async move {
            awaited.await;
            ours.await
        })
        .unwrap();
    turn(&event_loop, 1);
    let waker = foreign.take_waker().unwrap();
    foreign.put(());
    waker.wake_by_ref();
    turn(&event_loop, 1);
    assert_eq!(format!("{future:?}"), "<Future pending callbacks=1>");
    waker.wake_by_ref();
    turn(&event_loop, 1);
    assert_eq!(format!("{future:?}"), "<Future pending callbacks=1>", "still once");
    assert!(task.cancel());
    assert!(future.cancelled());
    settle(&event_loop);
    assert!(task.cancelled());
}

#[test]
fn a_cancel_and_a_wake_of_a_task_that_awaits_ours_are_one_step() {
    let event_loop = EventLoop::with_virtual_time();
    let (foreign, trace) = (OneShot::new(), Trace::new());
    let future: LoopFuture<i32> = event_loop.create_future();
    let (awaited, ours, own) = (foreign.clone(), future.clone(), trace.clone());
    let task = event_loop
        .create_task(async move {
            awaited.await;
            own.push(format!("{:?}", ours.await));
            own.push(format!("{:?}", yield_now().await));
            Ok(())
        })
        .unwrap();
    turn(&event_loop, 1);
    let waker = foreign.take_waker().unwrap();
    foreign.put(());
    waker.wake_by_ref();
    turn(&event_loop, 1);
    waker.wake_by_ref();
    assert!(task.cancel());
    waker.wake_by_ref();
    turn(&event_loop, 1);
    trace.expect(["Err(CancelledError())"]);
    turn(&event_loop, 1);
    trace.expect(["Ok(())"]);
    assert!(task.result().is_ok());
}

#[test]
fn foreign_future_may_call_the_loop_in_its_poll_and_drop() {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let (on, own) = (event_loop.clone(), trace.clone());
    let (dropping, dropped) = (event_loop.clone(), trace.clone());
    let guard = on_drop(move || {
        let future = dropping.create_future::<i32>();
        future.set_result(1).unwrap();
        dropping.create_task(async move { future.await.map(|value| dropped.push(value)) }).unwrap();
    });
    let task: Task<()> = event_loop
        .create_task(async move {
            let _guard = guard;
            poll_fn(move |_| {
                on.call_soon(own.says("from a poll")).unwrap();
                own.push(format!("{} tasks", on.all_tasks().len()));
                create_task(async { Ok(()) });
                Poll::<()>::Pending
            })
            .await;
            Ok(())
        })
        .unwrap();
    turn(&event_loop, 2);
    trace.expect(["1 tasks", "from a poll"]);
    task.cancel();
    settle(&event_loop);
    trace.expect(["1"]);
}

#[test]
fn await_polled_with_the_waker_of_another_task_wakes_that_task() {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let future = event_loop.create_future::<()>();
    let kept: Rc<RefCell<Option<Waker>>> = Rc::default();
    let (keeps, own) = (kept.clone(), trace.clone());
    let sleeps = event_loop
        .create_task(async move {
            poll_fn(|cx| {
                own.push("sleeper polled");
                keeps.replace(Some(cx.waker().clone()));
                Poll::<()>::Pending
            })
            .await;
            Ok(())
        })
        .unwrap();
    turn(&event_loop, 1);
    let (awaited, own) = (future.clone(), trace.clone());
    let polls = event_loop
        .create_task(async move {
            let waker = kept.borrow().clone().expect("the sleeper has run");
            let mut awaited = pin!(awaited.into_future());
            poll_fn(|_| {
                own.push("poller polled");
                awaited.as_mut().poll(&mut Context::from_waker(&waker)).map(drop)
            })
            .await;
            Ok(())
        })
        .unwrap();
    turn(&event_loop, 1);
    trace.expect(["sleeper polled", "poller polled"]);
    future.set_result(()).unwrap();
    turn(&event_loop, 3);
    trace.expect(["sleeper polled"]);
    polls.cancel();
    sleeps.cancel();
    settle(&event_loop);
}
