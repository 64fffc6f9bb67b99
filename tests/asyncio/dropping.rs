//! Drops that leave nothing behind: of awaits, tasks and loops, and drops that call back.

use std::cell::{Cell, RefCell};
use std::future::{Future, IntoFuture, pending, poll_fn};
use std::mem::needs_drop;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use callsoon::{
    AnyFuture, Callback, Error, ErrorKind, EventLoop, LoopFuture, Task, Watcher, create_task,
    generator, sleep, wrap_future, yield_now,
};

use crate::combinators::{OneShot, Unordered, boxed, join, select};
use crate::driver::{Reports, secs, settle, turn};
use crate::support::on_drop::on_drop;
use crate::support::trace::Trace;

const IDLE: &str = "<Future pending>";

#[test]
fn an_await_that_is_dropped_leaves_no_callback_behind() {
    let event_loop = EventLoop::with_virtual_time();
    let future = event_loop.create_future::<i32>();
    let wrapped = {
        let wait = (&future).into_future();
        boxed(async { Unordered::new(vec![boxed(wait)]).await.remove(0) })
    };
    for way in [boxed((&future).into_future()), wrapped] {
        let instead = event_loop.create_future();
        let either = select(vec![way, boxed((&instead).into_future())]);
        let task = event_loop
            .create_task(async {
                either.await?;
                sleep(secs(1)).await
            })
            .unwrap();
        turn(&event_loop, 1);
        assert_eq!(format!("{future:?}"), "<Future pending callbacks=1>");
        instead.set_result(0).unwrap();
        turn(&event_loop, 1);
        assert_eq!(format!("{future:?}"), IDLE);
        assert!(task.cancel());
        settle(&event_loop);
        assert!(task.cancelled());
        assert!(!future.done(), "a dropped await does not cancel its future");
    }
}

#[test]
fn callbacks_of_a_pending_future_drop_as_they_were_added() {
    struct Says(Trace);

    impl Watcher for Says {
        fn ended(&self, _token: u64) {}

        fn joined(&self, _token: u64) {}
    }

    impl Drop for Says {
        fn drop(&mut self) {
            self.0.push("watcher");
        }
    }

    let (event_loop, trace) = (EventLoop::with_virtual_time(), Trace::new());
    let future = event_loop.create_future::<i32>();
    future.erased().unwrap().watch(Rc::new(Says(trace.clone())), 0);
    for name in ["first", "second", "third", "fourth"] {
        let held = on_drop(trace.says(name));
        future.add_done_callback(move |_: &dyn AnyFuture| _ = &held);
    }
    trace.expect_nothing();
    drop(future);
    trace.expect(["watcher", "first", "second", "third", "fourth"]);
}

#[test]
fn await_dropped_after_its_wake_leaves_the_order_of_others() {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let (future, instead) = (event_loop.create_future(), event_loop.create_future());
    let wrapped = {
        let wait = (&future).into_future();
        boxed(async { Unordered::new(vec![boxed(wait)]).await.remove(0) })
    };
    let either = select(vec![boxed((&instead).into_future()), wrapped]);
    let own = trace.clone();
    let task = event_loop.create_task(async move { either.await.map(|value| own.push(value)) });
    let task = task.unwrap();
    turn(&event_loop, 1);
    instead.set_result(1).unwrap();
    future.set_result(2).unwrap();
    event_loop.call_soon(trace.says("between")).unwrap();
    let own = trace.clone();
    future.add_done_callback(move |_: &dyn AnyFuture| own.push("callback"));
    settle(&event_loop);
    trace.expect(["1", "between", "callback"]);
    assert!(task.done());
}

#[test]
fn an_await_that_was_never_polled_leaves_nothing() {
    let event_loop = EventLoop::with_virtual_time();
    let future = event_loop.create_future::<i32>();
    drop((&future).into_future());
    assert_eq!(format!("{future:?}"), IDLE);
}

