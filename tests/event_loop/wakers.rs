//! The waker that a task has for other crates' futures: what a wake does, and what it doesn't.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use callsoon::{ErrorKind, EventLoop, Result, Task};

use crate::support::trace::Trace;

type Kept = Rc<RefCell<Option<Waker>>>;

fn run_all(event_loop: &EventLoop) {
    while event_loop.run_once(Some(Duration::ZERO)).unwrap() > 0 {}
}

/// A task that writes down each of its polls and keeps its waker, for ever.
fn polls_for_ever(event_loop: &EventLoop, trace: &Trace, name: &'static str) -> (Task<()>, Kept) {
    let (kept, says) = (Kept::default(), trace.clone());
    let keeps = kept.clone();
    let body = poll_fn(move |cx| {
        says.push(name);
        *keeps.borrow_mut() = Some(cx.waker().clone());
        Poll::Pending::<Result<()>>
    });
    let task = event_loop.create_task(body).unwrap();
    run_all(event_loop);
    trace.expect([name]);
    (task, kept)
}

fn waker_of(kept: &Kept) -> Waker {
    kept.borrow().clone().unwrap()
}

#[test]
fn many_wakes_before_the_step_make_one_step() {
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    let (_task, kept) = polls_for_ever(&event_loop, &trace, "a");
    let waker = waker_of(&kept);
    let inside = waker.clone();
    event_loop.call_soon(move || (0..10).for_each(|_| inside.wake_by_ref())).unwrap();
    run_all(&event_loop);
    trace.expect(["a"]);
    (0..10).for_each(|_| waker.wake_by_ref());
    run_all(&event_loop);
    trace.expect(["a"]);
    assert_eq!(event_loop.run_once(Some(Duration::ZERO)).unwrap(), 0);
}

#[test]
fn a_wake_inside_a_turn_keeps_its_place_among_the_calls() {
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    let (_task, kept) = polls_for_ever(&event_loop, &trace, "step");
    let (on, says, waker) = (event_loop.clone(), trace.clone(), waker_of(&kept));
    let wakes = move || {
        on.call_soon(says.says("before")).unwrap();
        waker.wake();
        on.call_soon(says.says("after")).unwrap();
    };
    event_loop.call_soon(wakes).unwrap();
    run_all(&event_loop);
    trace.expect(["before", "step", "after"]);
}

/// The step is one of the other thread's own loop, which is not the task's.
#[test]
fn wake_in_another_threads_step_is_posted() {
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    let (_task, kept) = polls_for_ever(&event_loop, &trace, "step");
    let (on, says, waker) = (event_loop.clone(), trace.clone(), waker_of(&kept));
    let wakes = move || {
        let step = async move {
            waker.wake();
            Ok(())
        };
        let other = thread::spawn(move || EventLoop::with_virtual_time().run_until_complete(step));
        other.join().unwrap().unwrap();
        on.call_soon(says.says("before the inbox")).unwrap();
    };
    event_loop.call_soon(wakes).unwrap();
    run_all(&event_loop);
    trace.expect(["before the inbox", "step"]);
}

#[test]
fn wakes_and_calls_between_two_runs_keep_their_order() {
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    let tasks = ["step 1", "step 2", "step 3"].map(|n| polls_for_ever(&event_loop, &trace, n));
    let wakers = tasks.map(|(_, kept)| waker_of(&kept));
    let handle = event_loop.handle();
    wakers[0].wake_by_ref();
    handle.call_soon_threadsafe(trace.says("call 1")).unwrap();
    wakers[1].wake_by_ref();
    handle.call_soon_threadsafe(trace.says("call 2")).unwrap();
    wakers[2].wake_by_ref();
    event_loop.call_soon(trace.says("last")).unwrap();
    run_all(&event_loop);
    trace.expect(["step 1", "call 1", "step 2", "call 2", "step 3", "last"]);
}

/// The second count would be too large for the stack if each wake took a frame on top of the one before.
#[test]
fn any_number_of_wakes_may_come_between_two_runs() {
    // A few first: where their order is wrong already, many would end the whole test program.
    for tasks in [3, 200_000] {
        let event_loop = EventLoop::with_virtual_time();
        let (open, order) = (Rc::new(Cell::new(false)), Rc::new(RefCell::new(Vec::new())));
        let mut wakers = Vec::new();
        for n in 0..tasks {
            let (kept, open, order) = (Kept::default(), open.clone(), order.clone());
            wakers.push(kept.clone());
            let body = poll_fn(move |cx| {
                if open.get() {
                    order.borrow_mut().push(n);
                    return Poll::Ready(Ok(()));
                }
                *kept.borrow_mut() = Some(cx.waker().clone());
                Poll::Pending
            });
            event_loop.create_task(body).unwrap();
        }
        run_all(&event_loop);
        open.set(true);
        wakers.iter().for_each(|kept| waker_of(kept).wake());
        event_loop.call_soon(|| ()).unwrap();
        run_all(&event_loop);
        assert!(order.borrow().is_sorted(), "{:?}", &order.borrow()[..3]);
        assert_eq!(order.borrow().len(), tasks);
    }
}

