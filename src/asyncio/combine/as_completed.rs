//! [`as_completed`]: iterates over many futures in the order in which they complete.

use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::Cell;
use core::fmt;
use core::time::Duration;

use super::wait::unique;
use crate::asyncio::core::{AnyFuture, Callback, FutureId};
use crate::asyncio::future::ReusableSignal;
use crate::asyncio::future::Timer;
use crate::asyncio::future::check_loop;
use crate::collections::RefCell;
use crate::error::{Error, ErrorKind, Result};
use crate::event_loop::{LoopRef, expect_running_loop};

/// Returns an iteration over `futures` in the order in which they complete: `asyncio.as_completed`.
/// After `limit` of the loop's time, if there is one, it returns an error for each that is still
/// pending.
///
/// What `futures` may be is as for [`wait`](crate::wait). Those that are done already come first, in
/// the order given.
///
/// # Panics
///
/// Where no loop runs.
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
///     let naps = [create_task(nap(2)), create_task(nap(1))];
///     let mut completed = as_completed(&naps, None);
///     let mut order = Vec::new();
///     while let Some(nap) = completed.next().await? {
///         order.push(nap.await?);
///     }
///     assert_eq!(order, [1, 2]);
///     Ok(())
/// }).unwrap();
/// ```
#[track_caller]
pub fn as_completed<F: AnyFuture>(
    futures: impl IntoIterator<Item = F>,
    limit: impl Into<Option<Duration>>,
) -> AsCompleted<F> {
    let on = expect_running_loop();
    let futures = unique(futures);
    match futures.iter().try_for_each(|future| check_loop(future, &on)) {
        Ok(()) => watch(futures, limit.into(), &on),
        Err(error) => AsCompleted::refused(error),
    }
}

fn watch<F: AnyFuture>(futures: Vec<F>, limit: Option<Duration>, on: &LoopRef) -> AsCompleted<F> {
    let arrivals = Rc::new(Arrivals {
        missing: Cell::new(futures.len()),
        arrived: RefCell::new(Vec::with_capacity(futures.len())),
        ..Arrivals::default()
    });
    let limit = limit.filter(|_| !futures.is_empty());
    let on_arrival = arrivals.clone();
    let callback = if limit.is_some() {
        Callback::new(move |future: &dyn AnyFuture| on_arrival.arrive_in_time(future.id()))
    } else {
        Callback::new(move |future: &dyn AnyFuture| on_arrival.arrive(future.id()))
    };
    let mut own_callbacks = Vec::new();
    for (place, future) in futures.iter().enumerate() {
        let id = future.id();
        let callback = if future.erased().is_some() {
            callback.clone()
        } else {
            // A future-like thing may call back with the future that it stands on.
            let on_arrival = arrivals.clone();
            let callback = Callback::new(move |_: &dyn AnyFuture| on_arrival.arrive_in_time(id));
            own_callbacks.push((place, callback.clone()));
            callback
        };
        if limit.is_some() {
            let to_leave = (future.to_any(), callback.clone());
            arrivals.to_leave.borrow_mut().insert(id, to_leave);
        }
        future.add_callback(callback);
    }
    let late = arrivals.clone();
    match Timer::start(on, limit, move || late.give_up()) {
        Ok(timer) => arrivals.timer.set(timer),
        Err(error) => {
            arrivals.leave();
            return AsCompleted::refused(error);
        }
    }
    let left = futures.len();
    let watched = futures.into_iter().map(Some).collect();
    let places = Places { next: 0, by_id: None };
    AsCompleted { watched, callback, own_callbacks, left, places, arrivals, refused: None }
}

/// The iteration of [`as_completed`]. Dropped, it leaves no callback and no timer behind.
pub struct AsCompleted<F: AnyFuture> {
    /// The futures in the order given; none in the place of one that was returned.
    watched: Vec<Option<F>>,
    /// The callback on all futures and tasks.
    callback: Callback,
    /// The callbacks on future-like things, each with its place in `watched`.
    own_callbacks: Vec<(usize, Callback)>,
    /// The number of calls of [`next`](AsCompleted::next) that have something to return.
    left: usize,
    places: Places,
    arrivals: Rc<Arrivals>,
    /// Why it waits for nothing.
    refused: Option<Error>,
}

/// The futures that have ended, as their callbacks and the timer leave them for the task that waits.
#[derive(Default)]
struct Arrivals {
    /// The number of futures that have not ended, and are still waited for.
    missing: Cell<usize>,
    /// The futures that have ended, in that order.
    arrived: RefCell<Vec<FutureId>>,
    /// The number of these that were returned.
    returned: Cell<usize>,
    /// The number of futures that were missing when the time was up. None arrives after that.
    given_up: Cell<usize>,
    /// With a limit, the futures that have not ended, and the callback on each.
    to_leave: RefCell<BTreeMap<FutureId, (Rc<dyn AnyFuture>, Callback)>>,
    waiter: ReusableSignal,
    timer: Cell<Timer>,
}

