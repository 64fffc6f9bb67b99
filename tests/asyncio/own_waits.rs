//! Waits in locks, queues and helpers that are the only wait of their task, which take no future: by what they
//! end, what they leave, and how they become waits for a future.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use callsoon::{
    Awaited, Event, EventLoop, Lock, Queue, Result, Semaphore, create_task, helpers as hp, sleep,
    yield_now,
};

use crate::combinators::{Boxed, Unordered, boxed, join, select};
use crate::driver::{secs, settle, turn};
use crate::shared_wait::Shared;
use crate::support::on_drop::on_drop;
use crate::support::trace::Trace;

/// A primitive that a task waits in: its name in the task tree, a wait, and the function that ends one.
struct Primitive {
    name: &'static str,
    wait: Box<dyn Fn() -> Boxed<Result<()>>>,
    end: Box<dyn Fn()>,
}

fn primitives() -> Vec<Primitive> {
    let lock = Lock::new();
    assert!(lock.try_acquire());
    let (event, semaphore, queue) = (Event::new(), Semaphore::new(0), Queue::<()>::new(0));
    let (waits, ends) = (lock.clone(), lock);
    let lock = Primitive {
        name: "Lock.acquire",
        wait: Box::new(move || boxed(with(waits.clone(), async |lock| lock.acquire().await))),
        end: Box::new(move || ends.release().unwrap()),
    };
    let (waits, ends) = (event.clone(), event);
    let event = Primitive {
        name: "Event.wait",
        wait: Box::new(move || boxed(with(waits.clone(), async |event| event.wait().await))),
        end: Box::new(move || ends.set()),
    };
    let (waits, ends) = (semaphore.clone(), semaphore);
    let semaphore = Primitive {
        name: "Semaphore.acquire",
        wait: Box::new(move || boxed(with(waits.clone(), async |own| own.acquire().await))),
        end: Box::new(move || ends.release()),
    };
    let (waits, ends) = (queue.clone(), queue);
    let queue = Primitive {
        name: "Queue.get",
        wait: Box::new(move || boxed(with(waits.clone(), async |queue| queue.get().await))),
        end: Box::new(move || ends.put_nowait(()).unwrap()),
    };
    vec![lock, event, semaphore, queue]
}

async fn with<P, R>(primitive: P, wait: impl AsyncFnOnce(&P) -> R) -> R {
    wait(&primitive).await
}

#[test]
fn own_wait_is_in_the_task_tree_with_its_reason() {
    for primitive in primitives() {
        let event_loop = EventLoop::with_virtual_time();
        let task = event_loop.create_task((primitive.wait)()).unwrap();
        turn(&event_loop, 1);
        let infos = event_loop.task_infos();
        let [Awaited::Future { id, what, name, .. }] = &infos[0].waits_on[..] else {
            panic!("{:?}", infos[0].waits_on);
        };
        assert_eq!((*what, name.as_str()), (primitive.name, ""));
        assert_ne!(*id, infos[0].id);
        (primitive.end)();
        settle(&event_loop);
        assert!(task.result().is_ok(), "{}", primitive.name);
    }
}

#[test]
fn own_wait_ends_in_the_turn_after_its_completion() {
    for primitive in primitives() {
        let event_loop = EventLoop::with_virtual_time();
        let task = event_loop.create_task((primitive.wait)()).unwrap();
        turn(&event_loop, 2);
        (primitive.end)();
        assert!(!task.done());
        assert_eq!(event_loop.run_once(Some(secs(0))).unwrap(), 1, "{}", primitive.name);
        assert!(task.done(), "{}", primitive.name);
    }
}

