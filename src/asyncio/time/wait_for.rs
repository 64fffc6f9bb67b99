//! [`wait_for`]: waits for one future, up to a timeout.

use core::future::{Future, IntoFuture};
use core::time::Duration;

use super::timeout::ActiveTimeout;
use crate::asyncio::combine::Callbacks;
use crate::asyncio::core::{AnyFuture, Callback, WaitReason};
use crate::asyncio::future::FutureLike;
use crate::asyncio::future::{LoopFuture, check_loop, release};
use crate::asyncio::scope::await_body;
use crate::asyncio::task::Task;
use crate::error::{Error, ErrorKind, Result};
use crate::event_loop::running_loop;

/// Awaits a coroutine, a future or a task for at most `limit` of the loop's time, or without a limit
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
///     let queue = callsoon::Queue::<u8>::new(0);
///     let empty = wait_for(queue.get(), Duration::from_secs(1)).await; // borrows the queue
///     assert_eq!(empty.unwrap_err().kind(), ErrorKind::Timeout);
///     wait_for(sleep(Duration::from_secs(2)), None).await
/// }).unwrap();
/// ```
pub async fn wait_for<T>(
    awaited: impl WaitFor<T>,
    limit: impl Into<Option<Duration>>,
) -> Result<T> {
    let limit = limit.into();
    if limit == Some(Duration::ZERO) {
        return awaited.only_if_done().await;
    }
    let active = ActiveTimeout::begin(limit)?;
    let outcome = await_body!(awaited.into_future());
    active.finish(outcome)
}

/// The things that [`wait_for`] awaits: coroutines, also those that borrow, and futures and tasks, by
/// value or by reference.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be awaited by `wait_for`",
    label = "not a coroutine, future or task of `callsoon::Result<{T}>`",
    note = "a coroutine has an `Output` of `callsoon::Result<T>`; results of futures and tasks are \
            `Clone`; another crate's future goes through `wrap_future`"
)]
pub trait WaitFor<T>: IntoFuture<Output = Result<T>> {
    /// Its result if it is done; otherwise cancels it and waits for its end: `wait_for` without time.
    ///
    /// # Errors
    ///
    /// As [`wait_for`].
    #[doc(hidden)]
    fn only_if_done(self) -> impl Future<Output = Result<T>>;
}

/// A coroutine that never starts is a task to the loop all the same, as in asyncio, and is dropped
/// behind it.
impl<T, F: Future<Output = Result<T>>> WaitFor<T> for F {
    async fn only_if_done(self) -> Result<T> {
        let in_its_place = core::future::pending::<Result<()>>();
        let never_starts = running_loop()?.create_main_task(in_its_place)?;
        cancel_and_wait(&never_starts).await?;
        drop(self);
        Err(Error::new(ErrorKind::Timeout, ""))
    }
}

macro_rules! wait_for_handle {
    ($handle:ident) => {
        impl<T: Clone + 'static> WaitFor<T> for $handle<T> {
            async fn only_if_done(self) -> Result<T> {
                only_if_done(&self).await
            }
        }

        impl<T: Clone + 'static> WaitFor<T> for &$handle<T> {
            async fn only_if_done(self) -> Result<T> {
                only_if_done(self).await
            }
        }
    };
}

wait_for_handle!(LoopFuture);
wait_for_handle!(Task);

async fn only_if_done<T: Clone + 'static>(future: &impl FutureLike<T>) -> Result<T> {
    if future.done() {
        return future.result();
    }
    check_loop(future, &running_loop()?)?;
    cancel_and_wait(future).await?;
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
