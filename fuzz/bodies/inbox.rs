//! Other threads act on a loop: calls, wakes and answers from two of them, in the middle of which
//! the loop may close. Nothing is lost or run twice, each thread's calls keep their order, and a
//! call that is refused returns an error.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use callsoon::{Answer, ErrorKind, EventLoop, LoopHandle};

const OPERATIONS: usize = 24;

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Op {
    Call,
    /// A call that fails, for the exception handler.
    Fail,
    Wake,
    /// Another handle of the loop, dropped at once.
    Clone,
    Answer,
    /// Drops the debt without an answer.
    Default,
    Yield,
}

#[derive(Arbitrary, Debug)]
struct Input {
    threads: [Vec<Op>; 2],
    /// The number of turns that the loop makes before it closes; `None`: it runs until all is done.
    turns: Option<u8>,
    virtual_time: bool,
}

/// Counts of the calls that the threads know to have been taken, and of those that were dropped.
struct Counts {
    /// Threads that have not ended.
    threads: AtomicUsize,
    taken: [AtomicUsize; 2],
    dropped: AtomicUsize,
}

/// A call that records on which of the two sides it ended: run, or dropped with the loop.
struct Call {
    thread: usize,
    number: usize,
    ran: bool,
    counts: Arc<Counts>,
}

impl Drop for Call {
    fn drop(&mut self) {
        if !self.ran {
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

thread_local! {
    /// The calls that ran on the loop's thread: the thread that each is from, and its number there.
    static RAN: RefCell<Vec<(usize, usize)>> = const { RefCell::new(Vec::new()) };
    static ANSWERED: Cell<usize> = const { Cell::new(0) };
}

struct Worker {
    thread: usize,
    ops: Vec<Op>,
    handle: LoopHandle,
    waker: Waker,
    debts: Vec<Answer<usize>>,
    counts: Arc<Counts>,
}

impl Worker {
    fn run(mut self) {
        let mut number = 0;
        for op in std::mem::take(&mut self.ops).into_iter().take(OPERATIONS) {
            match op {
                Op::Call | Op::Fail => {
                    self.call(number, matches!(op, Op::Fail));
                    number += 1;
                }
                Op::Wake => self.waker.wake_by_ref(),
                Op::Clone => drop(self.handle.clone()),
                Op::Answer => {
                    if let Some(debt) = self.debts.pop() {
                        let given = debt.give(Ok(self.thread));
                        assert!(given.is_ok() || is_closed(&given));
                    }
                }
                Op::Default => drop(self.debts.pop()),
                Op::Yield => thread::yield_now(),
            }
        }
        if self.counts.threads.fetch_sub(1, Ordering::Release) == 1 {
            // Of all the wakes this one must not be lost: a task waits for it.
            self.waker.wake_by_ref();
        }
    }

    fn call(&self, number: usize, fails: bool) {
        let counts = self.counts.clone();
        let call = Call { thread: self.thread, number, ran: false, counts };
        let sent = self.handle.call_soon_threadsafe(move || {
            // The whole of it, and not a copy of a field.
            let mut call = call;
            call.ran = true;
            RAN.with_borrow_mut(|ran| ran.push((call.thread, call.number)));
            if fails { Err(super::common::failure()) } else { Ok(()) }
        });
        match sent {
            Ok(()) => drop(self.counts.taken[self.thread].fetch_add(1, Ordering::Relaxed)),
            // Refused, it was dropped here and does not count.
            Err(_) => {
                assert!(is_closed(&sent));
                self.counts.dropped.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }
}

fn is_closed<T>(outcome: &callsoon::Result<T>) -> bool {
    outcome.as_ref().is_err_and(|error| error.kind() == ErrorKind::Closed)
}

pub(crate) fn bytes(data: &[u8]) {
    let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(data)) else { return };
    RAN.take();
    ANSWERED.set(0);
    let event_loop =
        if input.virtual_time { EventLoop::with_virtual_time() } else { EventLoop::new() };
    event_loop.set_exception_handler(Some(Rc::new(|_, context| {
        // A loop that is closed reports its task; the rest are calls that fail.
        if let Some(error) = &context.exception {
            assert_eq!(error.kind(), ErrorKind::Value);
        }
    })));
    let counts = Arc::new(Counts {
        threads: AtomicUsize::new(2),
        taken: Default::default(),
        dropped: AtomicUsize::new(0),
    });
    let waker = waker_of_a_task(&event_loop, counts.clone());
    let mut owed = 0;
    let workers: Vec<_> = (0..2)
        .map(|thread| {
            let ops = input.threads[thread].clone();
            let asked = ops.iter().take(OPERATIONS);
            let count = asked.filter(|op| matches!(op, Op::Answer | Op::Default)).count();
            owed += count;
            let debts = (0..count).map(|_| debt(&event_loop)).collect();
            let (handle, waker) = (event_loop.handle(), waker.clone());
            Worker { thread, ops, handle, waker, debts, counts: counts.clone() }
        })
        .collect();
    drop(waker);
    let threads: Vec<_> = workers.into_iter().map(|it| thread::spawn(move || it.run())).collect();
    let ended = turns(&event_loop, input.turns);
    if !ended {
        event_loop.close().expect("it doesn't run");
    }
    for thread in threads {
        thread.join().expect("the thread found everything as it should be");
    }
    check(&counts, ended, owed);
    drop(event_loop);
}

/// Runs `turns` turns, or until no thread is left that could call; returns true in the latter case.
fn turns(event_loop: &EventLoop, turns: Option<u8>) -> bool {
    let wait = turns.map(|_| Duration::ZERO);
    for _ in 0..turns.map_or(usize::MAX, |turns| usize::from(turns % 16)) {
        match event_loop.run_once(wait) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Stalled => return true,
            Err(error) => panic!("the loop failed: {error}"),
        }
    }
    false
}

/// A waker of a task that ends when both threads have.
fn waker_of_a_task(event_loop: &EventLoop, counts: Arc<Counts>) -> Waker {
    let kept: Arc<Mutex<Option<Waker>>> = Arc::default();
    let keeps = kept.clone();
    let parked = poll_fn(move |cx| {
        *keeps.lock().unwrap() = Some(cx.waker().clone());
        match counts.threads.load(Ordering::Acquire) {
            0 => Poll::Ready(Ok(())),
            _ => Poll::Pending,
        }
    });
    drop(event_loop.create_task(parked).unwrap());
    event_loop.run_once(Some(Duration::ZERO)).unwrap();
    kept.lock().unwrap().take().expect("it was polled")
}

fn debt(event_loop: &EventLoop) -> Answer<usize> {
    let receives = |_outcome: callsoon::Result<usize>| ANSWERED.set(ANSWERED.get() + 1);
    event_loop.expect_answer(receives).unwrap()
}

/// All that was taken ran, or was dropped with the loop; each thread's in its order.
fn check(counts: &Counts, ended: bool, owed: usize) {
    let ran = RAN.take();
    for thread in 0..2 {
        let own: Vec<usize> = ran.iter().filter(|it| it.0 == thread).map(|it| it.1).collect();
        assert!(own.iter().copied().eq(0..own.len()), "{own:?} are not in their order");
    }
    let taken: usize = counts.taken.iter().map(|count| count.load(Ordering::Relaxed)).sum();
    let dropped = counts.dropped.load(Ordering::Relaxed);
    assert_eq!(ran.len() + dropped, taken, "a call was lost");
    let answered = ANSWERED.take();
    if ended {
        assert_eq!((dropped, answered), (0, owed), "a loop that stalls has run everything");
    } else {
        assert!(answered <= owed);
    }
}