#[test]
fn own_wait_that_another_task_polls_ends_there() {
    for primitive in primitives() {
        let event_loop = EventLoop::with_virtual_time();
        let trace = Trace::new();
        let shared = Shared::new((primitive.wait)());
        let first = shared.task(&event_loop, &trace, "first");
        let second = shared.task(&event_loop, &trace, "second");
        turn(&event_loop, 1);
        (primitive.end)();
        turn(&event_loop, 1);
        trace.expect(["second: Ok(())"]);
        assert!(!first.done() && second.done(), "{}", primitive.name);
        shared.drop_wait();
        first.cancel();
        settle(&event_loop);
        assert!(first.cancelled(), "{}", primitive.name);
    }
}

#[test]
fn own_wait_outlives_the_task_that_has_begun_it() {
    for primitive in primitives() {
        let event_loop = EventLoop::with_virtual_time();
        let trace = Trace::new();
        let shared = Shared::new((primitive.wait)());
        let (own, says) = (shared.clone(), trace.clone());
        let first = event_loop
            .create_task(async move {
                let kept = on_drop(says.says("first dropped"));
                select(vec![boxed(async move { own.wait().await }), boxed(yield_now())]).await?;
                Ok(kept)
            })
            .unwrap();
        turn(&event_loop, 3);
        assert!(first.done());
        drop(first);
        // The wait keeps the task that it is a wait of.
        trace.expect_nothing();
        (primitive.end)();
        let second = shared.task(&event_loop, &trace, "second");
        settle(&event_loop);
        assert!(second.result().is_ok(), "{}", primitive.name);
        shared.drop_wait();
        trace.expect(["first dropped", "second: Ok(())"]);
    }
}

#[test]
fn own_wait_and_others_of_a_task_are_cancelled_together() {
    for primitive in primitives() {
        let event_loop = EventLoop::with_virtual_time();
        let trace = Trace::new();
        let (says, future) = (trace.clone(), event_loop.create_future::<()>());
        let (awaited, wait, again) = (future.clone(), (primitive.wait)(), (primitive.wait)());
        let task = event_loop
            .create_task(async move {
                let all = vec![wait, boxed(async move { awaited.await }), again];
                for outcome in join(all).await {
                    says.push(format!("{outcome:?}"));
                }
                Ok(())
            })
            .unwrap();
        turn(&event_loop, 1);
        assert_eq!(event_loop.task_infos()[0].waits_on.len(), 3);
        assert!(task.cancel_with("all"));
        settle(&event_loop);
        trace.expect(["Err(CancelledError(\"all\"))"; 3]);
        assert!(future.cancelled());
    }
}

#[test]
fn cancelled_own_wait_passes_its_wakeup_on() {
    for primitive in primitives() {
        let event_loop = EventLoop::with_virtual_time();
        let first = event_loop.create_task((primitive.wait)()).unwrap();
        let second = event_loop.create_task((primitive.wait)()).unwrap();
        turn(&event_loop, 1);
        (primitive.end)();
        // It was woken, and is cancelled before it runs.
        assert!(first.cancel_with("late"));
        settle(&event_loop);
        assert_eq!(first.result().unwrap_err().message(), "late", "{}", primitive.name);
        assert!(second.result().is_ok(), "{}", primitive.name);
    }
}

#[test]
fn message_of_a_cancelled_own_wait_is_not_that_of_the_next() {
    for primitive in primitives() {
        let event_loop = EventLoop::with_virtual_time();
        let trace = Trace::new();
        let (says, first, second) = (trace.clone(), (primitive.wait)(), (primitive.wait)());
        let task = event_loop
            .create_task(async move {
                says.push(format!("{:?}", first.await));
                says.push(format!("{:?}", second.await));
                Ok(())
            })
            .unwrap();
        turn(&event_loop, 1);
        task.cancel_with("first");
        turn(&event_loop, 1);
        task.cancel();
        settle(&event_loop);
        trace.expect(["Err(CancelledError(\"first\"))", "Err(CancelledError())"]);
    }
}