#[test]
fn a_task_that_ends_by_a_cancel_takes_its_awaits_with_it() {
    let event_loop = EventLoop::with_virtual_time();
    let (one, two) = (event_loop.create_future::<i32>(), event_loop.create_future::<i32>());
    let foreign = OneShot::<()>::new();
    let (first, second, bare) = (one.clone(), two.clone(), foreign.clone());
    let task: Task<()> = event_loop
        .create_task(async move {
            let mut first = Box::pin(first.into_future());
            let mut second = Box::pin(second.into_future());
            // Polled once each, and kept, while the task is parked elsewhere.
            std::future::poll_fn(|cx| {
                assert!(first.as_mut().poll(cx).is_pending());
                assert!(second.as_mut().poll(cx).is_pending());
                std::task::Poll::Ready(())
            })
            .await;
            yield_now().await?;
            drop(first);
            bare.await;
            Ok(())
        })
        .unwrap();
    turn(&event_loop, 1);
    assert_eq!(
        format!("{one:?} {two:?}"),
        "<Future pending callbacks=1> <Future pending callbacks=1>"
    );
    turn(&event_loop, 1);
    assert_eq!(format!("{one:?}"), IDLE);
    assert!(task.cancel());
    settle(&event_loop);
    assert!(two.cancelled(), "it was among what the task awaited");
    assert!(!one.done());
    foreign.send(());
    settle(&event_loop);
    assert!(task.done());
}

#[test]
fn a_task_and_its_future_are_freed_together_when_it_is_over() {
    let event_loop = EventLoop::with_virtual_time();
    let kept = Rc::new(());
    let future = event_loop.create_future::<i32>();
    for _ in 0..3 {
        let (own, awaited) = (kept.clone(), future.clone());
        let body = async move {
            let _own = own;
            awaited.await
        };
        let task = event_loop.create_task(body).unwrap();
        let own = kept.clone();
        task.add_done_callback(move |_: &dyn AnyFuture| drop(own.clone()));
    }
    settle(&event_loop);
    assert_eq!(Rc::strong_count(&kept), 7);
    future.set_result(1).unwrap();
    settle(&event_loop);
    assert_eq!(Rc::strong_count(&kept), 1);
    assert!(event_loop.all_tasks().is_empty());
}

