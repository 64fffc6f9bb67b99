//! [`wrap_future`]: makes a foreign future cancellable, as this crate's own are.

use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::Poll;

use crate::asyncio::core::{Signal, TaskRegistry, WaitReason};
use crate::error::{Error, Result};

/// Awaits a foreign future so that a cancellation reaches the await: the counterpart of asyncio's
/// `wrap_future`.
///
/// At a bare foreign future there is no await of ours to return the cancellation: the body of the
/// innermost scope is dropped, or the whole task where there is no scope. In here there is one.
///
/// # Errors
///
/// The cancellation; [`Runtime`](crate::ErrorKind::Runtime) where no loop runs.
///
/// # Cancellation
///
/// The await returns `Err(Cancelled)`, and `foreign` is dropped.
pub async fn wrap_future<F: Future>(foreign: F) -> Result<F::Output> {
    // Never completed: it is there to be cancelled, as what the task waits for.
    let stopped = Signal::new(&*TaskRegistry::running()?, WaitReason::Foreign);
    let mut stopped = stopped.ok_or_else(Error::no_memory)?.wait();
    let mut foreign = pin!(foreign);
    poll_fn(|cx| {
        if let Poll::Ready(Err(error)) = pin!(&mut stopped).poll(cx) {
            return Poll::Ready(Err(error));
        }
        foreign.as_mut().poll(cx).map(Ok)
    })
    .await
}
