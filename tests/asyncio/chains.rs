//! Tasks that await tasks: chains longer than any stack is deep, and circles.

use std::cell::{Cell, RefCell};
use std::process::Command;
use std::rc::Rc;

use callsoon::{ErrorKind, EventLoop, LoopFuture, Result, Task, run_on, sleep};

use crate::combinators::{boxed, join};
use crate::driver::{Reports, secs, settle, turn};
use crate::support::itself::words_of_itself;
use crate::support::trace::Trace;

/// So deep that a recursion would overflow a test's stack if its frames had 70 bytes.
const LONG: usize = 30_000;

/// `count` tasks: the first awaits `first`, each other the one before it.
fn chain(event_loop: &EventLoop, first: &LoopFuture<i32>, count: usize) -> Vec<Task<i32>> {
    let first = first.clone();
    let mut chain = vec![event_loop.create_task(async move { first.await }).unwrap()];
    for index in 1..count {
        let before: Task<i32> = chain[index - 1].clone();
        chain.push(event_loop.create_task(async move { before.await }).unwrap());
    }
    chain
}

fn settle_long(event_loop: &EventLoop) {
    while event_loop.run_once(Some(secs(0))).unwrap() != 0 {}
}

/// More tasks than one request enters as often as asyncio would.
#[test]
fn each_cancel_of_a_long_chain_reaches_its_end() {
    let event_loop = EventLoop::with_virtual_time();
    let _reports = Reports::of(&event_loop);
    let told = Rc::new(Cell::new(0));
    let counts = told.clone();
    let stubborn = async move {
        while sleep(secs(900)).await.is_err() {
            counts.set(counts.get() + 1);
        }
        Ok(())
    };
    let mut last = event_loop.create_task(stubborn).unwrap();
    for _ in 0..LONG {
        let before = last;
        last = event_loop.create_task(async move { before.await }).unwrap();
    }
    turn(&event_loop, 1);
    for times in 1..=3 {
        assert!(last.cancel());
        turn(&event_loop, 1);
        assert_eq!(told.get(), times);
    }
}

#[test]
fn a_result_runs_up_a_long_chain() {
    let event_loop = EventLoop::with_virtual_time();
    let first = event_loop.create_future();
    let chain = chain(&event_loop, &first, LONG);
    settle_long(&event_loop);
    first.set_result(7).unwrap();
    settle_long(&event_loop);
    assert_eq!(chain[LONG - 1].result().unwrap(), 7);
}

#[test]
fn a_second_cancel_goes_down_the_chain_as_the_first_did() {
    let event_loop = EventLoop::with_virtual_time();
    let (first, second) = (event_loop.create_future::<i32>(), event_loop.create_future::<i32>());
    let (waits, goes_on) = (first.clone(), second.clone());
    let leaf = async move {
        let _ = waits.await;
        goes_on.await
    };
    let leaf = event_loop.create_task(leaf).unwrap();
    let middle = event_loop.create_task(async move { leaf.await }).unwrap();
    let last = event_loop.create_task(async move { middle.await }).unwrap();
    settle(&event_loop);
    assert!(last.cancel());
    settle(&event_loop);
    assert!(first.cancelled() && !second.cancelled() && !last.done());
    assert!(last.cancel());
    assert!(second.cancelled(), "no task between takes it for a cycle");
    settle(&event_loop);
    assert!(last.cancelled());
}

#[test]
fn cancel_of_a_long_chains_last_task_reaches_all_of_them() {
    const COUNT: usize = 100_000;
    let event_loop = EventLoop::with_virtual_time();
    let first = event_loop.create_future();
    let chain = chain(&event_loop, &first, COUNT);
    settle_long(&event_loop);
    assert!(chain[COUNT - 1].cancel_with("from the end"));
    assert!(first.cancelled());
    assert!(chain.iter().all(|task| task.cancelling() == 1));
    settle_long(&event_loop);
    assert!(chain.iter().all(Task::cancelled));
    assert_eq!(chain[COUNT - 1].result().unwrap_err().message(), "from the end");
}

#[test]
fn cancel_of_a_chains_middle_passes_down_and_ends_those_above() {
    let event_loop = EventLoop::with_virtual_time();
    let first = event_loop.create_future();
    let chain = chain(&event_loop, &first, 5);
    settle(&event_loop);
    assert!(chain[2].cancel());
    settle(&event_loop);
    assert!(chain.iter().all(Task::cancelled));
    let asked: Vec<usize> = chain.iter().map(Task::cancelling).collect();
    assert_eq!(asked, [1, 1, 1, 0, 0]);
}

#[test]
fn a_long_chain_is_dropped_with_its_loop() {
    let event_loop = EventLoop::with_virtual_time();
    let reports = Reports::of(&event_loop);
    let first = event_loop.create_future();
    let kept = Rc::new(());
    let own = kept.clone();
    let guarded = event_loop.create_task(async move {
        let _own = own;
        first.await
    });
    let mut before: Task<i32> = guarded.unwrap();
    for _ in 1..LONG {
        let task = event_loop.create_task(async move { before.await }).unwrap();
        before = task;
    }
    drop(before);
    settle_long(&event_loop);
    drop(event_loop);
    assert_eq!(Rc::strong_count(&kept), 1);
    assert_eq!(reports.messages().len(), LONG);
}

#[test]
fn a_long_chain_that_never_started_is_dropped_with_its_loop() {
    let event_loop = EventLoop::with_virtual_time();
    let _reports = Reports::of(&event_loop);
    let first = event_loop.create_future();
    drop(chain(&event_loop, &first, LONG));
    drop(event_loop);
    assert_eq!(format!("{first:?}"), "<Future pending>");
}

