//! Waiting for many futures: for all of them, for the first, or for the end of cancelled ones.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::cell::Cell;

use crate::{AnyFuture, Callback, LoopFuture, Result, running_loop};

/// Waits until all of `futs` are done, with any outcome: `hp.wait_for_all_futures`. Without futures it
/// doesn't yield; for futures that are done already it still takes two turns.
///
/// `futs` may mix futures, tasks and future-like things of different types, by reference or
/// in an `Rc`: `[&task as &dyn AnyFuture, &future]`. One that is named twice counts once. A
/// future-like thing that stands on another counts as done when *that* calls back.
///
/// ```
/// use std::time::Duration;
/// use callsoon::{AnyFuture, EventLoop, create_task, helpers as hp, run_on, sleep};
///
/// run_on(&EventLoop::with_virtual_time(), async {
///     let door = hp::create_future::<&str>();
///     let task = create_task(sleep(Duration::from_secs(5)));
///     let both: [&dyn AnyFuture; 2] = [&door, &task];
///     door.cancel();
///     hp::wait_for_first_future(both).await?; // however it ended
///     assert!(!task.done());
///     hp::wait_for_all_futures(both).await?;
///     assert!(task.done());
///     Ok(())
/// }).unwrap();
/// ```
///
/// # Errors
///
/// The cancellation of the task that waits.
///
/// # Cancellation
///
/// None of `futs` is cancelled. No callback is left behind.
pub async fn wait_for_all_futures<F: AnyFuture>(futs: impl IntoIterator<Item = F>) -> Result<()> {
    let unique = unique(futs);
    let count = unique.len();
    wait_for_ends(unique, count).await
}

/// Waits until one of `futs` is done, however it ends: `hp.wait_for_first_future`. For the
/// rest see [`wait_for_all_futures`].
///
/// # Errors
///
/// The cancellation of the task that waits.
///
/// # Cancellation
///
/// None of `futs` is cancelled. No callback is left behind.
pub async fn wait_for_first_future<F: AnyFuture>(futs: impl IntoIterator<Item = F>) -> Result<()> {
    wait_for_ends(unique(futs), 1).await
}

/// Cancels those of `futs` that are not done, and waits until they are:
/// `hp.cancel_futures_and_wait`. They may mix types, as in [`wait_for_all_futures`].
///
/// # Errors
///
/// The cancellation of the task that waits.
///
/// # Cancellation
///
/// What was cancelled stays so.
pub async fn cancel_futures_and_wait<F: AnyFuture>(
    futs: impl IntoIterator<Item = F>,
) -> Result<()> {
    let mut waiting = Vec::new();
    for fut in futs {
        if !fut.done() {
            fut.cancel();
            waiting.push(fut);
        }
    }
    wait_for_all_futures(waiting).await
}

/// Each of `futs` once, in their order. Often one was made after the other, so that their identities
/// ascend.
pub(crate) fn unique<F: AnyFuture>(futs: impl IntoIterator<Item = F>) -> Vec<F> {
    let mut unique: Vec<F> = futs.into_iter().collect();
    if unique.windows(2).any(|pair| pair[0].id() >= pair[1].id()) {
        let mut seen = BTreeSet::new();
        unique.retain(|fut| seen.insert(fut.id()));
    }
    unique
}

/// Waits until `wanted` of `futs` have called back.
///
/// It counts calls, not futures that are done: the task that waits is to resume after the callbacks
/// that the futures had before, not together with them.
async fn wait_for_ends<F: AnyFuture>(futs: Vec<F>, wanted: usize) -> Result<()> {
    if futs.is_empty() {
        return Ok(());
    }
    let waiter: LoopFuture<()> = running_loop()?.create_future();
    let left = Cell::new(wanted);
    let ended = waiter.clone();
    let callback = Callback::telling(waiter.id(), move |_| {
        left.set(left.get().saturating_sub(1));
        if left.get() == 0 && !ended.done() { ended.set_result(()) } else { Ok(()) }
    });
    let _callbacks = Callbacks::add(futs, callback);
    waiter.await
}

/// A callback on many futures, taken back when it is not waited for any more.
pub(crate) struct Callbacks<F: AnyFuture> {
    futs: Vec<F>,
    callback: Callback,
}

impl<F: AnyFuture> Callbacks<F> {
    pub(crate) fn add(futs: Vec<F>, callback: Callback) -> Callbacks<F> {
        for fut in &futs {
            fut.add_callback(callback.clone());
        }
        Callbacks { futs, callback }
    }
}

impl<F: AnyFuture> Drop for Callbacks<F> {
    fn drop(&mut self) {
        for fut in &self.futs {
            fut.remove_done_callback(&self.callback);
        }
    }
}