#[test]
fn value_of_a_future_without_a_drop_is_dropped_once() {
    struct Noted(&'static str);

    impl Drop for Noted {
        fn drop(&mut self) {
            TRACE.with(|trace| trace.push(self.0));
        }
    }

    /// It has nothing to drop itself.
    struct Makes(Result<&'static str, ErrorKind>);

    impl Future for Makes {
        type Output = callsoon::Result<Noted>;

        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
            Poll::Ready(self.0.map(Noted).map_err(|kind| Error::new(kind, "")))
        }
    }

    thread_local!(static TRACE: Trace = Trace::new());
    assert!(!needs_drop::<Makes>());
    let event_loop = EventLoop::with_virtual_time();
    let unread = event_loop.create_task(Makes(Ok("unread"))).unwrap();
    let cancelled = event_loop.create_task(Makes(Ok("cancelled"))).unwrap();
    let failed = event_loop.create_task(Makes(Err(ErrorKind::Value))).unwrap();
    cancelled.cancel();
    settle(&event_loop);
    assert!(unread.done() && cancelled.cancelled() && failed.exception().unwrap().is_some());
    TRACE.with(Trace::expect_nothing);
    drop((unread, cancelled, failed));
    TRACE.with(|trace| trace.expect(["unread"]));
}

#[test]
fn a_loop_that_is_dropped_frees_every_task_however_it_is_parked() {
    let event_loop = EventLoop::with_virtual_time();
    let reports = Reports::of(&event_loop);
    let kept = Rc::new(());
    let future = event_loop.create_future::<i32>();
    let foreign = OneShot::<i32>::new();
    let (ours, theirs, wrapped) = (future.clone(), foreign.clone(), OneShot::<i32>::new());
    let both = vec![boxed((&future).into_future()), boxed(wrap_future(wrapped.clone()))];
    let numbers = generator(async |y| {
        y.give(1).await?;
        sleep(secs(1)).await
    });
    let bodies: Vec<crate::combinators::Boxed<callsoon::Result<()>>> = vec![
        boxed(async { yield_now().await }),
        boxed(async { sleep(secs(1)).await }),
        boxed(async move { ours.await.map(drop) }),
        boxed(async move {
            theirs.await;
            Ok(())
        }),
        boxed(async move {
            join(both).await;
            Ok(())
        }),
        boxed(async move {
            numbers.next().await?;
            numbers.next().await.map(drop)
        }),
        boxed(async {
            let child = create_task(sleep(secs(9)));
            child.await
        }),
    ];
    let count = bodies.len();
    for body in bodies {
        let own = kept.clone();
        let guarded = async move {
            let _own = own;
            body.await
        };
        drop(event_loop.create_task(guarded).unwrap());
    }
    turn(&event_loop, 1);
    drop(event_loop);
    assert_eq!(Rc::strong_count(&kept), 1);
    assert_eq!((foreign.holders(), wrapped.holders()), (1, 1));
    assert_eq!(format!("{future:?}"), IDLE);
    assert_eq!(reports.messages().len(), count + 1, "and a child");
}

#[test]
fn a_handle_of_a_task_outlives_the_loop() {
    let event_loop = EventLoop::with_virtual_time();
    let _reports = Reports::of(&event_loop);
    let task = event_loop.create_task(sleep(secs(1))).unwrap();
    let over = event_loop.create_task(async { Ok(3) }).unwrap();
    settle(&event_loop);
    drop(event_loop);
    assert_eq!(over.result().unwrap(), 3);
    assert!(!task.done());
    assert!(task.result().is_err());
    let (own, called) = (Rc::new(Cell::new(false)), Rc::new(Cell::new(false)));
    let callback = called.clone();
    over.add_done_callback(move |_: &dyn AnyFuture| callback.set(own.replace(true)));
    task.cancel();
    let _ = format!("{task:?} {over:?}");
    drop((task, over));
    assert!(!called.get());
}

#[test]
fn several_callbacks_outlive_the_loop() {
    let event_loop = EventLoop::with_virtual_time();
    let (before, kept) = (event_loop.memory(), Rc::new(()));
    let add = |future: &LoopFuture<()>, count| {
        for kept in vec![kept.clone(); count] {
            future.add_done_callback(move |_: &dyn AnyFuture| drop(kept.clone()));
        }
    };
    let (left, late) = (event_loop.create_future(), event_loop.create_future());
    add(&left, 1);
    let with_one = event_loop.memory();
    add(&left, 4);
    assert!(before <= with_one && with_one < event_loop.memory(), "the waiters are counted");
    drop(event_loop);
    add(&late, 2);
    late.set_result(()).unwrap();
    assert_eq!(Rc::strong_count(&kept), 6, "a closed loop calls and keeps no callbacks");
    drop((left, late));
    assert_eq!(Rc::strong_count(&kept), 1);
}

#[test]
fn callbacks_of_a_step_outlive_the_loop() {
    let event_loop = EventLoop::with_virtual_time();
    let (before, kept) = (event_loop.memory(), Rc::new(()));
    let held = kept.clone();
    let make = move |_| {
        let held = held.clone();
        Callback::new(move |_: &dyn AnyFuture| drop(held.clone()))
    };
    let made = event_loop.create_task(async move { Ok((0..100).map(make).collect::<Vec<_>>()) });
    settle(&event_loop);
    let callbacks = made.unwrap().result().unwrap();
    assert!(before < event_loop.memory(), "they are in the loop's memory");
    drop(event_loop);
    let weak = callbacks[0].downgrade();
    assert!(weak.upgrade().is_some_and(|own| own == callbacks[0]));
    assert_eq!(Rc::strong_count(&kept), 101);
    drop(callbacks);
    assert!(weak.upgrade().is_none());
    assert_eq!(Rc::strong_count(&kept), 1);
}

#[test]
fn done_future_is_freed_though_its_callback_held_it() {
    let event_loop = EventLoop::with_virtual_time();
    let kept = Rc::new(());
    let future: LoopFuture<Rc<()>> = event_loop.create_future();
    let itself = future.clone();
    future.add_done_callback(move |_: &dyn AnyFuture| assert!(itself.done()));
    future.set_result(kept.clone()).unwrap();
    drop(future);
    assert_eq!(Rc::strong_count(&kept), 2);
    settle(&event_loop);
    assert_eq!(Rc::strong_count(&kept), 1);
}

// CPython: test_futures.BaseFutureTests.test_future_del_collect
// CPython: test_tasks.BaseTaskTests.test_task_del_collect
#[test]
fn drops_may_call_back_into_the_loop_wherever_they_happen() {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let reports = Reports::of(&event_loop);
    // Each guard, when dropped, makes a task, ends a future and cancels a task.
    let meddle = |name: &'static str| {
        let (on, trace) = (event_loop.clone(), trace.clone());
        let (future, victim) = (on.create_future::<i32>(), on.create_task(sleep(secs(1))).unwrap());
        on_drop(move || {
            let made = on.create_task(async { Ok(()) }).is_ok();
            let set = future.set_result(1).is_ok();
            trace.push(format!("{name} {made} {set} {}", victim.cancel()));
        })
    };
    let (in_body, in_result, in_callback) = (meddle("body"), meddle("result"), meddle("callback"));
    let in_closed = meddle("closed");
    let in_result = Rc::new(in_result);
    let body = async move {
        let _guard = in_body;
        yield_now().await?;
        Ok(in_result)
    };
    let task = event_loop.create_task(body).unwrap();
    task.add_done_callback(move |_: &dyn AnyFuture| {
        let _guard = &in_callback;
    });
    let never = event_loop.create_future::<()>();
    let parked = async move {
        let _guard = in_closed;
        never.await
    };
    event_loop.create_task(parked).unwrap();
    settle(&event_loop);
    trace.expect(["body true true true", "callback true true true"]);
    drop(task);
    trace.expect(["result true true true"]);
    settle(&event_loop);
    drop(event_loop);
    trace.expect(["closed false true true"]);
    assert!(reports.messages().iter().all(|message| message.starts_with("Task was destroyed")));
}

