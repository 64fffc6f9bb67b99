//! [`wait_for`]: one future, and no longer than so much.

use core::future::IntoFuture;
use core::time::Duration;

use super::timeout::Inside;
use crate::asyncio::combine::Callbacks;
use crate::asyncio::core::{AnyFuture, Callback, WaitReason};
use crate::asyncio::future::FutureLike;
use crate::asyncio::future::LoopFuture;
use crate::asyncio::future::release;
use crate::asyncio::scope::await_body;
use crate::asyncio::task::EnsureFuture;
use crate::error::{Error, ErrorKind, Result};
use crate::event_loop::running_loop;

/// Awaits a coroutine, a future or a task that has `limit` of the loop's time, or for ever
/// with `None`: `asyncio.wait_for`. A coroutine runs in the task that awaits this, as in
/// [`timeout`](crate::timeout()).
///
/// When the time is up, what is awaited is cancelled; what it then returns counts, be it a
/// result or another error. To let it go on, [`shield`](crate::shield) it.
///
/// With a limit of zero only what is done already gives its result. Anything else is cancelled
/// and its end awaited; a coroutine never starts.
///
/// # Errors
///
/// [`Timeout`](crate::ErrorKind::Timeout) when the time was up; otherwise the error of what is
/// awaited. [`Runtime`](crate::ErrorKind::Runtime) outside of a task.
///
/// # Cancellation
///
/// Cancels what is awaited. With a limit of zero it doesn't wait for its end any longer.
///
/// ```
/// use std::time::Duration;
/// use callsoon::{ErrorKind, EventLoop, sleep, wait_for};
///
/// EventLoop::with_virtual_time().run_until_complete(async {
///     let late = wait_for(sleep(Duration::from_secs(2)), Duration::from_secs(1)).await;
///     assert_eq!(late.unwrap_err().kind(), ErrorKind::Timeout);
///     wait_for(sleep(Duration::from_secs(2)), None).await
/// }).unwrap();
/// ```
pub async fn wait_for<T: Clone + 'static>(
    awaited: impl EnsureFuture<T> + IntoFuture<Output = Result<T>>,
    limit: impl Into<Option<Duration>>,
) -> Result<T> {
    let limit = limit.into();
    if limit == Some(Duration::ZERO) {
        return only_if_done(awaited.ensure_future(&running_loop()?)?).await;
    }
    let inside = Inside::of_new(limit)?;
    let outcome = await_body!(awaited.into_future());
    inside.left_with(outcome)
}

async fn only_if_done<T: Clone + 'static>(future: impl FutureLike<T>) -> Result<T> {
    if future.done() {
        return future.result();
    }
    cancel_and_wait(&future).await?;
    match future.result() {
        Err(error) if error.is_cancelled() => Err(Error::new(ErrorKind::Timeout, "")),
        outcome => outcome,
    }
}

/// Cancels `future`, and waits until it is done by way of a future of our own: were it awaited
/// itself, its cancellation couldn't be told from ours.
async fn cancel_and_wait(future: &dyn AnyFuture) -> Result<()> {
    let waiter: LoopFuture<()> = LoopFuture::with_reason(&running_loop()?, WaitReason::Wait);
    let ended = waiter.clone();
    let any = [future.to_any()];
    let _callbacks = Callbacks::add(&any, Callback::telling(waiter.id(), move |_| release(&ended)));
    future.cancel();
    waiter.await
}