impl Arrivals {
    fn arrive(&self, id: FutureId) {
        let missing = self.missing.get();
        if missing == 0 {
            // The time was up before.
            return;
        }
        self.missing.set(missing - 1);
        if missing == 1 {
            drop(self.timer.take());
        }
        let mut arrived = self.arrived.borrow_mut();
        arrived.push(id);
        // With more than one to return, no task waits that was not woken.
        if arrived.len() == self.returned.get() + 1 {
            drop(arrived);
            self.waiter.complete();
        }
    }

    /// Does as [`arrive`](Arrivals::arrive), where there may be a limit.
    fn arrive_in_time(&self, id: FutureId) {
        let ended = self.to_leave.borrow_mut().remove(&id);
        drop(ended);
        self.arrive(id);
    }

    /// The next that has ended and was not returned.
    fn take_next(&self) -> Option<FutureId> {
        let returned = self.returned.get();
        let next = *self.arrived.borrow().get(returned)?;
        self.returned.set(returned + 1);
        Some(next)
    }

    /// The time is up.
    fn give_up(&self) -> Result<()> {
        self.leave();
        self.given_up.set(self.missing.take());
        self.waiter.complete();
        Ok(())
    }

    /// Removes the callbacks on futures that have not ended.
    fn leave(&self) {
        let to_leave = self.to_leave.take();
        for (future, callback) in to_leave.values() {
            future.remove_done_callback(callback);
        }
    }
}

/// The places of the watched futures by their identities.
struct Places {
    /// The place behind that of the future that was found last. Futures often end in their order.
    next: usize,
    /// All of them, sorted; made when a future isn't in the place that is `next`.
    by_id: Option<Vec<(FutureId, usize)>>,
}

impl Places {
    /// Takes the future with this identity out of `watched`.
    fn take<F: AnyFuture>(&mut self, watched: &mut [Option<F>], id: FutureId) -> Option<F> {
        let is_it = |future: &Option<F>| future.as_ref().is_some_and(|future| future.id() == id);
        if !watched.get(self.next).is_some_and(is_it) {
            let by_id = self.by_id.get_or_insert_with(|| sorted(watched));
            let found = by_id.binary_search_by_key(&id, |(id, _)| *id).ok()?;
            self.next = by_id[found].1;
        }
        let future = watched.get_mut(self.next)?.take();
        self.next += 1;
        future
    }
}

#[cold]
fn sorted<F: AnyFuture>(watched: &[Option<F>]) -> Vec<(FutureId, usize)> {
    let ids =
        watched.iter().enumerate().filter_map(|(place, own)| Some((own.as_ref()?.id(), place)));
    let mut ids: Vec<_> = ids.collect();
    ids.sort_unstable();
    ids
}

impl<F: AnyFuture> AsCompleted<F> {
    /// One that gives `error` and nothing else.
    #[cold]
    fn refused(error: Error) -> AsCompleted<F> {
        let arrivals = Rc::new(Arrivals { given_up: Cell::new(1), ..Arrivals::default() });
        let callback = Callback::new(|_: &dyn AnyFuture| ());
        let places = Places { next: 0, by_id: None };
        let (watched, own_callbacks, refused) = (Vec::new(), Vec::new(), Some(error));
        AsCompleted { watched, callback, own_callbacks, left: 1, places, arrivals, refused }
    }

    /// The next that is done, however it ended; `None` when all were given.
    ///
    /// # Errors
    ///
    /// [`Timeout`](crate::ErrorKind::Timeout) when the time was up, as often as there are
    /// futures missing; the cancellation of the task that waits; once, and nothing else,
    /// [`Value`](crate::ErrorKind::Value) if one of the futures belongs to another loop.
    ///
    /// # Cancellation
    ///
    /// What is done next is for the next call.
    pub async fn next(&mut self) -> Result<Option<F>> {
        if self.left == 0 {
            return Ok(None);
        }
        let arrivals = &*self.arrivals;
        loop {
            if let Some(id) = arrivals.take_next() {
                self.left -= 1;
                return Ok(self.places.take(&mut self.watched, id));
            }
            if arrivals.given_up.get() > 0 {
                arrivals.given_up.set(arrivals.given_up.get() - 1);
                self.left -= 1;
                let refused = self.refused.take();
                return Err(refused.unwrap_or_else(|| Error::new(ErrorKind::Timeout, "")));
            }
            arrivals.waiter.wait().await?;
        }
    }
}

impl<F: AnyFuture> Drop for AsCompleted<F> {
    fn drop(&mut self) {
        drop(self.arrivals.timer.take());
        drop(self.arrivals.to_leave.take());
        for future in self.watched.iter().flatten() {
            future.remove_done_callback(&self.callback);
        }
        for (place, callback) in &self.own_callbacks {
            if let Some(future) = &self.watched[*place] {
                future.remove_done_callback(callback);
            }
        }
    }
}

impl<F: AnyFuture> fmt::Debug for AsCompleted<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<AsCompleted left={}>", self.left)
    }
}
