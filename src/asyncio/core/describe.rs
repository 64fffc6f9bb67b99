//! [`describe`]: a future or a task as text: its `repr`.

use alloc::format;
use alloc::string::String;
use core::fmt::Write;

use super::header::State;
use super::node::ErasedFuture;

/// Describes a future or task as `<Future pending name='x' callbacks=2>`, with the place where it was
/// made if that is known.
pub(super) fn describe(future: &ErasedFuture) -> String {
    let header = future.header();
    let task = future.task();
    let what = if task.is_some() { "Task" } else { "Future" };
    let state = match header.state() {
        State::Pending if task.is_some_and(|task| task.cancelling() > 0) => "cancelling",
        State::Pending => "pending",
        State::Cancelled => "cancelled",
        State::Finished | State::Failed => "finished",
    };
    // Writing to a String does not fail.
    let mut text = format!("<{what} {state}");
    if header.state() == State::Failed {
        let _ = write!(text, " exception={}", header.peek_error());
    }
    if let Some(name) = task.map(|task| task.name()).or_else(|| header.name()) {
        let _ = write!(text, " name='{name}'");
    }
    match header.waiter_count() {
        0 => {}
        count => _ = write!(text, " callbacks={count}"),
    }
    let made_at = match task {
        Some(task) => future.event_loop().debug().then_some(task.created_at()),
        None => header.made_at(),
    };
    if let Some(site) = made_at {
        let _ = write!(text, " created at {}:{}", site.file(), site.line());
    }
    text + ">"
}
