//! [`show`]: a future or a task in words.

use alloc::format;
use alloc::string::String;
use core::fmt::Write;
use core::panic::Location;

use super::node::{Core, State};

/// How a future or task shows itself: as `<Future pending name='x' callbacks=2>`, with the word
/// `pending` for one that is not over, and with where it was made if that is known.
pub(super) fn show(
    what: &str,
    pending: &str,
    core: &Core,
    name: Option<&str>,
    made_at: Option<&Location<'_>>,
) -> String {
    let state = match core.state() {
        State::Pending => pending,
        State::Cancelled => "cancelled",
        State::Finished | State::Failed => "finished",
    };
    // Writing to a String does not fail.
    let mut text = format!("<{what} {state}");
    if core.state() == State::Failed {
        let _ = write!(text, " exception={}", core.peek_error());
    }
    if let Some(name) = name {
        let _ = write!(text, " name='{name}'");
    }
    match core.waiting_count() {
        0 => {}
        count => _ = write!(text, " callbacks={count}"),
    }
    if let Some(site) = made_at {
        let _ = write!(text, " created at {}:{}", site.file(), site.line());
    }
    text + ">"
}
