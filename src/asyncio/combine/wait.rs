//! [`wait`]: waits until the first of many futures, or all of them, are done.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::cell::Cell;
use core::time::Duration;

use crate::asyncio::core::{AnyFuture, Callback, WaitReason};
use crate::asyncio::future::LoopFuture;
use crate::asyncio::future::{Timer, release};
use crate::error::{Error, ErrorKind, Result};
use crate::event_loop::running_loop;

/// The condition that ends a [`wait`].
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum ReturnWhen {
    /// One of them is done, however it ended.
    FirstCompleted,
    /// One of them has an exception, or all are done. A cancelled one has none.
    FirstException,
    /// All of them are done.
    #[default]
    AllCompleted,
}

/// Waits for `futures` until the condition `return_when` holds, or until `limit` of the loop's time has
/// passed, if it isn't `None`: `asyncio.wait`. Returns the futures that are done and those that are
/// not, each in the order given.
///
/// `futures` may mix futures, tasks and future-like things of different types, by reference or
/// in an `Rc`: `[&task as &dyn AnyFuture, &future]`. One that is named twice is returned once.
/// Those that end before the task goes on are among the done as well. It yields also where
/// they are done already.
///
/// That the time is up is no error, and none of `futures` is cancelled for it. Nothing has read
/// their exceptions, but that `FirstException` looks for one.
///
/// # Errors
///
/// [`Value`](crate::ErrorKind::Value) for no futures at all;
/// [`Runtime`](crate::ErrorKind::Runtime) where no loop runs; the cancellation of the task that
/// waits.
///
/// # Cancellation
///
/// None of `futures` is cancelled. No callback and no timer is left behind.
///
/// ```
/// use std::time::Duration;
/// use callsoon::{EventLoop, ReturnWhen, create_task, sleep, wait};
///
/// EventLoop::with_virtual_time().run_until_complete(async {
///     let tasks = [3, 1, 2]
///         .map(|seconds| create_task(sleep(Duration::from_secs(seconds))));
///     let (done, pending) = wait(&tasks, None, ReturnWhen::FirstCompleted).await?;
///     assert_eq!(done[0].id(), tasks[1].id());
///     assert_eq!(pending.len(), 2);
///     Ok(())
/// }).unwrap();
/// ```
pub async fn wait<F: AnyFuture>(
    futures: impl IntoIterator<Item = F>,
    limit: impl Into<Option<Duration>>,
    return_when: ReturnWhen,
) -> Result<(Vec<F>, Vec<F>)> {
    let futures = unique(futures);
    if futures.is_empty() {
        return Err(Error::new(ErrorKind::Value, "Set of Tasks/Futures is empty."));
    }
    wait_until(&futures, limit.into(), return_when).await?;
    Ok(futures.into_iter().partition(|future| future.done()))
}

async fn wait_until<F: AnyFuture>(
    futures: &[F],
    limit: Option<Duration>,
    return_when: ReturnWhen,
) -> Result<()> {
    let on = running_loop()?;
    let waiter: LoopFuture<()> = LoopFuture::with_reason(&on, WaitReason::Wait);
    let late = waiter.clone();
    let _timer = Timer::start(&on, limit, move || release(&late))?;
    let (enough, left) = (waiter.clone(), Cell::new(futures.len()));
    let callback = Callback::telling(waiter.id(), move |done| {
        left.set(left.get() - 1);
        let is_enough = left.get() == 0
            || match return_when {
                ReturnWhen::FirstCompleted => true,
                ReturnWhen::FirstException => {
                    !done.cancelled() && matches!(done.exception(), Ok(Some(_)))
                }
                ReturnWhen::AllCompleted => false,
            };
        if is_enough { release(&enough) } else { Ok(()) }
    });
    let _callbacks = Callbacks::add(futures, callback);
    waiter.await
}

/// Each of `futures` once, in their order. Often one was made after the other, so that their
/// identities ascend, or do so in runs, one for each piece of memory.
pub(crate) fn unique<F: AnyFuture>(futures: impl IntoIterator<Item = F>) -> Vec<F> {
    let mut futures: Vec<F> = futures.into_iter().collect();
    if futures.windows(2).all(|pair| pair[0].id() < pair[1].id()) || in_separate_runs(&futures) {
        return futures;
    }
    let mut ids: Vec<_> = futures.iter().map(AnyFuture::id).collect();
    ids.sort_unstable();
    if ids.windows(2).any(|pair| pair[0] == pair[1]) {
        let mut seen = BTreeSet::new();
        futures.retain(|future| seen.insert(future.id()));
    }
    futures
}

/// Returns true if the identities ascend in runs without great gaps, and no two runs overlap.
fn in_separate_runs<F: AnyFuture>(futures: &[F]) -> bool {
    let runs = futures.chunk_by(|before, after| before.id().is_just_before(after.id()));
    let ends = |run: &[F]| Some((run.first()?.id(), run.last()?.id()));
    let mut runs: Vec<_> = runs.filter_map(ends).collect();
    runs.sort_unstable();
    runs.windows(2).all(|pair| pair[0].1 < pair[1].0)
}

/// A callback on many futures, taken back when it is not waited for any more.
pub(crate) struct Callbacks<'a, F: AnyFuture> {
    futures: &'a [F],
    callback: Callback,
}

impl<'a, F: AnyFuture> Callbacks<'a, F> {
    pub(crate) fn add(futures: &'a [F], callback: Callback) -> Callbacks<'a, F> {
        for future in futures {
            future.add_callback(callback.clone());
        }
        Callbacks { futures, callback }
    }
}

impl<F: AnyFuture> Drop for Callbacks<'_, F> {
    fn drop(&mut self) {
        for future in self.futures {
            future.remove_done_callback(&self.callback);
        }
    }
}
