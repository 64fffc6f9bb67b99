//! [`async_as_background`]: starts a task, and retrieves its exception.

use core::future::Future;

use super::reporter::{reporter, silent_reporter};
use crate::{Callback, Result, Task, expect_possible, try_create_task};

/// Makes a task of the running loop for `coroutine`, and has its exception logged, or with
/// [`async_as_background_silent`] only retrieved: `hp.async_as_background`. So the exception isn't
/// reported as one that was never retrieved, and the program needn't keep the task.
///
/// ```
/// use std::time::Duration;
/// use callsoon::{EventLoop, helpers as hp, run_on, sleep};
///
/// run_on(&EventLoop::with_virtual_time(), async {
///     let task = hp::async_as_background(sleep(Duration::from_secs(1)));
///     sleep(Duration::from_secs(2)).await?;
///     assert!(task.done());
///     Ok(())
/// }).unwrap();
/// ```
///
/// # Panics
///
/// Like [`create_task`](crate::create_task()).
#[track_caller]
pub fn async_as_background<T: 'static>(
    coroutine: impl Future<Output = Result<T>> + 'static,
) -> Task<T> {
    expect_possible(background(coroutine, reporter()))
}

/// Like [`async_as_background`], but the exception is only retrieved: `silent=True`.
///
/// # Panics
///
/// Like `async_as_background`.
#[track_caller]
pub fn async_as_background_silent<T: 'static>(
    coroutine: impl Future<Output = Result<T>> + 'static,
) -> Task<T> {
    expect_possible(background(coroutine, silent_reporter()))
}

/// A task on the running loop with `reporter` as its first done callback.
///
/// # Errors
///
/// Like [`try_create_task`].
#[track_caller]
pub(crate) fn background<T: 'static>(
    coroutine: impl Future<Output = Result<T>> + 'static,
    reporter: Callback,
) -> Result<Task<T>> {
    let task = try_create_task(coroutine)?;
    task.add_done_callback(reporter);
    Ok(task)
}
