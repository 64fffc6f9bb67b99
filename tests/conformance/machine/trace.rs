//! [`Trace`]: the lines that a run leaves.

use std::cell::RefCell;
use std::fmt;
use std::time::Duration;

use callsoon::LoopRef;

/// The lines of a run: the loop's clock in milliseconds, a speaker and a text.
pub(crate) struct Trace {
    event_loop: LoopRef,
    lines: RefCell<Vec<String>>,
}

impl Trace {
    pub(crate) fn new(event_loop: LoopRef) -> Trace {
        Trace { event_loop, lines: RefCell::new(Vec::new()) }
    }

    pub(crate) fn say(&self, who: &str, text: impl fmt::Display) {
        let now = milliseconds(self.event_loop.time().as_secs_f64());
        let line = format!("{now} {who}: {text}");
        self.lines.borrow_mut().push(line);
    }

    pub(crate) fn take(&self) -> Vec<String> {
        self.lines.take()
    }
}

/// Whole milliseconds, a half going to the even neighbour as in Python's `round`.
fn milliseconds(seconds: f64) -> f64 {
    (seconds * 1000.0).round_ties_even()
}

/// Whole milliseconds, rounded half to even as Python does.
pub(crate) fn millis(time: Duration) -> u128 {
    let (whole, rest) = (time.as_nanos() / 1_000_000, time.as_nanos() % 1_000_000);
    whole + u128::from(rest > 500_000 || (rest == 500_000 && whole % 2 == 1))
}
