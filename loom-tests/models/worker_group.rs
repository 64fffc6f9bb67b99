//! Threads of a group that exit, and a wait for that.

use super::check::{Search, check, size};
use super::host::event_loop;
use crate::threads::WorkerGroup;

/// The last thread exits while a wait for that begins: the second of the two gives the answer.
#[test]
fn exits_against_a_wait() {
    check("exits_against_a_wait", Search::Preemptions(4), || {
        let event_loop = event_loop();
        let group = WorkerGroup::default();
        for number in 0..size(2, 6) {
            group.start(number.to_string(), || {}).unwrap();
        }
        let gone = event_loop.create_future();
        group.on_all_exited(event_loop.answer_to(&gone).unwrap());
        event_loop.run_until_complete(gone).unwrap();
        group.join();
    });
}

/// A thread that panics exits like any other.
#[test]
fn panic_against_a_wait() {
    check("panic_against_a_wait", Search::All, || {
        let event_loop = event_loop();
        let group = WorkerGroup::default();
        group
            .start("panics".to_owned(), || std::panic::resume_unwind(Box::new("on purpose")))
            .unwrap();
        let gone = event_loop.create_future();
        group.on_all_exited(event_loop.answer_to(&gone).unwrap());
        event_loop.run_until_complete(gone).unwrap();
        group.join();
    });
}
