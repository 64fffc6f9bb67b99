//! A program with threads on the crate without std. Each thread looks for the running loop while the
//! other thread runs one: before `set_loop_thread` no thread finds a loop, and afterwards the named
//! thread alone finds its own. Threads and interrupts leave mail for a loop. Handles outlive a loop that unwinds.
//!
//! It prints `bare threads: ok`, and panics where a check fails. With `--unstepped`, for sanitizers, no code is
//! executed step by step.

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
#[path = "../../../support/cancels.rs"]
mod cancels;
mod interrupts;
mod mail;
mod unwinding;

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::task::{Poll, Waker};
use std::thread::{self, ThreadId};
use std::time::Duration;

use callsoon::{
    ErrorKind, EventLoop, Host, LoopRef, Notify, Result, all_tasks, create_task, current_task,
    helpers as hp, running_loop, sleep, timeout, try_create_task, yield_now,
};

const SECOND: Duration = Duration::from_secs(1);

/// A clock that moves only while the loop waits.
struct Board(Cell<Duration>);

struct NoBell;

impl Notify for NoBell {
    fn notify(&self) {}
}

impl Host for Board {
    fn now(&self) -> Duration {
        self.0.get()
    }

    fn wait(&self, timeout: Option<Duration>) -> Result<()> {
        self.0.set(self.0.get() + timeout.unwrap_or_default());
        Ok(())
    }

    fn notifier(&self) -> Arc<dyn Notify> {
        Arc::new(NoBell)
    }
}

fn new_loop() -> EventLoop {
    EventLoop::with_host(Board(Cell::new(Duration::ZERO)))
}

/// Runs `body` in a callback of a loop on a thread of its own, and `meanwhile` on this thread while
/// the callback runs.
fn beside(body: fn(&LoopRef), meanwhile: impl FnOnce()) {
    let (begun, begins): (Sender<()>, Receiver<()>) = channel();
    let (done, ends): (Sender<()>, Receiver<()>) = channel();
    let other = thread::spawn(move || {
        let event_loop = new_loop();
        let on = event_loop.clone();
        let callback = move || {
            begun.send(()).expect("the first thread waits");
            body(&on);
            ends.recv().expect("the first thread ends this callback");
        };
        event_loop.call_soon(callback).expect("the loop is open");
        event_loop.run_once(None).expect("the loop runs");
        drop(event_loop);
    });
    begins.recv().expect("the other thread runs its loop");
    meanwhile();
    done.send(()).expect("the other thread waits");
    other.join().expect("the other thread has not panicked");
}

fn is_runtime<T>(outcome: Result<T>) -> bool {
    outcome.is_err_and(|error| error.kind() == ErrorKind::Runtime)
}

fn panics<R>(call: impl FnOnce() -> R) -> bool {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).is_err()
}

/// Every way to the running loop ends in an error or a panic.
fn finds_no_loop() {
    assert!(is_runtime(running_loop()));
    assert!(is_runtime(try_create_task(async { Ok(()) })));
    assert!(panics(all_tasks));
    assert!(current_task().is_none());
    assert!(panics(hp::create_future::<()>));
    let outcomes = Rc::new(RefCell::new(Vec::new()));
    let seen = outcomes.clone();
    let event_loop = new_loop();
    let task = event_loop.create_task(async move {
        let (slept, limited) = (sleep(SECOND).await, timeout(SECOND, async |_| Ok(())).await);
        seen.borrow_mut().extend([slept, limited]);
        Ok(())
    });
    let task = task.expect("the loop is open");
    event_loop.run_until_complete(task).expect("the task ends");
    assert_eq!(outcomes.borrow().len(), 2);
    assert!(outcomes.borrow_mut().drain(..).all(is_runtime));
}

fn finds_its_own(on: &LoopRef) {
    assert!(running_loop().expect("a loop runs here").ptr_eq(on));
}

