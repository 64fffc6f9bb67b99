//! [`wrap_future`]: a foreign future that can be cancelled as ours are.

use alloc::rc::Rc;
use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::Poll;

use super::await_future::Await;
use super::future::LoopFuture;
use super::purpose::Purpose;
use super::tasks::Tasks;
use crate::error::Result;
use crate::event_loop::running_loop;

/// Awaits a future that knows nothing of this loop so that a cancellation reaches the await:
/// the place of asyncio's `wrap_future`.
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
    let tasks = Tasks::of(&running_loop()?);
    // Never set: it is there to be cancelled, as what the task waits on.
    let stop = LoopFuture::<()>::at(Rc::clone(&tasks)).made_to(Purpose::Foreign);
    let mut stopped: Await<()> = stop.into_future();
    let mut foreign = pin!(foreign);
    poll_fn(|cx| {
        if let Poll::Ready(Err(error)) = pin!(&mut stopped).poll(cx) {
            return Poll::Ready(Err(error));
        }
        foreign.as_mut().poll(cx).map(Ok)
    })
    .await
}