#[test]
fn cycle_of_a_task_and_its_future_is_broken_with_the_loop() {
    // The future's callback holds the task, the task's body holds the future.
    let event_loop = EventLoop::with_virtual_time();
    let kept = Rc::new(());
    let future = event_loop.create_future::<i32>();
    let (awaited, own) = (future.clone(), kept.clone());
    let task = event_loop
        .create_task(async move {
            let _own = own;
            awaited.await
        })
        .unwrap();
    let held = task.clone();
    future.add_done_callback(move |_: &dyn AnyFuture| assert!(held.done()));
    drop((task, future));
    turn(&event_loop, 1);
    let _reports = Reports::of(&event_loop);
    drop(event_loop);
    assert_eq!(Rc::strong_count(&kept), 1);
}

/// The await was the task's only waiter when the loop dropped both.
#[test]
fn await_dropped_after_the_close_removes_no_later_waiter() {
    for others in [0, 1] {
        let event_loop = EventLoop::with_virtual_time();
        let awaited = event_loop.create_task(pending::<callsoon::Result<()>>()).unwrap();
        for _ in 0..others {
            awaited.add_done_callback(|_: &dyn AnyFuture| ());
        }
        let wait = Rc::new(RefCell::new(awaited.wait()));
        let polled = wait.clone();
        let polls = poll_fn(move |cx| Pin::new(&mut *polled.borrow_mut()).poll(cx));
        event_loop.create_task(polls).unwrap();
        settle(&event_loop);
        event_loop.close().unwrap();
        let callbacks = [(); 2].map(|()| {
            let held = Rc::new(());
            awaited.add_done_callback(move |_: &dyn AnyFuture| _ = &held)
        });
        drop(wait);
        assert!(callbacks.iter().all(|callback| awaited.has_callback(callback)), "{others}");
    }
}

/// The future of the task holds an await that other code drops.
#[test]
fn cancel_ends_a_task_after_its_await_was_dropped() {
    let event_loop = EventLoop::with_virtual_time();
    let forever = event_loop.create_future::<i32>();
    let inner = Rc::new(RefCell::new(Some(boxed((&forever).into_future()))));
    let polled = inner.clone();
    let task = event_loop
        .create_task(poll_fn(move |cx| match &mut *polled.borrow_mut() {
            Some(inner) => inner.as_mut().poll(cx),
            None => Poll::Ready(Err(Error::cancelled())),
        }))
        .unwrap();
    turn(&event_loop, 1);
    drop(inner.take());
    assert!(task.cancel());
    turn(&event_loop, 1);
    assert!(task.cancelled() && !forever.cancelled(), "{task:?}");
}

#[test]
fn a_future_that_fails_is_dropped_before_its_task_has_ended() {
    struct Fails(Trace);

    impl Future for Fails {
        type Output = callsoon::Result<()>;

        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
            Poll::Ready(Err(Error::new(ErrorKind::Value, "")))
        }
    }

    impl Drop for Fails {
        fn drop(&mut self) {
            self.0.push("dropped");
        }
    }

    let (event_loop, trace) = (EventLoop::with_virtual_time(), Trace::new());
    let task = event_loop.create_task(Fails(trace.clone())).unwrap();
    let says = trace.clone();
    task.add_done_callback(move |_: &dyn AnyFuture| says.push("called"));
    settle(&event_loop);
    trace.expect(["dropped", "called"]);
    assert!(task.exception().unwrap().is_some());
    drop(task);
    trace.expect_nothing();
}
