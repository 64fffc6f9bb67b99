//! [`ErrorNames`]: whether an error of Python's and one of Rust's may be the same, by their names.

use std::collections::BTreeSet;

use crate::trace::Trace;

/// Classes of asyncio, and others that mean one thing: the crate has a kind or type for each.
const OF_ASYNCIO: [&str; 13] = [
    "BrokenBarrierError",
    "ExceptionGroup",
    "GeneratorExit",
    "IncompleteReadError",
    "InvalidStateError",
    "KeyboardInterrupt",
    "LimitOverrunError",
    "QueueEmpty",
    "QueueFull",
    "QueueShutDown",
    "StopAsyncIteration",
    "SystemExit",
    "TimeoutError",
];

/// Classes of Python for which the crate has a kind, which a program's own errors may stand for.
const BUILTIN: [&str; 5] = ["LookupError", "OSError", "RuntimeError", "TypeError", "ValueError"];

/// Classes of Python, and that for which the crate has a kind: their base, or what the crate has instead.
const DERIVED: [(&str, &str); 10] = [
    ("IndexError", "LookupError"),
    ("KeyError", "LookupError"),
    ("NotImplementedError", "RuntimeError"),
    ("PhotonsAppError", "ExceptionGroup"),
    ("PythonFinalizationError", "RuntimeError"),
    ("RecursionError", "RuntimeError"),
    ("TimeoutError", "OSError"),
    ("UnicodeDecodeError", "ValueError"),
    ("UnicodeEncodeError", "ValueError"),
    ("UnicodeError", "ValueError"),
];

/// The names of the errors in both traces.
pub(crate) struct ErrorNames<'a> {
    python: BTreeSet<&'a str>,
    rust: BTreeSet<&'a str>,
}

/// The text of a line up to the name of its error, and that name: empty if it has none.
pub(crate) fn split(text: &str) -> (&str, &str) {
    let is_outcome = ["end ", "set ", "step "].iter().any(|kind| text.starts_with(kind));
    match text.find(" error ").filter(|_| is_outcome) {
        Some(place) => text.split_at(place + " error".len()),
        None => (text, ""),
    }
}

fn names(trace: &Trace) -> BTreeSet<&str> {
    trace.lines.iter().map(|line| split(&line.text).1.trim_start()).collect()
}

impl<'a> ErrorNames<'a> {
    pub(crate) fn new(python: &'a Trace, rust: &'a Trace) -> ErrorNames<'a> {
        ErrorNames { python: names(python), rust: names(rust) }
    }

    /// Returns whether the texts of two lines are the same, but for errors that may be.
    pub(crate) fn are_alike(&self, python: &str, rust: &str) -> bool {
        let ((ours, our_error), (theirs, their_error)) = (split(python), split(rust));
        ours == theirs && self.may_be_same(our_error.trim_start(), their_error.trim_start())
    }

    /// Returns whether the errors of these names may be the same. A program's own errors may have other
    /// names in Rust, unless a name of theirs is in the other trace, too.
    fn may_be_same(&self, python: &str, rust: &str) -> bool {
        if python == rust || python.is_empty() || rust.is_empty() {
            return true;
        }
        if DERIVED.contains(&(python, rust)) {
            return true;
        }
        let is_known = |name: &str| {
            BUILTIN.contains(&name) || DERIVED.iter().any(|(derived, _)| *derived == name)
        };
        let of_asyncio = OF_ASYNCIO.contains(&python) || OF_ASYNCIO.contains(&rust);
        let both_known = is_known(python) && is_known(rust);
        let is_shared = self.rust.contains(python) || self.python.contains(rust);
        !(of_asyncio || both_known || is_shared)
    }
}
