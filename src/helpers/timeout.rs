//! [`async_with_timeout`]: runs a coroutine up to a timeout.

use alloc::borrow::ToOwned;
use alloc::string::String;
use core::future::Future;
use core::time::Duration;

use super::futures::log_exception;
use crate::{
    AnyFuture, Callback, Error, LoopFuture, Result, Task, TimerHandle, running_loop,
    try_create_task,
};

/// Options of [`async_with_timeout`]: Photons' keyword arguments.
#[derive(Clone, Debug)]
pub struct TimeoutOptions {
    /// The time that the coroutine may take; 10 seconds by default.
    pub timeout: Duration,
    /// The error when it takes longer; a cancellation by default.
    pub timeout_error: Option<Error>,
    /// True to keep the exception of the coroutine's task out of the log.
    pub silent: bool,
    /// The name by which a task tree shows the wait; the coroutine's task has none of it, as in Photons.
    pub name: Option<String>,
}

impl Default for TimeoutOptions {
    fn default() -> TimeoutOptions {
        TimeoutOptions {
            timeout: Duration::from_secs(10),
            timeout_error: None,
            silent: false,
            name: None,
        }
    }
}

/// Runs `coroutine` in a task of its own and returns its result, if it comes in time:
/// `hp.async_with_timeout`. When it doesn't, the task is cancelled and the error returned at
/// once, without waiting for the task to clean up.
///
/// # Errors
///
/// The coroutine's own; at the timeout `timeout_error`, or a cancellation;
/// [`Runtime`](crate::ErrorKind::Runtime) where no loop runs.
///
/// # Cancellation
///
/// Cancelling the caller doesn't cancel the coroutine's task, which goes on; only its timeout
/// is off.
///
/// ```
/// use std::time::Duration;
/// use callsoon::{EventLoop, Error, ErrorKind, helpers as hp, run_on, sleep};
///
/// run_on(&EventLoop::with_virtual_time(), async {
///     let options = hp::TimeoutOptions {
///         timeout: Duration::from_secs(5),
///         timeout_error: Some(Error::new(ErrorKind::Timeout, "no answer")),
///         ..hp::TimeoutOptions::default()
///     };
///     let slow = sleep(Duration::from_secs(60));
///     let error = hp::async_with_timeout(slow, options).await.unwrap_err();
///     assert_eq!(error.message(), "no answer");
///     assert_eq!(callsoon::running_loop()?.time(), Duration::from_secs(5));
///     Ok(())
/// }).unwrap();
/// ```
pub async fn async_with_timeout<T: Clone + 'static>(
    coroutine: impl Future<Output = Result<T>> + 'static,
    options: TimeoutOptions,
) -> Result<T> {
    let on = running_loop()?;
    let outcome: LoopFuture<T> = on.create_future();
    if let Some(name) = &options.name {
        outcome.set_name("||async_with_timeout(".to_owned() + name + ")[final]");
    }
    let task = try_create_task(coroutine)?;
    let passed_on = outcome.clone();
    // The task is never handed out, so that it may have one callback for what takes two.
    let pass_on = move |done: &dyn AnyFuture| pass_on(done, &passed_on, options.silent);
    task.add_callback(Callback::telling(outcome.id(), pass_on));
    let late = outcome.clone();
    let on_timeout = move || give_up(&task, &late, options.timeout_error);
    let _timer = CancelAtEnd(on.call_later(options.timeout, on_timeout)?);
    outcome.await
}

struct CancelAtEnd(TimerHandle);

impl Drop for CancelAtEnd {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

fn pass_on<T: Clone + 'static>(
    done: &dyn AnyFuture,
    outcome: &LoopFuture<T>,
    silent: bool,
) -> Result<()> {
    let Some(task) = done.downcast_ref::<T>().filter(|task| !task.cancelled()) else {
        outcome.cancel();
        return Ok(());
    };
    let result = task.result();
    let logs = result.is_err() && !silent;
    let passed_on = match result {
        _ if outcome.done() => Ok(()),
        Ok(value) => outcome.set_result(value),
        Err(error) => fail(outcome, error),
    };
    if logs {
        log_exception(done);
    }
    passed_on
}

/// Fails `outcome`. The error counts as read: a waiter that is cancelled in the same turn never reads it.
fn fail<T: 'static>(outcome: &LoopFuture<T>, error: Error) -> Result<()> {
    outcome.set_exception(error)?;
    outcome.exception().map(drop)
}

/// The error first: cancelling the task would otherwise be what the caller sees.
fn give_up<T: 'static>(
    task: &Task<T>,
    outcome: &LoopFuture<T>,
    error: Option<Error>,
) -> Result<()> {
    if task.done() {
        return Ok(());
    }
    if let Some(error) = error.filter(|_| !outcome.done()) {
        fail(outcome, error)?;
    }
    task.cancel();
    outcome.cancel();
    Ok(())
}
