//! [`shield`]: waiting for a future without passing a cancellation on to it.

use crate::asyncio::core::{AnyFuture, Callback, ErasedFuture, WaitReason};
use crate::asyncio::future::FutureLike;
use crate::asyncio::future::LoopFuture;
use crate::asyncio::task::Task;
use crate::error::{Error, ErrorKind, Result};

/// Returns a future that ends as `inner` does, but doesn't pass its cancellation on to `inner`:
/// `asyncio.shield`.
///
/// A task that awaits it is cancelled all the same; only `inner` goes on. Where `inner` itself is
/// cancelled, so is the shield. A coroutine is made into a task first. A future that is
/// done is returned as it is, and of anything else that is done the shield is done at once, with
/// the same outcome.
///
/// An exception of `inner` counts as read once the shield has it. After the shield was
/// cancelled it is left for other code to read.
///
/// # Cancellation
///
/// Ends the shield, and nothing else.
///
/// ```
/// use callsoon::{create_task, run, shield, yield_now};
///
/// run(async {
///     let save = create_task(async {
///         yield_now().await?;
///         Ok("saved")
///     });
///     let inner = save.clone();
///     let waiter = create_task(async move { shield(&inner).await });
///     yield_now().await?;
///     waiter.cancel();
///     assert!(waiter.await.unwrap_err().is_cancelled());
///     assert_eq!(save.await?, "saved");
///     Ok(())
/// }).unwrap();
/// ```
#[track_caller]
#[must_use]
pub fn shield<T: Clone + 'static>(inner: &(impl FutureLike<T> + ?Sized)) -> LoopFuture<T> {
    if let Some(future) = inner.as_any().downcast_ref::<LoopFuture<T>>() {
        if future.done() {
            return future.clone();
        }
    }
    let outer = LoopFuture::new(&inner.get_loop());
    // Of an inner future that is done asyncio makes no other.
    outer.set_reason(if inner.done() { WaitReason::Wait } else { WaitReason::Shield });
    if inner.done() {
        if inner.cancelled() {
            // asyncio gives the inner future itself here: the message is for as many as there.
            if inner.as_any().downcast_ref::<Task<T>>().is_some_and(Task::delivers_to_first) {
                outer.deliver_to_first();
            }
            let message = inner.outcome().err().map(|error| error.message());
            outer.cancel_with(message.unwrap_or_default());
        } else {
            let passed_on = match inner.result() {
                Ok(value) => outer.set_result(value),
                Err(error) => outer.set_exception(error),
            };
            debug_assert!(passed_on.is_ok(), "a new shield takes its outcome");
        }
        return outer;
    }
    let to = outer.clone();
    let passes_on = Callback::telling(outer.id(), move |inner| pass_on(inner, &to));
    inner.add_callback(passes_on.clone());
    // The inner future holds its callback, and that the outer one: which must hold neither.
    let passes_on = passes_on.downgrade();
    match inner.erased().map(ErasedFuture::downgrade) {
        Some(inner) => outer.add_done_callback(move |_: &dyn AnyFuture| {
            if let (Some(inner), Some(passes_on)) = (inner.upgrade(), passes_on.upgrade()) {
                inner.remove_done_callback(&passes_on);
            }
        }),
        None => {
            let inner = inner.downgrade();
            outer.add_done_callback(move |_: &dyn AnyFuture| {
                if let (Some(inner), Some(passes_on)) = (inner.upgrade(), passes_on.upgrade()) {
                    inner.remove_done_callback(&passes_on);
                }
            })
        }
    };
    outer
}

/// Ends `outer` as `inner` has ended, unless it was cancelled meanwhile.
fn pass_on<T: Clone + 'static>(inner: &dyn AnyFuture, outer: &LoopFuture<T>) -> Result<()> {
    if inner.cancelled() {
        outer.cancel();
        return Ok(());
    }
    // Which counts as reading it, also where the shield was cancelled.
    let exception = inner.exception()?;
    if outer.cancelled() {
        return Ok(());
    }
    match exception {
        Some(error) => outer.set_exception(error),
        None => match inner.downcast_ref::<T>() {
            Some(inner) => outer.set_result(inner.result()?),
            None => Err(Error::new(ErrorKind::Type, "a shielded future of another type")),
        },
    }
}
