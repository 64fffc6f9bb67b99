//! [`create_future`], a future with an exception that may stay unretrieved; [`fut_has_callback`] and
//! [`fut_to_string`].

use alloc::format;
use alloc::string::String;

use super::reporter::silent_reporter;
use crate::{AnyFuture, Callback, Error, LoopFuture, LoopRef, expect_running_loop};

/// Creates a future of the running loop, with [`silent_reporter`] as its first callback, so that an
/// exception that is never retrieved is not reported: `hp.create_future`.
/// [`set_name`](LoopFuture::set_name) names it.
///
/// # Panics
///
/// Where no loop runs.
#[track_caller]
#[must_use]
pub fn create_future<T: 'static>() -> LoopFuture<T> {
    create_future_on(&expect_running_loop())
}

/// Creates a future as [`create_future`], on a loop that needn't run yet: `hp.create_future(loop=...)`.
#[track_caller]
pub fn create_future_on<T: 'static>(on: &LoopRef) -> LoopFuture<T> {
    let future = on.create_future();
    future.add_done_callback(silent_reporter());
    future
}

/// Returns true if a callback that equals `callback` waits for the end of `future`:
/// `hp.fut_has_callback`.
#[must_use]
pub fn fut_has_callback(future: &dyn AnyFuture, callback: &Callback) -> bool {
    future.has_callback(callback)
}

/// A future's name and state as text, like `<Future#name(pending)>`: `hp.fut_to_string`. The states
/// are `pending`, `cancelled`, `exception:` with the error's class and text, and `result`; without a
/// name, `None` stands in its place. What is neither a future nor a task is shown by its `Debug`.
///
/// ```
/// use callsoon::{EventLoop, helpers as hp};
///
/// let event_loop = EventLoop::with_virtual_time();
/// let future = hp::create_future_on::<i32>(&event_loop);
/// future.set_name("lamp");
/// assert_eq!(hp::fut_to_string(&future), "<Future#lamp(pending)>");
/// future.set_result(3)?;
/// assert_eq!(hp::fut_state_to_string(&future), "(result)");
/// # Ok::<(), callsoon::Error>(())
/// ```
#[must_use]
pub fn fut_to_string(future: &dyn AnyFuture) -> String {
    let state = fut_state_to_string(future);
    match future.erased() {
        Some(own) => format!("<Future#{}{state}>", shown_name(own.header().name().as_deref())),
        None => state,
    }
}

/// A future's state as text, like `(pending)`: `hp.fut_to_string(..., with_name=False)`.
#[must_use]
pub fn fut_state_to_string(future: &dyn AnyFuture) -> String {
    if future.erased().is_none() {
        format!("{future:?}")
    } else if !future.done() {
        String::from("(pending)")
    } else if future.cancelled() {
        String::from("(cancelled)")
    } else {
        match future.exception() {
            Ok(Some(error)) => format!("(exception:{}:{})", error.kind().name(), text_of(&error)),
            _ => String::from("(result)"),
        }
    }
}

/// A name as Python shows it.
pub(super) fn shown_name(name: Option<&str>) -> &str {
    name.unwrap_or("None")
}

/// Python's `str(error)`.
fn text_of(error: &Error) -> String {
    let message = error.message();
    match error.group().len() {
        0 => message,
        1 => format!("{message} (1 sub-exception)"),
        count => format!("{message} ({count} sub-exceptions)"),
    }
}
