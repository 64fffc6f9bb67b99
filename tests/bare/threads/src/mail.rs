//! Mail of other threads and interrupt handlers for a loop: without an allocation, in order, bounded.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use callsoon::{ErrorKind, EventLoop};

use crate::new_loop;

std::thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

/// Counts what each thread allocates and frees.
struct Counting;

// SAFETY: All is the system's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: The contract is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: The contract is the same.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

pub fn allocations_of<R>(work: impl FnOnce() -> R) -> (R, usize) {
    let before = ALLOCATIONS.get();
    let outcome = work();
    (outcome, ALLOCATIONS.get() - before)
}

fn turn(event_loop: &EventLoop) {
    event_loop.run_once(Some(Duration::ZERO)).expect("the loop runs");
}

/// A waker of a task that notes each step in `order`, and never ends.
fn noting(event_loop: &EventLoop, order: &Rc<RefCell<Vec<usize>>>, note: usize) -> Waker {
    let (waker, order): (Rc<RefCell<Option<Waker>>>, _) = (Rc::default(), order.clone());
    let kept = waker.clone();
    let task = event_loop.create_task(poll_fn(move |cx| {
        let before = kept.borrow_mut().replace(cx.waker().clone());
        if before.is_some() {
            order.borrow_mut().push(note);
        }
        Poll::<callsoon::Result<()>>::Pending
    }));
    task.expect("the loop is open");
    turn(event_loop);
    let woken = waker.borrow().clone();
    woken.expect("it was polled")
}

/// A wake, a call, an answer and the wake of a handle allocate nothing, nor does a refusal.
pub fn senders_allocate_nothing() {
    static CALLED: AtomicUsize = AtomicUsize::new(0);
    let event_loop = new_loop();
    let order = Rc::default();
    let waker = noting(&event_loop, &order, 1);
    let handle = event_loop.handle_for(1);
    let called = handle.waker(|| _ = CALLED.fetch_add(1, Ordering::SeqCst));
    let answered = Rc::new(Cell::new(0));
    let receives = answered.clone();
    let answer = event_loop.expect_answer(move |outcome| receives.set(outcome.unwrap_or(0)));
    let answer = answer.expect("the loop is open");
    let (refused, allocations) = allocations_of(|| {
        waker.wake_by_ref();
        waker.wake_by_ref();
        called.wake_by_ref();
        called.wake_by_ref();
        answer.give(Ok(3)).expect("the loop is open");
        handle.call_soon_threadsafe(|| _ = CALLED.fetch_add(10, Ordering::SeqCst)).expect("room");
        handle.call_soon_threadsafe(|| CALLED.store(99, Ordering::SeqCst)).expect_err("it is full")
    });
    assert_eq!(allocations, 0);
    assert_eq!(refused.kind(), ErrorKind::QueueFull);
    turn(&event_loop);
    assert_eq!((answered.get(), CALLED.load(Ordering::SeqCst), order.borrow().len()), (3, 11, 1));
    handle.call_soon_threadsafe(|| ()).expect("there is room again");
    drop(event_loop);
    let (refused, allocations) = allocations_of(|| {
        waker.wake_by_ref();
        handle.call_soon_threadsafe(|| ())
    });
    // Its slot is free again, for what the loop didn't run was dropped.
    assert_eq!(refused.expect_err("the loop has closed").kind(), ErrorKind::Closed);
    assert_eq!(allocations, 0);
}

/// The mail of one sender comes in its order: wakes and calls are in one queue.
pub fn wakes_and_calls_keep_their_order() {
    static ORDER: AtomicUsize = AtomicUsize::new(0);
    let event_loop = new_loop();
    let steps = Rc::default();
    let wakers = [noting(&event_loop, &steps, 1), noting(&event_loop, &steps, 2)];
    let handle = event_loop.handle();
    let note = |number| {
        move || {
            _ = ORDER.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |x| Some(x * 10 + number))
        }
    };
    handle.call_soon_threadsafe(note(1)).expect("there is room");
    wakers[1].wake_by_ref();
    handle.call_soon_threadsafe(note(2)).expect("there is room");
    wakers[0].wake_by_ref();
    wakers[1].wake_by_ref();
    handle.call_soon_threadsafe(note(3)).expect("there is room");
    assert_eq!(event_loop.run_once(Some(Duration::ZERO)).expect("the loop runs"), 5);
    assert_eq!(ORDER.load(Ordering::SeqCst), 123);
    assert_eq!(*steps.borrow(), [2, 1]);
}

/// Threads that call and wake while the loop runs: no call is lost, and none comes twice.
pub fn threads_against_a_loop() {
    const CALLS: usize = 20_000;
    static CALLED: [AtomicUsize; 2] = [const { AtomicUsize::new(0) }; 2];
    let event_loop = new_loop();
    let steps = Rc::default();
    let waker = noting(&event_loop, &steps, 1);
    let senders: Vec<_> = CALLED
        .iter()
        .map(|called| {
            let (handle, waker) = (event_loop.handle_for(40), waker.clone());
            thread::spawn(move || {
                for number in 0..CALLS {
                    let note = move || assert_eq!(called.fetch_add(1, Ordering::SeqCst), number);
                    while handle.call_soon_threadsafe(note).is_err() {
                        thread::yield_now();
                    }
                    waker.wake_by_ref();
                }
            })
        })
        .collect();
    while CALLED.iter().any(|called| called.load(Ordering::SeqCst) < CALLS) {
        turn(&event_loop);
    }
    senders.into_iter().for_each(|sender| sender.join().expect("the sender ends"));
    let before = steps.borrow().len();
    waker.wake();
    turn(&event_loop);
    assert_eq!(steps.borrow().len(), before + 1);
}
