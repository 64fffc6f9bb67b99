//! Coroutines and tasks that these tests wait for.

use callsoon::{
    AnyFuture, Error, ErrorKind, LoopFuture, Result, Task, create_task, running_loop, sleep,
    yield_now,
};

use crate::driver::secs;
use crate::support::trace::Trace;

pub(crate) fn pending<T: 'static>() -> Result<LoopFuture<T>> {
    Ok(running_loop()?.create_future())
}

pub(crate) fn done<T: 'static>(value: T) -> Result<LoopFuture<T>> {
    let future = pending()?;
    future.set_result(value)?;
    Ok(future)
}

/// An error of the test's own.
pub(crate) fn oops(message: &str) -> Error {
    Error::new(ErrorKind::Value, message)
}

pub(crate) async fn at_once<T>(value: T) -> Result<T> {
    Ok(value)
}

/// Gives its value after so many seconds.
pub(crate) async fn after<T>(seconds: u64, value: T) -> Result<T> {
    sleep(secs(seconds)).await?;
    Ok(value)
}

/// Fails after so many seconds.
pub(crate) async fn fails<T>(seconds: u64, message: &'static str) -> Result<T> {
    sleep(secs(seconds)).await?;
    Err(oops(message))
}

/// A body that is cancelled before its first step.
pub(crate) async fn never_started() -> Result<()> {
    panic!("it was started")
}

/// A task that sleeps for an hour; cancelled, it cleans up for a second and traces that.
pub(crate) fn cleans_up(trace: &Trace, name: &'static str) -> Task<&'static str> {
    create_task(cleaning_up(trace.clone(), name))
}

pub(crate) async fn cleaning_up(trace: Trace, name: &'static str) -> Result<&'static str> {
    let slept = sleep(secs(3600)).await;
    assert!(slept.is_err(), "{name} was not cancelled");
    trace.push(format!("{name} cleans up"));
    sleep(secs(1)).await?;
    trace.push(format!("{name} has cleaned up"));
    slept.map(|()| name)
}

/// A task that returns its value however often it is cancelled.
pub(crate) fn stubborn<T: 'static>(value: T) -> Task<T> {
    create_task(async move {
        while sleep(secs(3600)).await.is_ok() {}
        yield_now().await?;
        Ok(value)
    })
}

/// Cancels the task that calls it after so many seconds.
pub(crate) fn cancel_me_after(seconds: u64) -> Result<()> {
    let me = callsoon::current_task().ok_or_else(|| oops("no task"))?;
    let cancel = move || {
        me.cancel();
    };
    running_loop()?.call_later(secs(seconds), cancel)?;
    Ok(())
}

/// The loop's time in whole seconds.
pub(crate) fn now() -> Result<u64> {
    Ok(running_loop()?.time().as_secs())
}

/// Returns an outcome as a line of text.
pub(crate) fn shown<T: std::fmt::Debug>(outcome: Result<T>) -> String {
    match outcome {
        Ok(value) => format!("{value:?}"),
        Err(error) => error.to_string(),
    }
}