/// Futures, tasks, cancellations, wakes and answers need no look-up.
fn a_loop_works_without_look_ups() {
    let event_loop = new_loop();
    let future = event_loop.create_future::<u32>();
    let setter = future.clone();
    event_loop.call_later(SECOND, move || setter.set_result(1)).expect("the loop is open");
    assert_eq!(event_loop.run_until_complete(future).expect("it is set"), 1);

    let waker: Rc<RefCell<Option<Waker>>> = Rc::default();
    let kept = waker.clone();
    let foreign = poll_fn(move |cx| match kept.borrow_mut().replace(cx.waker().clone()) {
        None => Poll::Pending,
        Some(_) => Poll::Ready(Ok(2)),
    });
    let task = event_loop.create_task(foreign).expect("the loop is open");
    event_loop.run_once(Some(Duration::ZERO)).expect("the loop runs");
    waker.take().expect("it was polled").wake();
    *waker.borrow_mut() = Some(Waker::noop().clone());
    assert_eq!(event_loop.run_until_complete(task).expect("it was woken"), 2);

    let dropped = Rc::new(Cell::new(false));
    struct Note(Rc<Cell<bool>>);
    impl Drop for Note {
        fn drop(&mut self) {
            self.0.set(true);
        }
    }
    let note = Note(dropped.clone());
    let parked = event_loop.create_task(async move {
        let _note = note;
        pending::<Result<()>>().await
    });
    let parked = parked.expect("the loop is open");
    event_loop.run_once(Some(Duration::ZERO)).expect("the loop runs");
    parked.cancel();
    assert!(event_loop.run_until_complete(parked).expect_err("cancelled").is_cancelled());
    assert!(dropped.get());

    let cancelled = event_loop.create_future::<()>();
    let waits = event_loop.create_task(cancelled.into_future()).expect("the loop is open");
    event_loop.run_once(Some(Duration::ZERO)).expect("the loop runs");
    waits.cancel();
    assert!(event_loop.run_until_complete(waits).expect_err("cancelled").is_cancelled());

    let yields = event_loop.create_task(async {
        yield_now().await?;
        yield_now().await
    });
    event_loop.run_until_complete(yields.expect("the loop is open")).expect("it has yielded");

    let answered = Rc::new(Cell::new(0));
    let receives = answered.clone();
    let answer = event_loop.expect_answer(move |outcome| receives.set(outcome.unwrap_or(0)));
    thread::spawn(|| answer.expect("the loop is open").give(Ok(3)))
        .join()
        .expect("the thread ends")
        .expect("the loop is open");
    event_loop.run_once(Some(Duration::ZERO)).expect("the loop runs");
    assert_eq!(answered.get(), 3);
}

static LOOP_THREAD: OnceLock<ThreadId> = OnceLock::new();

/// In place of an interrupt handler, which counts as a thread of its own.
static IN_INTERRUPT: AtomicBool = AtomicBool::new(false);

fn is_loop_thread() -> bool {
    LOOP_THREAD.get() == Some(&thread::current().id()) && !IN_INTERRUPT.load(Ordering::SeqCst)
}

/// A wake out of an interrupt handler may come at any point of a step: it leaves a message, and keeps
/// away from the ready queue, which the step may be changing.
fn a_wake_within_a_step_is_a_message() {
    let event_loop = new_loop();
    let order = Rc::new(RefCell::new(Vec::new()));
    let waker: Rc<RefCell<Option<Waker>>> = Rc::default();
    let (kept, woken) = (waker.clone(), order.clone());
    let waits = event_loop.create_task(poll_fn(move |cx| {
        if kept.borrow_mut().replace(cx.waker().clone()).is_none() {
            return Poll::Pending;
        }
        woken.borrow_mut().push("woken");
        Poll::Ready(Ok(()))
    }));
    event_loop.run_once(Some(Duration::ZERO)).expect("the loop runs");
    let (on, called) = (event_loop.clone(), order.clone());
    let wakes = event_loop.create_task(async move {
        waker.borrow().as_ref().expect("it was polled").wake_by_ref();
        on.call_soon(move || called.borrow_mut().push("called"))?;
        Ok(())
    });
    wakes.expect("the loop is open");
    event_loop.run_until_complete(waits.expect("the loop is open")).expect("it was woken");
    assert_eq!(*order.borrow(), ["called", "woken"]);
}

fn main() {
    finds_no_loop();
    beside(|_| finds_no_loop(), finds_no_loop);
    a_loop_works_without_look_ups();
    mail::senders_allocate_nothing();
    mail::wakes_and_calls_keep_their_order();
    mail::threads_against_a_loop();
    unwinding::timers_outlive_a_loop_that_ends_by_a_panic();
    unwinding::futures_outlive_a_loop_that_ends_by_a_panic();
    unwinding::a_panic_amid_a_cancellation_loses_nothing_that_was_deferred();

    LOOP_THREAD.set(thread::current().id()).expect("it is set once");
    // SAFETY: It returns true on this thread only, and never in an interrupt.
    unsafe { callsoon::set_loop_thread(is_loop_thread) };
    let event_loop = new_loop();
    let on = event_loop.clone();
    let slept = event_loop.run_until_complete(async move {
        let task = create_task(async move {
            sleep(SECOND).await?;
            finds_its_own(&on);
            beside(|_| finds_no_loop(), || finds_its_own(&on));
            IN_INTERRUPT.store(true, Ordering::SeqCst);
            assert!(is_runtime(running_loop()));
            IN_INTERRUPT.store(false, Ordering::SeqCst);
            finds_its_own(&on);
            Ok(on.time())
        });
        task.await
    });
    assert_eq!(slept.expect("the task ends"), SECOND);
    a_wake_within_a_step_is_a_message();
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    interrupts::interrupts(!std::env::args().any(|argument| argument == "--unstepped"));
    thread::spawn(a_loop_works_without_look_ups).join().expect("a loop works on another thread");
    println!("bare threads: ok");
}