#[test]
fn wake_of_a_done_task_does_not_reach_the_task_in_its_memory() {
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    let (old, kept) = polls_for_ever(&event_loop, &trace, "old");
    let stale = waker_of(&kept);
    old.cancel();
    run_all(&event_loop);
    assert!(old.cancelled());
    stale.wake_by_ref();
    run_all(&event_loop);
    trace.expect_nothing();
    let (_new, kept) = polls_for_ever(&event_loop, &trace, "new");
    let inside = stale.clone();
    event_loop.call_soon(move || inside.wake()).unwrap();
    stale.wake_by_ref();
    std::thread::spawn(move || stale.wake()).join().unwrap();
    run_all(&event_loop);
    trace.expect_nothing();
    waker_of(&kept).wake();
    run_all(&event_loop);
    trace.expect(["new"]);
}

#[test]
fn a_wake_after_close_does_nothing() {
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    event_loop.set_exception_handler(Some(Rc::new(|_, _| ())));
    let (task, kept) = polls_for_ever(&event_loop, &trace, "a");
    let waker = waker_of(&kept);
    waker.wake_by_ref();
    event_loop.close().unwrap();
    waker.wake_by_ref();
    drop(event_loop);
    waker.wake_by_ref();
    std::thread::spawn(move || waker.wake()).join().unwrap();
    assert!(!task.done());
    trace.expect_nothing();
}

#[test]
fn task_that_wakes_itself_in_its_poll_gets_one_more_step() {
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    let (says, mut polls) = (trace.clone(), 0);
    let body = poll_fn(move |cx| {
        polls += 1;
        says.push(format!("poll {polls}"));
        if polls < 4 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    });
    let task = event_loop.create_task(body).unwrap();
    for turn in 1..=4 {
        assert_eq!(event_loop.run_once(None).unwrap(), 1);
        trace.expect([format!("poll {turn}")]);
    }
    assert!(task.done());
}

#[test]
fn a_waker_of_another_loop_may_be_woken_inside_a_turn() {
    let trace = Trace::new();
    let (one, two) = (EventLoop::with_virtual_time(), EventLoop::with_virtual_time());
    let (_task, kept) = polls_for_ever(&two, &trace, "step of two");
    let waker = waker_of(&kept);
    one.call_soon(move || waker.wake()).unwrap();
    run_all(&one);
    trace.expect_nothing();
    run_all(&two);
    trace.expect(["step of two"]);
}

/// The waker that they kept or woke was the one that all tasks are first polled with.
#[test]
fn panic_with_a_kept_or_woken_waker_leaves_other_tasks_alone() {
    for keeps_it in [true, false] {
        let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
        let kept = Kept::default();
        let keeps = kept.clone();
        let body = poll_fn(move |cx| -> Poll<Result<()>> {
            match keeps_it {
                true => *keeps.borrow_mut() = Some(cx.waker().clone()),
                false => cx.waker().wake_by_ref(),
            }
            panic!("too bad");
        });
        let panicked = event_loop.create_task(body).unwrap();
        run_all(&event_loop);
        assert_eq!(panicked.exception().unwrap().unwrap().kind(), ErrorKind::Panic);
        let says = trace.clone();
        let body = poll_fn(move |_| {
            says.push("polled");
            Poll::Pending::<Result<()>>
        });
        event_loop.create_task(body).unwrap();
        run_all(&event_loop);
        trace.expect(["polled"]);
        event_loop.set_exception_handler(Some(Rc::new(|_, _| ())));
    }
}

#[test]
fn task_that_waits_for_a_foreign_wake_keeps_the_loop_unstalled() {
    struct Open(std::sync::atomic::AtomicBool);
    let event_loop = EventLoop::new();
    let open = Arc::new(Open(false.into()));
    let opens = open.clone();
    let answer = event_loop.run_until_complete(poll_fn(move |cx| {
        if open.0.load(std::sync::atomic::Ordering::Acquire) {
            return Poll::Ready(Ok("woken"));
        }
        let (waker, opens) = (cx.waker().clone(), opens.clone());
        std::thread::spawn(move || {
            opens.0.store(true, std::sync::atomic::Ordering::Release);
            waker.wake();
        });
        Poll::Pending
    }));
    assert_eq!(answer.unwrap(), "woken");
    let stalled = event_loop.run_until_complete(pending::<Result<()>>()).unwrap_err();
    assert_eq!(stalled.kind(), ErrorKind::Stalled);
}

/// An executor within a task, with wakers of its own.
#[test]
fn loop_future_wakes_the_waker_that_it_was_polled_with() {
    struct Counts(Trace);
    impl Wake for Counts {
        fn wake(self: Arc<Self>) {
            self.0.push("woken");
        }
    }
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    let fut = event_loop.create_future::<i32>();
    let mut waits = Box::pin(IntoFuture::into_future(fut.clone()));
    let poll = |waits: &mut std::pin::Pin<Box<callsoon::Await<i32>>>| {
        let waker = Waker::from(Arc::new(Counts(trace.clone())));
        waits.as_mut().poll(&mut std::task::Context::from_waker(&waker))
    };
    assert!(poll(&mut waits).is_pending());
    // The last waker is the one that counts.
    assert!(poll(&mut waits).is_pending());
    fut.set_result(7).unwrap();
    trace.expect_nothing();
    run_all(&event_loop);
    trace.expect(["woken"]);
    assert!(matches!(poll(&mut waits), Poll::Ready(Ok(7))));
}
