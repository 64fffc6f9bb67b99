//! [`reporter`] and [`silent_reporter`]: done callbacks that read the exception, so that it
//! is not reported as never retrieved.

use crate::logging::say;
use crate::{AnyFuture, Callback};

fn read_exception(future: &dyn AnyFuture) {
    if !future.cancelled() {
        // Reading is all: whether there is one is for others to say.
        let _ = future.exception();
    }
}

/// Logs the exception of `future`, if it has one.
pub(crate) fn log_exception(future: &dyn AnyFuture) {
    if future.cancelled() {
        return;
    }
    if let Ok(Some(error)) = future.exception() {
        say!(Error, "{error}");
    }
}

/// A done callback that retrieves the exception of its future without logging it: `hp.silent_reporter`.
/// Every call returns a callback that equals the last.
#[must_use]
pub fn silent_reporter() -> Callback {
    Callback::new(read_exception)
}

/// A done callback that logs the exception of its future, if it has one: `hp.reporter`. A cancellation
/// is not logged. Every call returns a callback that equals the last.
///
/// Where no logger of the crate `log` takes the error, it is written to standard error.
///
/// ```
/// use callsoon::{Error, ErrorKind, EventLoop, create_task, helpers as hp, run_on};
///
/// run_on(&EventLoop::with_virtual_time(), async {
///     let task = create_task(async { Err::<(), _>(Error::new(ErrorKind::Value, "dark")) });
///     task.add_done_callback(hp::reporter());
///     assert!(hp::fut_has_callback(&task, &hp::reporter()));
///     hp::wait_for_all_futures([&task]).await // logs "ValueError: dark" meanwhile
/// }).unwrap();
/// ```
#[must_use]
pub fn reporter() -> Callback {
    Callback::new(log_exception)
}
