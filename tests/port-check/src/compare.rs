//! [`compare`]: where two traces differ first.

use crate::error_names::ErrorNames;
use crate::harmless::{self, Harmless};
use crate::trace::Trace;

/// The outcome of a comparison.
#[derive(Debug, PartialEq, Eq)]
pub struct Comparison {
    /// The differences that mean nothing, in order.
    pub harmless: Vec<Harmless>,
    /// The first difference that does.
    pub divergence: Option<Divergence>,
}

/// The first places at which two traces differ: the place behind the last line where one has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Divergence {
    pub python: usize,
    pub rust: usize,
}

/// Compares the trace of a Python program with that of its Rust port.
pub fn compare(python: &Trace, rust: &Trace) -> Comparison {
    let is_virtual = python.is_virtual && rust.is_virtual;
    let names = ErrorNames::new(python, rust);
    let mut harmless = Vec::new();
    let mut at = Divergence { python: 0, rust: 0 };
    loop {
        let (ours, theirs) = (python.lines.get(at.python), rust.lines.get(at.rust));
        match (ours, theirs) {
            (None, None) => return Comparison { harmless, divergence: None },
            (Some(ours), Some(theirs))
                if names.are_alike(&ours.key(is_virtual), &theirs.key(is_virtual)) =>
            {
                at = Divergence { python: at.python + 1, rust: at.rust + 1 };
                continue;
            }
            _ => {}
        }
        let in_place = harmless::awaited_shutdown(python, rust, at)
            .or_else(|| harmless::awaited_sockets(python, rust, at))
            .or_else(|| harmless::interrupt(python, rust, at));
        if let Some((found, next)) = in_place {
            harmless.push(found);
            at = next;
            continue;
        }
        let in_turns =
            harmless::tie(python, rust, at).or_else(|| harmless::cancel_order(python, rust, at));
        if let Some(found) = in_turns {
            harmless.push(found);
            // From here on the same things happen in each turn, in an order of their own.
            let divergence = harmless::first_other_turn(python, rust, at);
            return Comparison { harmless, divergence };
        }
        return Comparison { harmless, divergence: Some(at) };
    }
}
