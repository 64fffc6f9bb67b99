//! Many wakes of one waker while the loop doesn't turn take no more room than one.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use callsoon::{EventLoop, Result, Task};

use crate::in_use;

/// The wakes of a flood.
const MANY: usize = 100_000;

/// Room for whatever a first wake makes, and for a few tasks' wakes.
const LITTLE: isize = 4_096;

/// A task at a foreign future, its waker, and the number of its polls.
fn parked(event_loop: &EventLoop) -> (Task<()>, Waker, Rc<RefCell<usize>>) {
    let kept: Rc<RefCell<Option<Waker>>> = Rc::default();
    let polls: Rc<RefCell<usize>> = Rc::default();
    let (keeps, counts) = (kept.clone(), polls.clone());
    let foreign = poll_fn(move |cx| {
        *counts.borrow_mut() += 1;
        let old = keeps.replace(Some(cx.waker().clone()));
        drop(old);
        Poll::<Result<()>>::Pending
    });
    let task = event_loop.create_task(foreign).unwrap();
    turn(event_loop);
    let waker = kept.borrow().clone().expect("the future keeps it");
    polls.replace(0);
    (task, waker, polls)
}

fn turn(event_loop: &EventLoop) {
    event_loop.run_once(Some(Duration::ZERO)).unwrap();
}

/// The bytes that this thread has in use after `flood` and had not before.
fn growth(flood: impl FnOnce()) -> isize {
    let before = in_use().0;
    flood();
    in_use().0 - before
}

fn wakes_by_reference(waker: &Waker) {
    for _ in 0..MANY {
        waker.wake_by_ref();
    }
}

fn wakes_by_value(waker: &Waker) {
    for _ in 0..MANY {
        let clone = waker.clone();
        clone.wake();
    }
}

const FLOODS: [fn(&Waker); 2] = [wakes_by_reference, wakes_by_value];

#[test]
fn a_flood_of_wakes_on_the_loops_thread_stays_small() {
    for flood in FLOODS {
        let event_loop = EventLoop::with_virtual_time();
        let (_task, waker, polls) = parked(&event_loop);
        assert!(growth(|| flood(&waker)) < LITTLE);
        turn(&event_loop);
        turn(&event_loop);
        assert_eq!(*polls.borrow(), 1);
    }
}

#[test]
fn a_flood_of_wakes_on_another_thread_stays_small() {
    for flood in FLOODS {
        let event_loop = EventLoop::with_virtual_time();
        let (_task, waker, polls) = parked(&event_loop);
        let thread = thread::spawn(move || growth(|| flood(&waker)));
        assert!(thread.join().unwrap() < LITTLE);
        turn(&event_loop);
        turn(&event_loop);
        assert_eq!(*polls.borrow(), 1);
    }
}

#[test]
fn a_flood_of_wakes_within_a_step_stays_small() {
    for flood in FLOODS {
        let event_loop = EventLoop::with_virtual_time();
        let (_task, waker, polls) = parked(&event_loop);
        let flooding = event_loop.create_task(async move { Ok(growth(|| flood(&waker))) });
        let grown = event_loop.run_until_complete(flooding.unwrap()).unwrap();
        assert!(grown < LITTLE);
        turn(&event_loop);
        turn(&event_loop);
        assert_eq!(*polls.borrow(), 1);
    }
}

#[test]
fn floods_of_several_wakers_merge_each_for_its_task() {
    const TASKS: usize = 8;
    let event_loop = EventLoop::with_virtual_time();
    let parked = [(); TASKS].map(|()| parked(&event_loop));
    let wakers = parked.each_ref().map(|(_, waker, _)| waker.clone());
    let thread = thread::spawn(move || {
        growth(|| {
            for _ in 0..MANY / TASKS {
                wakers.iter().for_each(Waker::wake_by_ref);
            }
        })
    });
    assert!(thread.join().unwrap() < LITTLE);
    turn(&event_loop);
    turn(&event_loop);
    assert!(parked.iter().all(|(_, _, polls)| *polls.borrow() == 1));
}

#[test]
fn a_wake_after_the_last_one_was_taken_counts_again() {
    let event_loop = EventLoop::with_virtual_time();
    let (_task, waker, polls) = parked(&event_loop);
    for round in 1..=5 {
        waker.wake_by_ref();
        waker.wake_by_ref();
        let other = waker.clone();
        thread::spawn(move || other.wake()).join().unwrap();
        turn(&event_loop);
        turn(&event_loop);
        assert_eq!(*polls.borrow(), round);
    }
}

#[test]
fn a_flood_after_the_end_of_the_task_and_the_loop_stays_small() {
    for flood in FLOODS {
        let event_loop = EventLoop::with_virtual_time();
        let (task, waker, _polls) = parked(&event_loop);
        task.cancel();
        turn(&event_loop);
        turn(&event_loop);
        assert!(task.cancelled());
        assert!(growth(|| flood(&waker)) < LITTLE);
        event_loop.close().unwrap();
        assert!(growth(|| flood(&waker)) < LITTLE);
    }
}
