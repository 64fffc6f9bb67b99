//! [`create_future`]: a future whose exception may go unread.

use super::reporter::silent_reporter;
use crate::{AnyFuture, Callback, LoopFuture, Result, running_loop};

/// A future of the running loop, with [`silent_reporter`](super::silent_reporter) as its first
/// callback: an exception that nobody reads is not reported. `hp.create_future`. To name it,
/// [`set_name`](LoopFuture::set_name).
///
/// # Errors
///
/// [`Runtime`](crate::ErrorKind::Runtime) where no loop runs.
pub fn create_future<T: 'static>() -> Result<LoopFuture<T>> {
    let future = running_loop()?.create_future();
    future.add_done_callback(silent_reporter());
    Ok(future)
}

/// Whether a callback that equals `callback` waits for the end of `future`:
/// `hp.fut_has_callback`.
#[must_use]
pub fn fut_has_callback(future: &dyn AnyFuture, callback: &Callback) -> bool {
    future.has_callback(callback)
}