#[test]
fn own_wait_behind_another_crates_waker_ends_too() {
    for primitive in primitives() {
        let event_loop = EventLoop::with_virtual_time();
        let wait = (primitive.wait)();
        let task = event_loop
            .create_task(async move {
                let outcomes = Unordered::new(vec![wait]).await;
                outcomes.into_iter().collect::<Result<()>>()
            })
            .unwrap();
        turn(&event_loop, 1);
        (primitive.end)();
        settle(&event_loop);
        assert!(task.result().is_ok(), "{}", primitive.name);
    }
}

#[test]
fn own_wait_that_is_leaked_keeps_its_place() {
    for primitive in primitives().into_iter().filter(|own| own.name != "Event.wait") {
        let event_loop = EventLoop::with_virtual_time();
        let mut leaked = (primitive.wait)();
        let leaks = event_loop.create_task(async move {
            poll_fn(|cx| {
                assert!(leaked.as_mut().poll(cx).is_pending());
                Poll::Ready(())
            })
            .await;
            std::mem::forget(leaked);
            sleep(secs(1)).await
        });
        let leaks = leaks.unwrap();
        turn(&event_loop, 1);
        let second = event_loop.create_task((primitive.wait)()).unwrap();
        turn(&event_loop, 1);
        (primitive.end)();
        settle(&event_loop);
        // The leaked wait was woken, and not the second.
        assert!(!second.done() && !leaks.done(), "{}", primitive.name);
        event_loop.run_until_complete(async move { leaks.await }).unwrap();
        second.cancel();
        settle(&event_loop);
    }
}

#[test]
fn own_wait_that_outlives_its_loop_is_dropped_quietly() {
    for primitive in primitives() {
        let event_loop = EventLoop::with_virtual_time();
        let trace = Trace::new();
        let shared = Shared::new((primitive.wait)());
        let task = shared.task(&event_loop, &trace, "task");
        turn(&event_loop, 1);
        event_loop.set_exception_handler(Some(Rc::new(|_: &_, _: &_| {})));
        event_loop.close().unwrap();
        drop(event_loop);
        assert!(!task.done());
        (primitive.end)();
        shared.drop_wait();
        drop(task);
        trace.expect_nothing();
    }
}

/// The wait is the last that keeps its first task, the result of which ends what is awaited as it is dropped.
#[test]
fn wait_that_ends_as_it_leaves_its_first_task_is_over() {
    let event_loop = EventLoop::with_virtual_time();
    let future = event_loop.create_future::<()>();
    let awaited = future.clone();
    let mut waits = primitives();
    waits.push(Primitive {
        name: "future",
        wait: Box::new(move || boxed(awaited.clone().into_future())),
        end: Box::new(move || future.set_result(()).unwrap()),
    });
    for primitive in waits {
        let trace = Trace::new();
        let shared = Shared::new((primitive.wait)());
        let own = shared.clone();
        let first = event_loop.create_task(async move {
            let kept = on_drop(primitive.end);
            // Beside another wait: also where an own wait would have no node.
            select(vec![boxed(async move { own.wait().await }), boxed(yield_now())]).await?;
            Ok(kept)
        });
        drop(first.unwrap());
        turn(&event_loop, 3);
        let second = shared.task(&event_loop, &trace, "second");
        settle(&event_loop);
        assert!(second.done(), "{}", primitive.name);
        trace.expect(["second: Ok(())"]);
    }
}

#[test]
fn call_of_a_reader_that_was_cancelled_has_an_entry() {
    let event_loop = EventLoop::with_virtual_time();
    let stop = event_loop.create_future::<()>();
    let (queue, reader) = event_loop
        .run_until_complete(async move {
            let queue = hp::Queue::<u8>::new(&stop);
            let read = queue.clone();
            let reader = create_task(async move { read.iter().next().await });
            yield_now().await?;
            Ok((queue, reader))
        })
        .unwrap();
    assert!(reader.cancel());
    queue.append(1);
    // The step of the reader, and the entry, which does nothing.
    assert_eq!(event_loop.run_once(Some(secs(0))).unwrap(), 2);
    assert!(reader.cancelled());
    settle(&event_loop);
}
