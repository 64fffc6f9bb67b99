//! Binding to a loop: to none until a task waits, and to that task's loop from then on.

use std::pin::Pin;

use callsoon::{
    Barrier, BoundedSemaphore, Condition, ErrorKind, Event, EventLoop, Lock, Queue, Result,
    Semaphore, create_task, yield_now,
};

use crate::by_hand::{poll_once, run, turns};

type Waiting = Pin<Box<dyn Future<Output = Result<()>>>>;

type Case = (&'static str, Box<dyn Fn() -> Waiting>);

/// Each of them where it has to wait, and the name that it goes by.
fn blocked() -> Vec<Case> {
    fn case<F: Future<Output = Result<()>> + 'static>(
        name: &'static str,
        wait: impl Fn() -> F + 'static,
    ) -> Case {
        (name, Box::new(move || Box::pin(wait())))
    }
    let lock = Lock::new();
    assert!(lock.try_acquire());
    let (event, barrier) = (Event::new(), Barrier::new(2).unwrap());
    let (semaphore, bounded) = (Semaphore::new(0), BoundedSemaphore::new(0));
    let (empty, full, joined) = (Queue::<i32>::new(0), Queue::new(1), Queue::new(0));
    full.put_nowait(1).unwrap();
    joined.put_nowait(1).unwrap();
    let condition = Condition::new();
    vec![
        case("Lock", move || {
            let lock = lock.clone();
            async move { lock.acquire().await }
        }),
        case("Event", move || {
            let event = event.clone();
            async move { event.wait().await }
        }),
        case("Semaphore", move || {
            let semaphore = semaphore.clone();
            async move { semaphore.acquire().await }
        }),
        case("Semaphore", move || {
            let bounded = bounded.clone();
            async move { bounded.acquire().await }
        }),
        case("Condition", move || {
            let condition = condition.clone();
            async move { condition.scope(async || condition.wait().await).await }
        }),
        case("Condition", move || {
            let barrier = barrier.clone();
            async move { barrier.wait().await.map(drop) }
        }),
        case("Queue", move || {
            let empty = empty.clone();
            async move { empty.get().await.map(drop) }
        }),
        case("Queue", move || {
            let full = full.clone();
            async move { full.put(2).await }
        }),
        case("Event", move || {
            let joined = joined.clone();
            async move { joined.join().await }
        }),
    ]
}

#[test]
fn what_need_not_wait_needs_no_loop() {
    let ready = |mut future: Waiting| {
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        future.as_mut().poll(&mut cx)
    };
    let (lock, queue) = (Lock::new(), Queue::new(1));
    let held = lock.clone();
    assert!(ready(Box::pin(async move { held.acquire().await })).is_ready());
    assert!(lock.locked());
    let filled = queue.clone();
    assert!(ready(Box::pin(async move { filled.put(1).await })).is_ready());
    assert_eq!(queue.get_nowait().unwrap(), 1);
}

#[test]
fn waiting_where_no_loop_runs_is_an_error() {
    for (name, wait) in blocked() {
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        let std::task::Poll::Ready(Err(error)) = wait().as_mut().poll(&mut cx) else {
            panic!("{name} waits");
        };
        assert_eq!(
            (error.kind(), &*error.message()),
            (ErrorKind::Runtime, "no running event loop")
        );
    }
}

// CPython: test_locks.ConditionTests.test_ambiguous_loops
#[test]
fn primitive_with_a_wait_on_one_loop_refuses_another() {
    for (name, wait) in blocked() {
        let other = EventLoop::with_virtual_time();
        let (one, mut waiting) = (EventLoop::with_virtual_time(), wait());
        one.run_until_complete(async move {
            assert!(poll_once(waiting.as_mut()).await.is_pending());
            Ok(())
        })
        .unwrap();
        let again = wait();
        let mut still = wait();
        let error = other.run_until_complete(again).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Runtime);
        assert_eq!(error.message(), format!("{name} is bound to a different event loop"));
        one.run_until_complete(async move {
            assert!(poll_once(still.as_mut()).await.is_pending());
            Ok(())
        })
        .unwrap();
    }
}

/// The lock that was held before the wait was refused is held after it.
// CPython: test_locks.ConditionTests.test_ambiguous_loops
#[test]
fn condition_refuses_before_it_releases_the_lock() {
    let condition = Condition::new();
    let waiting = condition.clone();
    let one = EventLoop::with_virtual_time();
    one.create_task(async move { waiting.scope(async || waiting.wait().await).await }).unwrap();
    one.run_once(None).unwrap();
    let refused = condition.clone();
    run(async move {
        let _guard = refused.lock().await?;
        assert_eq!(refused.wait().await.unwrap_err().kind(), ErrorKind::Runtime);
        assert!(refused.locked());
        Ok(())
    });
    assert!(!condition.locked());
    one.set_exception_handler(Some(std::rc::Rc::new(|_, _| ())));
}

/// A join, which awaits several at once: cancelling the task reaches each of them.
#[test]
fn several_may_be_awaited_at_once() {
    run(async {
        let (lock, event) = (Lock::new(), Event::new());
        assert!(lock.try_acquire());
        let both = create_task({
            let (lock, event) = (lock.clone(), event.clone());
            async move {
                let (mut first, mut second) = (Box::pin(lock.acquire()), Box::pin(event.wait()));
                assert!(poll_once(first.as_mut()).await.is_pending());
                assert!(poll_once(second.as_mut()).await.is_pending());
                let ended = yield_now().await.and(first.await);
                Ok((ended, second.await))
            }
        });
        turns(3).await?;
        event.set();
        lock.release()?;
        let (first, second) = both.await?;
        assert!(first.is_ok() && second.is_ok());
        Ok(())
    });
}
