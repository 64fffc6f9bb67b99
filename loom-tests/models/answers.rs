//! Answers that a thread owes the loop.

use core::cell::RefCell;
use std::rc::Rc;

use super::check::{Search, check, thread};
use super::host::event_loop;
use crate::ErrorKind;

/// An answer given while the loop falls asleep waiting for it: it arrives, once, and the loop
/// doesn't stall.
#[test]
fn answer_against_sleep() {
    check("answer_against_sleep", Search::All, || {
        let event_loop = event_loop();
        let future = event_loop.create_future();
        let answer = event_loop.answer_to(&future).unwrap();
        let thread = thread::spawn(move || answer.give(Ok(7)).unwrap());
        assert_eq!(event_loop.run_until_complete(future).unwrap(), 7);
        thread.join().unwrap();
    });
}

/// An answer dropped on its thread, as by a panic: the future that waits for it is cancelled.
#[test]
fn dropped_answer_against_sleep() {
    check("dropped_answer_against_sleep", Search::All, || {
        let event_loop = event_loop();
        let future = event_loop.create_future::<usize>();
        let answer = event_loop.answer_to(&future).unwrap();
        let thread = thread::spawn(move || drop(answer));
        assert!(event_loop.run_until_complete(future).unwrap_err().is_cancelled());
        thread.join().unwrap();
    });
}

/// An answer against a future that is no longer wanted: it was cancelled and dropped. The loop
/// still waits for the answer that it is owed, and then has nothing left.
#[test]
fn answer_against_a_dropped_future() {
    check("answer_against_a_dropped_future", Search::Preemptions(4), || {
        let event_loop = event_loop();
        let future = event_loop.create_future::<usize>();
        let answer = event_loop.answer_to(&future).unwrap();
        let thread = thread::spawn(move || answer.give(Ok(7)).unwrap());
        future.cancel();
        drop(future);
        assert_eq!(event_loop.run_forever().unwrap_err().kind(), ErrorKind::Stalled);
        thread.join().unwrap();
    });
}

/// An answer against the loop's closing: it is refused, or dropped with the loop; the receiver
/// is dropped, uncalled, on the loop's thread.
#[test]
fn answer_against_close() {
    check("answer_against_close", Search::All, || {
        let event_loop = event_loop();
        let called = Rc::new(RefCell::new(false));
        let seen = called.clone();
        let answer = event_loop.expect_answer(move |_outcome| *seen.borrow_mut() = true).unwrap();
        let thread = thread::spawn(move || {
            let given = answer.give(Ok(7));
            assert!(given.is_ok() || given.unwrap_err().kind() == ErrorKind::Closed);
        });
        event_loop.close().unwrap();
        assert_eq!(Rc::strong_count(&called), 1);
        thread.join().unwrap();
        assert!(!*called.borrow());
    });
}
