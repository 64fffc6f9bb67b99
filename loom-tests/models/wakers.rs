//! The wakers of a task on other threads, and the count of its memory.

use core::cell::RefCell;
use core::future::poll_fn;
use core::task::{Poll, Waker};
use core::time::Duration;
use std::rc::Rc;

use super::check::{Search, check, size, thread};
use super::host::event_loop;
use crate::EventLoop;
use crate::sync::{Arc, AtomicUsize, Ordering};

/// A step that loom tries in each order with the others: a look of the loop into its mail or into a
/// count only reads, which is no cause for it. Publishes nothing.
fn mark(steps: &AtomicUsize) {
    steps.fetch_add(1, Ordering::Relaxed);
}

fn turn(event_loop: &EventLoop) {
    event_loop.run_once(Some(Duration::ZERO)).unwrap();
}

/// A task that is parked and pending until `done` is set, and its waker.
fn parked(event_loop: &EventLoop, done: &Arc<AtomicUsize>) -> (crate::Task<()>, Waker) {
    let kept: Rc<RefCell<Option<Waker>>> = Rc::default();
    let (keep, done) = (kept.clone(), Arc::clone(done));
    let task = event_loop.create_task(poll_fn(move |context| {
        keep.borrow_mut().get_or_insert_with(|| context.waker().clone());
        if done.load(Ordering::Relaxed) == 0 { Poll::Pending } else { Poll::Ready(Ok(())) }
    }));
    turn(event_loop);
    let waker = kept.take().unwrap();
    // The task would keep another.
    *kept.borrow_mut() = Some(Waker::noop().clone());
    (task.unwrap(), waker)
}

/// Two threads wake a task, and one says before its wake, with nothing else to publish it, what the
/// task waits for: a poll after both wakes sees that, though one message stands for both.
#[test]
fn wake_against_a_wake() {
    check("wake_against_a_wake", Search::Preemptions(2), || {
        let event_loop = event_loop();
        let done = Arc::new(AtomicUsize::new(0));
        let (task, waker) = parked(&event_loop, &done);
        let other = waker.clone();
        let first = thread::spawn(move || other.wake_by_ref());
        let second = thread::spawn(move || {
            done.store(1, Ordering::Relaxed);
            waker.wake();
        });
        event_loop.run_until_complete(task).unwrap();
        first.join().unwrap();
        second.join().unwrap();
    });
}

/// A task ends, and its contents are dropped, while a thread wakes it and drops the waker: the memory
/// is freed once, by the loop or by the thread.
#[test]
fn wake_against_the_end() {
    check("wake_against_the_end", Search::Preemptions(3), || {
        let event_loop = event_loop();
        let steps = Arc::new(AtomicUsize::new(0));
        let (task, waker) = parked(&event_loop, &Arc::new(AtomicUsize::new(0)));
        let theirs = Arc::clone(&steps);
        let thread = thread::spawn(move || {
            mark(&theirs);
            waker.wake_by_ref();
            mark(&theirs);
            drop(waker);
            mark(&theirs);
        });
        task.cancel();
        drop(task);
        mark(&steps);
        turn(&event_loop);
        mark(&steps);
        thread.join().unwrap();
        turn(&event_loop);
    });
}

/// A loop closes while a thread wakes its task: the message is refused or dropped unread, and the
/// memory is freed in either case.
#[test]
fn wake_against_the_close() {
    check("wake_against_the_close", Search::Preemptions(3), || {
        let event_loop = event_loop();
        let steps = Arc::new(AtomicUsize::new(0));
        let (task, waker) = parked(&event_loop, &Arc::new(AtomicUsize::new(0)));
        let theirs = Arc::clone(&steps);
        let thread = thread::spawn(move || {
            mark(&theirs);
            waker.wake();
            mark(&theirs);
        });
        event_loop.set_exception_handler(Some(Rc::new(|_: &_, _: &_| ())));
        drop(task);
        mark(&steps);
        drop(event_loop);
        mark(&steps);
        thread.join().unwrap();
    });
}

/// Threads drop clones of a waker while the task ends: the last to hold the memory frees it, after all
/// uses by the others.
#[test]
fn drops_of_clones_against_the_end() {
    check("drops_of_clones_against_the_end", Search::Preemptions(3), || {
        let event_loop = event_loop();
        let steps = Arc::new(AtomicUsize::new(0));
        let (task, waker) = parked(&event_loop, &Arc::new(AtomicUsize::new(0)));
        let threads: Vec<_> = (0..size(2, 4))
            .map(|_| {
                let (clone, steps) = (waker.clone(), Arc::clone(&steps));
                thread::spawn(move || {
                    mark(&steps);
                    drop(clone.clone());
                    drop(clone);
                    mark(&steps);
                })
            })
            .collect();
        drop(waker);
        task.cancel();
        drop(task);
        mark(&steps);
        turn(&event_loop);
        mark(&steps);
        drop(event_loop);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}
