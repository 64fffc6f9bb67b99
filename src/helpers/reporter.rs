//! [`reporter`] and [`silent_reporter`]: done callbacks that read the exception, so that it
//! is not reported as never retrieved.

use crate::{AnyFuture, Callback};

fn read_exception(future: &dyn AnyFuture) {
    if !future.cancelled() {
        // Reading is all: whether there is one is for others to say.
        let _ = future.exception();
    }
}

fn log_exception(future: &dyn AnyFuture) {
    if future.cancelled() {
        return;
    }
    if let Ok(Some(error)) = future.exception() {
        log::error!("{error}");
    }
}

/// A done callback that reads the exception of its future and says nothing:
/// `hp.silent_reporter`. Every call gives a callback that equals the last.
#[must_use]
pub fn silent_reporter() -> Callback {
    Callback::new(read_exception)
}

/// A done callback that logs the exception of its future, if it has one: `hp.reporter`. A
/// cancellation is not logged. Every call gives a callback that equals the last.
#[must_use]
pub fn reporter() -> Callback {
    Callback::new(log_exception)
}
