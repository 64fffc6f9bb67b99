//! [`async_as_background`]: a task whose exception is taken care of.

use core::future::Future;

use super::reporter::{reporter, silent_reporter};
use crate::{Result, Task, create_task};

/// A task of the running loop for `coroutine`, whose exception is logged, or, if it is
/// `silent`, only read: `hp.async_as_background`.
///
/// # Errors
///
/// [`Runtime`](crate::ErrorKind::Runtime) where no loop runs.
#[track_caller]
pub fn async_as_background<T: 'static>(
    coroutine: impl Future<Output = Result<T>> + 'static,
    silent: bool,
) -> Result<Task<T>> {
    let task = create_task(coroutine)?;
    task.add_done_callback(if silent { silent_reporter() } else { reporter() });
    Ok(task)
}