/// `count` tasks in a circle: each awaits the next, the last the first.
fn circle(event_loop: &EventLoop, count: usize, trace: &Trace) -> Vec<Task<i32>> {
    let tasks: Rc<RefCell<Vec<Task<i32>>>> = Rc::default();
    let made = (0..count).map(|index| {
        let (tasks, trace) = (tasks.clone(), trace.clone());
        let body = async move {
            let next = tasks.borrow()[(index + 1) % tasks.borrow().len()].clone();
            let outcome = next.await;
            trace.push(format!("{index} {outcome:?}"));
            outcome
        };
        event_loop.create_task(body).unwrap()
    });
    let made: Vec<_> = made.collect();
    tasks.replace(made.clone());
    turn(event_loop, 2);
    made
}

#[test]
fn tasks_that_await_each_other_stall_the_loop() {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let tasks = circle(&event_loop, 2, &trace);
    let error = event_loop.run_until_complete(tasks[0].clone()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Stalled);
    trace.expect_nothing();
    // The loop is sound, and a cancel still breaks the circle.
    tasks[0].cancel();
    assert!(event_loop.run_until_complete(tasks[1].clone()).unwrap_err().is_cancelled());
}

#[test]
fn a_cancel_breaks_a_circle_of_any_length_wherever_it_is_asked() {
    for count in 2..=9 {
        for asked in 0..count {
            let event_loop = EventLoop::with_virtual_time();
            let trace = Trace::new();
            let tasks = circle(&event_loop, count, &trace);
            assert!(tasks[asked].cancel_with("enough"));
            settle(&event_loop);
            assert!(tasks.iter().all(Task::cancelled), "{count} tasks, cancelled at {asked}");
            assert!(tasks.iter().all(|task| task.cancelling() >= 1));
            assert_eq!(tasks[asked].result().unwrap_err().message(), "enough");
        }
    }
}

#[test]
fn a_cancel_from_outside_of_a_circle_breaks_it_too() {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let tasks = circle(&event_loop, 3, &trace);
    let into = tasks[1].clone();
    let outside = event_loop.create_task(async move { into.await }).unwrap();
    settle(&event_loop);
    assert!(outside.cancel());
    settle(&event_loop);
    assert!(outside.cancelled() && tasks.iter().all(Task::cancelled));
}

#[test]
fn a_circle_is_wound_down_by_run() {
    let event_loop = EventLoop::with_virtual_time();
    let reports = Reports::of(&event_loop);
    let trace = Trace::new();
    let tasks = circle(&event_loop, 4, &trace);
    run_on(&event_loop, async { Ok(()) }).unwrap();
    assert!(tasks.iter().all(Task::cancelled));
    assert!(reports.messages().is_empty());
}

#[test]
fn a_circle_is_dropped_with_its_loop() {
    let event_loop = EventLoop::with_virtual_time();
    let reports = Reports::of(&event_loop);
    let trace = Trace::new();
    drop(circle(&event_loop, 3, &trace));
    drop(event_loop);
    assert_eq!(reports.messages(), ["Task was destroyed but it is pending!"; 3]);
}

/// Runs `body` in a process of its own: what overflows its stack ends there, and is seen.
fn in_a_process_of_its_own(test: &str, body: impl FnOnce()) {
    const INSIDE: &str = "CALLSOON_TEST_INSIDE";
    if std::env::var_os(INSIDE).is_some() {
        return body();
    }
    let words = words_of_itself();
    let test = format!("chains::{test}");
    let outcome = Command::new(&words[0])
        .args(&words[1..])
        .args([&*test, "--exact"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&outcome.stderr);
    assert!(outcome.status.success(), "{test}: {}\n{said}", outcome.status);
}

#[test]
fn long_chain_of_joins_is_cancelled_without_a_deep_stack() {
    in_a_process_of_its_own("long_chain_of_joins_is_cancelled_without_a_deep_stack", || {
        let event_loop = EventLoop::with_virtual_time();
        let first = event_loop.create_future::<i32>();
        let mut last = event_loop.create_task(async move { first.await }).unwrap();
        for _ in 1..LONG {
            let (before, own) = (last, event_loop.create_future::<i32>());
            let body = async move {
                let both = vec![boxed(before.into_future()), boxed(own.into_future())];
                join(both).await.into_iter().sum::<Result<i32>>()
            };
            last = event_loop.create_task(body).unwrap();
        }
        settle_long(&event_loop);
        assert!(last.cancel());
        settle_long(&event_loop);
        assert!(last.cancelled());
    });
}

#[test]
fn a_circle_in_which_each_joins_two_is_cancelled() {
    in_a_process_of_its_own("a_circle_in_which_each_joins_two_is_cancelled", || {
        let event_loop = EventLoop::with_virtual_time();
        let tasks: Rc<RefCell<Vec<Task<i32>>>> = Rc::default();
        for index in 0..2 {
            let (others, own) = (tasks.clone(), event_loop.create_future::<i32>());
            let body = async move {
                let other = others.borrow()[1 - index].clone();
                let both = vec![boxed(other.into_future()), boxed(own.into_future())];
                join(both).await.into_iter().sum::<Result<i32>>()
            };
            let task = event_loop.create_task(body).unwrap();
            tasks.borrow_mut().push(task);
        }
        settle(&event_loop);
        let tasks = tasks.take();
        assert!(tasks[0].cancel());
        settle(&event_loop);
        assert!(tasks.iter().all(Task::cancelled));
    });
}
