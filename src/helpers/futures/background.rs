//! [`async_as_background`]: a task whose exception is taken care of.

use core::future::Future;

use super::reporter::{reporter, silent_reporter};
use crate::{Result, Task, create_task};

/// A task of the running loop for `coroutine`, whose exception is logged, or, if it is
/// `silent`, only read: `hp.async_as_background`. So nobody complains of an exception that
/// nobody asked for, and the task may be left to itself.
///
/// ```
/// use std::time::Duration;
/// use callsoon::{EventLoop, helpers as hp, run_on, sleep};
///
/// run_on(&EventLoop::with_virtual_time(), async {
///     let task = hp::async_as_background(sleep(Duration::from_secs(1)), false)?;
///     sleep(Duration::from_secs(2)).await?;
///     assert!(task.done());
///     Ok(())
/// }).unwrap();
/// ```
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
