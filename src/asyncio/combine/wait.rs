//! [`wait`] and [`as_completed`]: many futures, of which the first, or all, are waited for.

use alloc::collections::BTreeSet;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::Cell;
use core::fmt;
use core::time::Duration;

use crate::asyncio::core::{AnyFuture, Callback, WaitReason};
use crate::asyncio::future::LoopFuture;
use crate::asyncio::future::check_loop;
use crate::asyncio::future::{Timer, release};
use crate::asyncio::sync::Queue;
use crate::error::{Error, ErrorKind, Result};
use crate::event_loop::running_loop;

/// What [`wait`] waits for.
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

/// Waits for `futures` until `return_when` says so, or until `limit` of the loop's time has
/// passed; without limit with `None`. Returns those that are done and those that are not, each
/// in the order given: `asyncio.wait`.
///
/// `futures` may mix futures, tasks and future-like things of different types, by reference or
/// in an `Rc`: `[&task as &dyn AnyFuture, &future]`. One that is named twice is returned once.
/// Those that end before the task goes on are among the done as well. It gives way also where
/// they are done already.
///
/// That the time is up is no error, and none of `futures` is cancelled for it. Nobody has read
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
///         .map(|seconds| create_task(sleep(Duration::from_secs(seconds))).expect("the loop runs"));
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
        return Err(Error::new(ErrorKind::Value, "there are no futures to wait for"));
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

/// The futures of `futures` one by one, as they are done: `asyncio.as_completed`. After `limit`
/// of the loop's time, if there is one, it gives an error for each that is still missing.
///
/// What `futures` may be is as for [`wait`]. Those that are done already come first, in the
/// order given.
///
/// # Errors
///
/// [`Runtime`](crate::ErrorKind::Runtime) where no loop runs;
/// [`Value`](crate::ErrorKind::Value) for a future of another one.
///
/// ```
/// use std::time::Duration;
/// use callsoon::{EventLoop, as_completed, create_task, sleep};
///
/// async fn nap(seconds: u64) -> callsoon::Result<u64> {
///     sleep(Duration::from_secs(seconds)).await?;
///     Ok(seconds)
/// }
///
/// EventLoop::with_virtual_time().run_until_complete(async {
///     let naps = [create_task(nap(2))?, create_task(nap(1))?];
///     let mut completed = as_completed(&naps, None)?;
///     let mut order = Vec::new();
///     while let Some(nap) = completed.next().await? {
///         order.push(nap.await?);
///     }
///     assert_eq!(order, [1, 2]);
///     Ok(())
/// }).unwrap();
/// ```
pub fn as_completed<F: AnyFuture>(
    futures: impl IntoIterator<Item = F>,
    limit: impl Into<Option<Duration>>,
) -> Result<AsCompleted<F>> {
    let on = running_loop()?;
    let futures = unique(futures);
    for future in &futures {
        check_loop(future, &on)?;
    }
    let missing = Rc::new(Missing {
        count: Cell::new(futures.len()),
        arrived: Queue::new(0),
        timer: Cell::default(),
    });
    let watched = futures.into_iter().enumerate().map(|(place, future)| {
        let missing = missing.clone();
        let callback = Callback::new(move |_: &dyn AnyFuture| missing.arrive(place));
        future.add_callback(callback.clone());
        Some((future, callback))
    });
    let watched: Vec<_> = watched.collect();
    let limit = limit.into().filter(|_| !watched.is_empty());
    let late = missing.clone();
    missing.timer.set(Timer::start(&on, limit, move || late.give_up())?);
    Ok(AsCompleted { left: watched.len(), watched, missing })
}

/// What [`as_completed`] returns. Dropped, it leaves no callback and no timer behind.
pub struct AsCompleted<F: AnyFuture> {
    /// Those that were not given yet, with the callbacks on them.
    watched: Vec<Option<(F, Callback)>>,
    /// How often there is something to give.
    left: usize,
    missing: Rc<Missing>,
}

/// What the futures' callbacks and the timer tell the one who waits.
struct Missing {
    /// How many were not done yet, and are still waited for.
    count: Cell<usize>,
    /// The places of those that are done, in that order; none for one that was given up.
    arrived: Queue<Option<usize>>,
    timer: Cell<Timer>,
}

impl Missing {
    fn arrive(&self, place: usize) -> Result<()> {
        if self.count.get() == 0 {
            // It comes too late.
            return Ok(());
        }
        self.count.set(self.count.get() - 1);
        if self.count.get() == 0 {
            self.timer.take();
        }
        self.arrived.put_nowait(Some(place))
    }

    fn give_up(&self) -> Result<()> {
        (0..self.count.take()).try_for_each(|_| self.arrived.put_nowait(None))
    }
}

impl<F: AnyFuture> AsCompleted<F> {
    /// The next that is done, however it ended; `None` when all were given.
    ///
    /// # Errors
    ///
    /// [`Timeout`](crate::ErrorKind::Timeout) when the time was up, as often as there are
    /// futures missing; the cancellation of the task that waits.
    ///
    /// # Cancellation
    ///
    /// What is done next is for the next call.
    pub async fn next(&mut self) -> Result<Option<F>> {
        if self.left == 0 {
            return Ok(None);
        }
        let place = self.missing.arrived.get().await?;
        self.left -= 1;
        match place.and_then(|place| self.watched[place].take()) {
            Some((future, _)) => Ok(Some(future)),
            None => Err(Error::new(ErrorKind::Timeout, "")),
        }
    }
}

impl<F: AnyFuture> Drop for AsCompleted<F> {
    fn drop(&mut self) {
        self.missing.timer.take();
        for (future, callback) in self.watched.iter().flatten() {
            future.remove_done_callback(callback);
        }
    }
}

impl<F: AnyFuture> fmt::Debug for AsCompleted<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<AsCompleted left={}>", self.left)
    }
}

/// Each of `futures` once, in their order. Mostly they are that already, and often one was made
/// behind the other, so that it takes but a look.
fn unique<F: AnyFuture>(futures: impl IntoIterator<Item = F>) -> Vec<F> {
    let mut futures: Vec<F> = futures.into_iter().collect();
    let mut ids: Vec<_> = futures.iter().map(AnyFuture::id).collect();
    ids.sort_unstable();
    if ids.windows(2).any(|pair| pair[0] == pair[1]) {
        let mut seen = BTreeSet::new();
        futures.retain(|future| seen.insert(future.id()));
    }
    futures
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
