//! Threads that leave, and who waits for it.

use super::check::{Search, check, size};
use super::host::event_loop;
use crate::threads::Crew;

/// The last thread leaves while somebody begins to wait for that: whoever comes second gives
/// the answer.
#[test]
fn leaving_against_waiting() {
    check("leaving_against_waiting", Search::Preemptions(4), || {
        let event_loop = event_loop();
        let crew = Crew::default();
        for number in 0..size(2, 6) {
            crew.start(number.to_string(), || {}).unwrap();
        }
        let gone = event_loop.create_future();
        crew.when_gone(event_loop.answer_to(&gone).unwrap());
        event_loop.run_until_complete(gone).unwrap();
        crew.join();
    });
}

/// A thread that panics leaves like any other.
#[test]
fn panic_against_waiting() {
    check("panic_against_waiting", Search::All, || {
        let event_loop = event_loop();
        let crew = Crew::default();
        crew.start("panics".to_owned(), || std::panic::resume_unwind(Box::new("on purpose")))
            .unwrap();
        let gone = event_loop.create_future();
        crew.when_gone(event_loop.answer_to(&gone).unwrap());
        event_loop.run_until_complete(gone).unwrap();
        crew.join();
    });
}
