//! [`settle`]: the end of a future for which a task waits.

use crate::asyncio::{LoopFuture, release};
use crate::error::Error;

/// Ends `waiter` with `error`, or else with its result. One that is done, as after a cancellation,
/// stays as it is.
pub(super) fn settle(waiter: &LoopFuture<()>, error: Option<&Error>) {
    // A future that is done refuses it.
    let _ = match error {
        None => release(waiter),
        Some(error) => waiter.set_exception(error.clone()),
    };
}
