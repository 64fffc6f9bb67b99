//! [`gather`]: one future for many, with the list of their results as its result.
//!
//! The outer future and the children know each other: its cancellation goes down to all of
//! them, and each of their ends comes up by a callback. So while a child is pending, it and the
//! outer future stay, as in asyncio; the last child's end drops them. It is the loop that
//! keeps them meanwhile, not their callbacks: a circle of pending futures would outlive it.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::any::Any;
use core::cell::Cell;

use slab::Slab;

use super::children::{Children, Gather};
use super::wait::unique;
use crate::asyncio::core::{
    AnyFuture, Callback, CancelledChild, CancelledChildren, ErasedFuture, LoopExtension,
    TaskHeader, TaskRegistry, WaitReason, again,
};
use crate::asyncio::future::{LoopFuture, check_loop};
use crate::collections::RefCell;
use crate::error::{Error, Result};
use crate::event_loop::{LoopRef, drop_quietly, expect_running_loop};

/// Returns one future for many: `asyncio.gather`. Its result is the list of their results, or the
/// tuple, in the order of `children`, and not in that of completion.
///
/// | children | as |
/// | --- | --- |
/// | futures and tasks of one type | `gather(&tasks)`, `gather([&one, &two])` |
/// | future-like things of one type | `gather([&task as &dyn FutureLike<i32>, &future])` |
/// | coroutines of one type | `gather(urls.map(fetch))` |
/// | several types | `gather((fetch(url), &task, future))`, up to twelve |
///
/// A coroutine is made into a task first. A child that is named twice is waited for once, and its
/// result stands in both places. Where all of them are done already, so is the future that this
/// returns.
///
/// The first child that fails ends the outer future with its exception, and a child that is
/// cancelled does so with the cancellation, which is then the outer future's
/// [exception](LoopFuture::exception): it doesn't count as cancelled itself. The other
/// children go on, and their exceptions are not reported. To have all of them waited for, see
/// [`gather_outcomes`].
///
/// Children of different loops make it fail at once with [`Value`](crate::ErrorKind::Value).
///
/// # Panics
///
/// Where no loop runs, for coroutines and for no children at all.
///
/// # Cancellation
///
/// Cancelling the outer future, or a task that awaits it, cancels every child that is not
/// done. The outer future itself ends when the first of them does, with the cancellation, also
/// where a child ignores its cancellation. Once it is done, it cancels no child.
///
/// ```
/// use callsoon::{create_task, gather, run};
///
/// async fn square(of: i32) -> callsoon::Result<i32> {
///     Ok(of * of)
/// }
///
/// run(async {
///     let tasks = (1..4).map(|n| create_task(square(n))).collect::<Vec<_>>();
///     assert_eq!(gather(&tasks).await?, [1, 4, 9]);
///     assert_eq!(gather((4..6).map(square)).await?, [16, 25]);
///     assert_eq!(gather((square(6), async { Ok("six") }, &tasks[0])).await?, (36, "six", 1));
///     Ok(())
/// }).unwrap();
/// ```
#[track_caller]
pub fn gather<Kind, G: Gather<Kind>>(
    children: G,
) -> LoopFuture<<G::Children as Children>::Results> {
    gather_into(children.into_children(), Ends::WithTheFirstError, G::Children::results)
}

/// Does as [`gather`], with each child's outcome in the list, exceptions and cancellations too:
/// `asyncio.gather(..., return_exceptions=True)`. So the outer future waits for all children, and their
/// exceptions count as retrieved. The outcome of a cancelled task lacks its message, which only code
/// that awaits the task itself receives.
///
/// Children of different loops make it fail at once with [`Value`](crate::ErrorKind::Value).
///
/// # Panics
///
/// For no children at all where no loop runs.
///
/// # Cancellation
///
/// As for `gather`, but the outer future ends when the last child does, with the cancellation.
#[track_caller]
pub fn gather_outcomes<Kind, G: Gather<Kind>>(
    children: G,
) -> LoopFuture<<G::Children as Children>::Outcomes> {
    gather_into(
        children.into_children(),
        Ends::WithTheLastChild,
        |children| Ok(children.outcomes()),
    )
}

/// When the outer future ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ends {
    WithTheFirstError,
    WithTheLastChild,
}

/// The children, for the outer future to cancel, and to read at the end.
struct Gathered<C> {
    children: C,
    /// A cancellation was accepted: that comes before results.
    cancelled: Cell<bool>,
}

impl<C: Children> Gathered<C> {
    fn iter(&self) -> impl Iterator<Item = &dyn AnyFuture> {
        (0..self.children.len()).filter_map(|place| self.children.get(place))
    }
}

impl<C: Children> CancelledChildren for Gathered<C> {
    fn child(&self, index: usize, error: &Error) -> Option<CancelledChild> {
        let child = self.children.get(index)?;
        Some(match child.erased() {
            Some(future) => CancelledChild::Future(future.clone(), again(error)),
            None => CancelledChild::Other(child.cancel()),
        })
    }

    fn note_accepted(&self) {
        self.cancelled.set(true);
    }
}

