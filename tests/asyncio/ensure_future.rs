//! `EnsureFuture`: what becomes a task, and what is a future already.

use std::pin::Pin;
use std::task::{Context, Poll};

use callsoon::{
    AnyFuture, EnsureFuture, ErrorKind, EventLoop, LoopRef, Result, running_loop, yield_now,
};

use crate::combinators::OneShot;
use crate::driver::settle;

// CPython: test_tasks.BaseTaskTests.test_ensure_future_coroutine
// CPython: test_tasks.BaseTaskTests.test_create_task_with_async_function
#[test]
fn a_coroutine_becomes_a_task_of_the_loop_that_is_named() {
    let event_loop = EventLoop::with_virtual_time();
    let ensured = async { Ok("ok") }.ensure_future(&event_loop).unwrap();
    assert!(ensured.get_loop().ptr_eq(&event_loop));
    assert_eq!(event_loop.all_tasks()[0].id(), ensured.id());
    assert!(!ensured.done());
    settle(&event_loop);
    assert_eq!(ensured.result().unwrap(), "ok");
    let inside = event_loop.run_until_complete(async {
        let ensured = async { Ok(1) }.ensure_future(&running_loop()?)?;
        Ok((ensured.get_loop(), ensured.await?))
    });
    let (on, value): (LoopRef, i32) = inside.unwrap();
    assert!(on.ptr_eq(&event_loop));
    assert_eq!(value, 1);
}

// CPython: test_tasks.BaseTaskTests.test_ensure_future_future
// CPython: test_tasks.BaseTaskTests.test_ensure_future_task
#[test]
fn futures_and_tasks_are_taken_as_they_are() {
    let event_loop = EventLoop::with_virtual_time();
    let future = event_loop.create_future::<i32>();
    future.set_result(1).unwrap();
    let task = event_loop.create_task(async { Ok(2) }).unwrap();
    assert_eq!(future.clone().ensure_future(&event_loop).unwrap().id(), future.id());
    assert_eq!(task.clone().ensure_future(&event_loop).unwrap().id(), task.id());
    assert_eq!(event_loop.run_until_complete(&future).unwrap(), 1);
    assert_eq!(event_loop.run_until_complete(&task).unwrap(), 2);
    assert_eq!(event_loop.run_until_complete(future).unwrap(), 1);
    assert_eq!(event_loop.run_until_complete(task).unwrap(), 2);
}

// CPython: test_tasks.BaseTaskTests.test_ensure_future_future
// CPython: test_tasks.BaseTaskTests.test_ensure_future_task
// CPython: test_tasks.BaseTaskTests.test_ensure_future_error_msg
#[test]
fn futures_and_tasks_of_another_loop_are_refused() {
    let (event_loop, other) = (EventLoop::with_virtual_time(), EventLoop::with_virtual_time());
    let future = event_loop.create_future::<i32>();
    let task = event_loop.create_task(async { Ok(2) }).unwrap();
    let refused = [
        future.clone().ensure_future(&other).err(),
        task.clone().ensure_future(&other).err(),
        other.run_until_complete(task.clone()).err(),
    ];
    for error in refused {
        let error = error.expect("it is refused");
        assert_eq!(error.kind(), ErrorKind::Value);
        assert_eq!(
            error.message(),
            "The future belongs to a different loop than the one specified as the loop argument"
        );
    }
    assert_eq!(event_loop.run_until_complete(task).unwrap(), 2);
}

/// A future of a type of one's own, which awaits one of ours.
struct Handmade(Pin<Box<dyn Future<Output = Result<()>>>>);

impl Future for Handmade {
    type Output = Result<&'static str>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx).map_ok(|()| "ok")
    }
}

// CPython: test_tasks.BaseTaskTests.test_ensure_future_awaitable
// CPython: test_tasks.BaseTaskTests.test_ensure_future_task_awaitable
// CPython: test_tasks.BaseTaskTests.test_create_task_with_asynclike_function
#[test]
fn any_rust_future_becomes_a_task_too() {
    for _ in 0..2 {
        let event_loop = EventLoop::with_virtual_time();
        let handmade = Handmade(Box::pin(async { yield_now().await }));
        assert_eq!(event_loop.run_until_complete(handmade).unwrap(), "ok");
        let ready = OneShot::new();
        ready.put(Ok(42));
        let task = event_loop.create_task(ready).unwrap();
        assert_eq!(event_loop.run_until_complete(task).unwrap(), 42);
    }
}
