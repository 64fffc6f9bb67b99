//! Traces of loops in tests: a test compares them with the trace that CPython left of the same program,
//! by `python -m callsoon_trace`. See [the guide](crate::guide::port_check).

use alloc::string::{String, ToString};
use core::fmt::{Display, Write};

use super::recorded_loops::RecordedLoops;
use crate::event_loop::running::running_loop;

/// Adds a line of the program to the record of the running loop
/// ([`start_events`](crate::LoopRef::start_events)); does nothing where no loop runs or records. In
/// Python it is `callsoon_trace.log`.
pub fn log(text: impl Display) {
    if let Ok(on) = running_loop() {
        if on.records_events() {
            on.log_line(text.to_string());
        }
    }
}

/// Runs `run`, and returns the trace of the loops that it makes on this thread, one after the other:
/// the text of their [`Events`](crate::Events) from their beginning. The program needs no change.
///
/// ```
/// use std::time::Duration;
/// use callsoon::{EventLoop, run_on, sleep, testing};
///
/// let trace = testing::record(|| {
///     let main = async { sleep(Duration::from_secs(1)).await };
///     run_on(&EventLoop::with_virtual_time(), main).unwrap();
/// });
/// assert!(trace.starts_with("callsoon-trace 1 virtual\noutside\nmake t1\n"), "{trace}");
/// ```
pub fn record(run: impl FnOnce()) -> String {
    let loops = RecordedLoops::begin();
    run();
    loops.end().iter().map(ToString::to_string).collect()
}

/// Checks that two traces are the same.
///
/// # Panics
///
/// Where they differ, with the first line that does, and the lines before it up to the turn's.
#[track_caller]
pub fn assert_trace(actual: &str, expected: &str) {
    if let Some(difference) = first_difference(actual, expected) {
        panic!("{difference}");
    }
}

/// Lines before a difference that are shown.
const CONTEXT: usize = 12;

/// The first difference as text.
fn first_difference(actual: &str, expected: &str) -> Option<String> {
    let (mut ours, mut theirs) = (actual.lines(), expected.lines());
    for place in 0usize.. {
        let (our, their) = (ours.next(), theirs.next());
        if our == their {
            our?;
            continue;
        }
        let mut text = String::from("the traces differ at line ") + &(place + 1).to_string() + "\n";
        let first = place.saturating_sub(CONTEXT);
        for line in actual.lines().skip(first).take(place - first) {
            let _ = writeln!(text, "    both      {line}");
        }
        let end = "(nothing more)";
        let _ = writeln!(text, "    expected  {}", their.unwrap_or(end));
        let _ = writeln!(text, "    actual    {}", our.unwrap_or(end));
        return Some(text);
    }
    None
}
