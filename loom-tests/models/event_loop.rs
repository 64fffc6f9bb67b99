//! A whole loop, and threads that wake it.

use core::cell::{Cell, RefCell};
use core::future::poll_fn;
use core::task::{Poll, Waker};
use std::rc::Rc;

use super::check::{Search, check, size, thread};
use super::host::event_loop;
use crate::sync::{Arc, AtomicUsize, Mutex, Ordering};
use crate::{ErrorKind, running_loop};

/// Two threads each change what a task waits for, and wake the waker that it stored last, while it
/// is polled, parks, and the loop falls asleep: the task sees both changes.
#[test]
fn two_wakes_against_a_park() {
    check("two_wakes_against_a_park", Search::Preemptions(2), || {
        let event_loop = event_loop();
        let events = Arc::new(AtomicUsize::new(0));
        // The waker of the last poll: the one to wake.
        let waker: Arc<Mutex<Option<Waker>>> = Arc::new(Mutex::new(None));
        let threads: Vec<_> = (0..size(2, 4))
            .map(|_| {
                let (events, waker) = (Arc::clone(&events), Arc::clone(&waker));
                thread::spawn(move || {
                    events.fetch_add(1, Ordering::Release);
                    let waker = waker.lock().unwrap().clone();
                    if let Some(waker) = waker {
                        waker.wake();
                    }
                })
            })
            .collect();
        let count = threads.len();
        let all = poll_fn(move |context| {
            *waker.lock().unwrap() = Some(context.waker().clone());
            if events.load(Ordering::Acquire) < count { Poll::Pending } else { Poll::Ready(Ok(())) }
        });
        event_loop.run_until_complete(all).unwrap();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

/// Threads that each have a waker of their own wake a task while it is polled and parks. A wake may
/// find the message of another on its way: the poll that the message leads to sees what came before
/// either. No lock or other cell of the program's orders the two.
#[test]
fn wake_against_a_wake_on_its_way() {
    check("wake_against_a_wake_on_its_way", Search::Preemptions(2), || {
        let event_loop = event_loop();
        let mut flags: Vec<Arc<AtomicUsize>> = Vec::new();
        let all = poll_fn(move |context| {
            if flags.is_empty() {
                flags.extend((0..size(2, 4)).map(|_| Arc::new(AtomicUsize::new(0))));
                for flag in &flags {
                    let (flag, waker) = (Arc::clone(flag), context.waker().clone());
                    thread::spawn(move || {
                        flag.store(1, Ordering::Relaxed);
                        waker.wake();
                    });
                }
            }
            let seen = flags.iter().all(|flag| flag.load(Ordering::Relaxed) == 1);
            if seen { Poll::Ready(Ok(())) } else { Poll::Pending }
        });
        event_loop.run_until_complete(all).unwrap();
    });
}

/// A thread wakes a task while that ends and another is made, which may take its memory: the other
/// isn't woken by it.
#[test]
fn wake_against_the_reuse_of_a_place() {
    check("wake_against_the_reuse_of_a_place", Search::Preemptions(3), || {
        let event_loop = event_loop();
        let kept: Rc<RefCell<Option<Waker>>> = Rc::default();
        let keep = kept.clone();
        let polled = Rc::new(Cell::new(0));
        let first = event_loop
            .create_task::<()>(poll_fn(move |context| {
                keep.replace(Some(context.waker().clone()));
                Poll::Pending
            }))
            .unwrap();
        // A turn each: it is polled with a waker of its own, then cancelled and over.
        event_loop.run_once(None).unwrap();
        let waker = kept.take().unwrap();
        // loom takes a loop's look into its mail for no cause to try another order, so each
        // step of either side is marked by a write.
        let step = Arc::new(AtomicUsize::new(0));
        let woken = Arc::clone(&step);
        let thread = thread::spawn(move || {
            woken.fetch_add(1, Ordering::Relaxed);
            waker.wake();
            woken.fetch_add(1, Ordering::Relaxed);
        });
        step.fetch_add(1, Ordering::Relaxed);
        first.cancel();
        step.fetch_add(1, Ordering::Relaxed);
        event_loop.run_once(None).unwrap();
        assert!(first.cancelled());
        // Its block is free from here on, but for what the waker holds.
        drop(first);
        step.fetch_add(1, Ordering::Relaxed);
        let polls = polled.clone();
        let second = event_loop
            .create_task::<()>(poll_fn(move |_context| {
                polls.set(polls.get() + 1);
                Poll::Pending
            }))
            .unwrap();
        step.fetch_add(1, Ordering::Relaxed);
        event_loop.run_once(None).unwrap();
        step.fetch_add(1, Ordering::Relaxed);
        thread.join().unwrap();
        event_loop.run_once(Some(core::time::Duration::ZERO)).unwrap();
        assert_eq!(polled.get(), 1);
        assert!(!second.done());
        second.cancel();
        event_loop.run_once(Some(core::time::Duration::ZERO)).unwrap();
    });
}

/// A call from a thread against the loop's closing: it is refused, or dropped by the loop. It
/// never runs, and its captures are dropped exactly once.
#[test]
fn call_against_close() {
    check("call_against_close", Search::All, || {
        let event_loop = event_loop();
        let handle = event_loop.handle();
        let captured = Arc::new(AtomicUsize::new(0));
        let theirs = CountsDrop(Arc::clone(&captured));
        let thread = thread::spawn(move || {
            let refused = handle.call_soon_threadsafe(move || {
                // It must not: then there would be one drop more.
                let _twice = CountsDrop(Arc::clone(&theirs.0));
            });
            assert!(refused.is_ok() || refused.unwrap_err().kind() == ErrorKind::Closed);
        });
        event_loop.close().unwrap();
        thread.join().unwrap();
        assert_eq!(captured.load(Ordering::Relaxed), 1);
    });
}

struct CountsDrop(Arc<AtomicUsize>);

impl Drop for CountsDrop {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Threads call in while the loop runs and falls asleep: each call runs, once, on the loop's
/// thread, and those of one thread in their order.
#[test]
fn calls_against_a_running_loop() {
    check("calls_against_a_running_loop", Search::Preemptions(4), || {
        let event_loop = event_loop();
        let (threads, calls) = (size(1, 4), size(2, 6));
        let seen = Arc::new(AtomicUsize::new(0));
        let threads: Vec<_> = (0..threads)
            .map(|_| {
                let (handle, seen) = (event_loop.handle(), Arc::clone(&seen));
                thread::spawn(move || {
                    let own = Arc::new(AtomicUsize::new(0));
                    for call in 0..calls {
                        let (seen, own) = (Arc::clone(&seen), Arc::clone(&own));
                        handle
                            .call_soon_threadsafe(move || {
                                assert!(running_loop().is_ok());
                                assert_eq!(own.fetch_add(1, Ordering::Relaxed), call);
                                seen.fetch_add(1, Ordering::Relaxed);
                            })
                            .unwrap();
                    }
                })
            })
            .collect();
        let count = threads.len() * calls;
        event_loop.set_exception_handler(Some(Rc::new(|_: &_, context: &_| panic!("{context:?}"))));
        // It ends by itself when no handle is left that could call.
        assert_eq!(event_loop.run_forever().unwrap_err().kind(), ErrorKind::Stalled);
        assert_eq!(seen.load(Ordering::Relaxed), count);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

/// A thread clones its handle and drops the first, and the clone's call comes from another thread, while
/// the loop falls asleep: the loop isn't stalled before the last handle is gone, and the call runs.
#[test]
fn clone_of_a_handle_against_the_last_drop() {
    check("clone_of_a_handle_against_the_last_drop", Search::Preemptions(3), || {
        let event_loop = event_loop();
        let handle = event_loop.handle();
        let seen = Arc::new(AtomicUsize::new(0));
        let (theirs, clones) = (Arc::clone(&seen), size(1, 4));
        let thread = thread::spawn(move || {
            let call = |clone: crate::LoopHandle| {
                let seen = Arc::clone(&theirs);
                thread::spawn(move || {
                    let call = move || _ = seen.fetch_add(1, Ordering::Relaxed);
                    clone.call_soon_threadsafe(call).unwrap();
                })
            };
            let threads: Vec<_> = (0..clones).map(|_| call(handle.clone())).collect();
            drop(handle);
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        });
        assert_eq!(event_loop.run_forever().unwrap_err().kind(), ErrorKind::Stalled);
        assert_eq!(seen.load(Ordering::Relaxed), clones);
        thread.join().unwrap();
    });
}