/// The cancellation of an outer future with all its children done has the message of the last in the
/// list, whichever ended last: also where that was told of a cancellation and went on.
fn last_message(last: &dyn AnyFuture) -> Error {
    if last.cancelled() {
        return last.exception().err().unwrap_or(Error::cancelled());
    }
    let task = last.erased().and_then(ErasedFuture::task);
    task.map_or(Error::cancelled(), TaskHeader::cancellation)
}

/// The state of the children's callback.
struct Gathering<C, R: 'static> {
    gathered: Rc<Gathered<C>>,
    outer: LoopFuture<R>,
    /// Where the loop keeps it.
    key: usize,
    /// The number of children that are not done.
    left: Cell<usize>,
    ends: Ends,
    collect: fn(&C) -> Result<R>,
}

/// The gatherings of a loop that have pending children.
#[derive(Default)]
pub(crate) struct Gatherings(RefCell<Slab<Rc<dyn Any>>>);

impl Gatherings {
    /// Keeps what `make` makes of its key until it is [released](Gatherings::release), or the loop
    /// closes. On a loop that has closed, where no callback runs any more, nothing is kept.
    fn keep<G: 'static>(&self, on: &LoopRef, make: impl FnOnce(usize) -> G) -> Rc<G> {
        let mut kept = self.0.borrow_mut();
        let gathering = Rc::new(make(kept.vacant_key()));
        if !on.is_closed() {
            kept.insert(gathering.clone());
        }
        gathering
    }

    fn release(&self, key: usize) {
        let released = self.0.borrow_mut().try_remove(key);
        drop(released);
    }
}

impl LoopExtension for Gatherings {
    fn close(&self, event_loop: &LoopRef) {
        for gathering in self.0.take() {
            drop_quietly(event_loop, gathering);
        }
    }

    fn into_any(self: Rc<Self>) -> Rc<dyn Any> {
        self
    }
}

#[track_caller]
fn gather_into<C: Children, R: 'static>(
    children: C,
    ends: Ends,
    collect: fn(&C) -> Result<R>,
) -> LoopFuture<R> {
    let gathered = Rc::new(Gathered { children, cancelled: Cell::new(false) });
    let on = match gathered.iter().next() {
        Some(child) => child.get_loop(),
        None => expect_running_loop(),
    };
    let outer = LoopFuture::new(&on);
    outer.set_reason(WaitReason::Gather);
    // It is new, so that it takes what it is given.
    let checked = gathered.iter().try_for_each(|child| check_loop(child, &on));
    let outcome = match checked {
        Err(error) => outer.set_exception(error),
        Ok(()) if gathered.children.len() == 0 => {
            collect(&gathered.children).and_then(|results| outer.set_result(results))
        }
        Ok(()) => watch(gathered, ends, collect, &outer),
    };
    debug_assert!(outcome.is_ok(), "a new outer future takes its outcome");
    outer
}

/// Has `outer` end with the children.
fn watch<C: Children, R: 'static>(
    gathered: Rc<Gathered<C>>,
    ends: Ends,
    collect: fn(&C) -> Result<R>,
    outer: &LoopFuture<R>,
) -> Result<()> {
    outer.set_children(gathered.clone());
    let unique = unique(gathered.iter());
    let on = outer.get_loop();
    let left = Cell::new(unique.len());
    let gatherings = TaskRegistry::of(&on).extension::<Gatherings>();
    let gathering = gatherings.keep(&on, |key| {
        let (gathered, outer) = (gathered.clone(), outer.clone());
        Gathering { gathered, outer, key, left, ends, collect }
    });
    let kept = Rc::downgrade(&gathering);
    let callback = Callback::telling(outer.id(), move |child| match kept.upgrade() {
        Some(gathering) => gathering.child_done(child),
        None => Ok(()),
    });
    let (done, pending): (Vec<_>, Vec<_>) = unique.into_iter().partition(|child| child.done());
    for child in pending {
        child.add_callback(callback.clone());
    }
    for child in done {
        callback.call(&*child.to_any())?;
    }
    Ok(())
}

impl<C: Children, R> Gathering<C, R> {
    fn child_done(&self, child: &dyn AnyFuture) -> Result<()> {
        self.left.set(self.left.get() - 1);
        if self.left.get() == 0 {
            self.outer.erased().registry().extension::<Gatherings>().release(self.key);
        }
        if self.outer.done() {
            if !child.cancelled() {
                // The outer future has no place for this child's exception: it counts as read.
                let _ = child.exception();
            }
            return Ok(());
        }
        if self.ends == Ends::WithTheFirstError {
            if let Err(error) = child.outcome() {
                return self.outer.set_exception(error);
            }
        }
        if self.left.get() > 0 {
            return Ok(());
        }
        let children = &self.gathered.children;
        if self.gathered.cancelled.get() {
            // asyncio has collected the outcomes by then, which counts as reading them.
            for child in self.gathered.iter().filter(|child| !child.cancelled()) {
                let _ = child.exception();
            }
            // Not the one that ended last, but the last in the list.
            let last = children.len().checked_sub(1).and_then(|place| children.get(place));
            let error = last.map(last_message);
            return self.outer.set_exception(error.unwrap_or(Error::cancelled()));
        }
        match (self.collect)(children) {
            Ok(results) => self.outer.set_result(results),
            Err(error) => self.outer.set_exception(error),
        }
    }
}
