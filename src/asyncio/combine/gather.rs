//! [`gather`]: many futures as one, whose result is the list of theirs.
//!
//! The outer future and the children know each other: its cancellation goes down to all of
//! them, and each of their ends comes up by a callback. So while a child is pending, it and the
//! outer future stay, as in asyncio; the last child's end lets go of them. It is the loop that
//! keeps them meanwhile, not their callbacks: a circle of pending futures would outlive it.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::any::Any;
use core::cell::{Cell, RefCell};
use core::ops::Deref;

use slab::Slab;

use super::wait::unique;
use crate::asyncio::core::{
    AnyFuture, Callback, CancelHook, CancelledChild, CancelledChildren, LoopExtension,
    TaskRegistry, WaitReason,
};
use crate::asyncio::future::LoopFuture;
use crate::asyncio::future::{FutureLike, check_loop};
use crate::asyncio::task::Task;
use crate::error::{Error, Result};
use crate::event_loop::{LoopRef, drop_quietly, expect_running_loop};

/// One future for many: its result is the list of theirs, in the order of `children`, whatever
/// the order in which they end. `asyncio.gather`.
///
/// The children are this crate's futures, tasks and future-like things, by reference or in an
/// `Rc`: `gather(&tasks)`, `gather([&task as &dyn FutureLike<i32>, &future])`. A coroutine is made
/// into a task first. One that is named twice is waited for once, and its result stands in
/// both places. Where all of them are done already, so is the future that this returns.
///
/// The first child that fails ends the outer future with its exception, and a child that is
/// cancelled does so with the cancellation, which is then the outer future's
/// [exception](LoopFuture::exception): it doesn't count as cancelled itself. The other
/// children go on, and nobody is told of their exceptions. To have all of them waited for, see
/// [`gather_outcomes`].
///
/// Children of different loops make it fail at once with [`Value`](crate::ErrorKind::Value).
///
/// # Panics
///
/// For no children at all where no loop runs.
///
/// # Cancellation
///
/// Cancelling the outer future, or a task that awaits it, cancels every child that is not
/// done. The outer future itself ends when the first of them does, with the cancellation, also
/// where a child makes nothing of being cancelled. Once it is done, it cancels nobody.
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
///     Ok(())
/// }).unwrap();
/// ```
#[track_caller]
pub fn gather<T: Clone + 'static>(
    children: impl IntoIterator<Item = impl Deref<Target = impl FutureLike<T> + ?Sized>>,
) -> LoopFuture<Vec<T>> {
    gather_into(Children::of(children), Ends::WithTheFirstError, |children| {
        children.iter().map(|child| child.result()).collect()
    })
}

/// As [`gather`], with each child's outcome in the list, exceptions and cancellations too:
/// `asyncio.gather(..., return_exceptions=True)`. So the outer future waits for all children,
/// and their exceptions count as read. A task that was cancelled stands there without its message,
/// which is for who awaits the task itself.
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
pub fn gather_outcomes<T: Clone + 'static>(
    children: impl IntoIterator<Item = impl Deref<Target = impl FutureLike<T> + ?Sized>>,
) -> LoopFuture<Vec<Result<T>>> {
    gather_into(Children::of(children), Ends::WithTheLastChild, |children| {
        Ok(children.iter().map(|child| outcome(&**child)).collect())
    })
}

/// A message that only one is told is for who awaits the child.
fn outcome<T: Clone + 'static>(child: &dyn FutureLike<T>) -> Result<T> {
    match child.as_any().downcast_ref::<Task<T>>() {
        Some(task) if task.delivers_to_first() => Err(Error::cancelled()),
        _ => child.result(),
    }
}

/// When the outer future ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ends {
    WithTheFirstError,
    WithTheLastChild,
}

/// A child, without an `Rc` of its own where it is a future or a task.
enum Child<T: 'static> {
    Future(LoopFuture<T>),
    Task(Task<T>),
    Like(Rc<dyn FutureLike<T>>),
}

impl<T: Clone + 'static> Child<T> {
    fn of(child: &(impl FutureLike<T> + ?Sized)) -> Child<T> {
        let any = child.as_any();
        if let Some(future) = any.downcast_ref::<LoopFuture<T>>() {
            return Child::Future(future.clone());
        }
        match any.downcast_ref::<Task<T>>() {
            Some(task) => Child::Task(task.clone()),
            None => Child::Like(child.to_future_like()),
        }
    }
}

impl<T: Clone + 'static> Deref for Child<T> {
    type Target = dyn FutureLike<T>;

    fn deref(&self) -> &(dyn FutureLike<T> + 'static) {
        match self {
            Child::Future(future) => future,
            Child::Task(task) => task,
            Child::Like(like) => &**like,
        }
    }
}

/// What the outer future cancels, and reads at the end.
struct Children<T: 'static> {
    /// As they were given: one may stand here twice.
    all: Vec<Child<T>>,
    /// A cancellation was accepted: that comes before results.
    cancelled: Cell<bool>,
}

impl<T: Clone + 'static> Children<T> {
    fn of(
        children: impl IntoIterator<Item = impl Deref<Target = impl FutureLike<T> + ?Sized>>,
    ) -> Rc<Children<T>> {
        let all = children.into_iter().map(|child| Child::of(&*child)).collect();
        Rc::new(Children { all, cancelled: Cell::new(false) })
    }
}

impl<T: Clone + 'static> CancelledChildren for Children<T> {
    fn child(&self, index: usize) -> Option<CancelledChild> {
        let child = self.all.get(index)?;
        Some(match child.erased() {
            Some(future) => CancelledChild::Future(future.clone()),
            None => CancelledChild::Other(child.cancel()),
        })
    }

    fn note_accepted(&self) {
        self.cancelled.set(true);
    }
}

/// The cancellation of an outer future whose children are all done is in the words of the last in
/// the list, whichever ended last: also where that was told of a cancellation and went on.
fn last_words<T: Clone + 'static>(last: &dyn FutureLike<T>) -> Error {
    if last.cancelled() {
        return last.exception().err().unwrap_or(Error::cancelled());
    }
    let task = last.as_any().downcast_ref::<Task<T>>();
    task.map_or(Error::cancelled(), |task| task.header().cancellation())
}

/// What the children's callback knows.
struct Gathering<T: 'static, R: 'static> {
    children: Rc<Children<T>>,
    outer: LoopFuture<R>,
    /// Where the loop keeps it.
    key: usize,
    /// How many are not done.
    left: Cell<usize>,
    ends: Ends,
    collect: fn(&[Child<T>]) -> Result<R>,
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
fn gather_into<T: Clone + 'static, R: 'static>(
    children: Rc<Children<T>>,
    ends: Ends,
    collect: fn(&[Child<T>]) -> Result<R>,
) -> LoopFuture<R> {
    let on = match children.all.first() {
        Some(child) => child.get_loop(),
        None => expect_running_loop(),
    };
    let outer = LoopFuture::new(&on);
    outer.set_reason(WaitReason::Gather);
    // It is new, so that it takes what it is given.
    let outcome = match children.all.iter().try_for_each(|child| check_loop(&**child, &on)) {
        Err(error) => outer.set_exception(error),
        Ok(()) if children.all.is_empty() => {
            collect(&[]).and_then(|results| outer.set_result(results))
        }
        Ok(()) => watch(children, ends, collect, &outer),
    };
    debug_assert!(outcome.is_ok(), "a new outer future takes its outcome");
    outer
}

/// Has `outer` end with the children.
fn watch<T: Clone + 'static, R: 'static>(
    children: Rc<Children<T>>,
    ends: Ends,
    collect: fn(&[Child<T>]) -> Result<R>,
    outer: &LoopFuture<R>,
) -> Result<()> {
    outer.set_cancel_hook(CancelHook::Children(children.clone()));
    let unique = unique(children.all.iter().map(|child| &**child));
    let on = outer.get_loop();
    let left = Cell::new(unique.len());
    let gatherings = TaskRegistry::of(&on).extension::<Gatherings>();
    let gathering = gatherings.keep(&on, |key| {
        let (children, outer) = (children.clone(), outer.clone());
        Gathering { children, outer, key, left, ends, collect }
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

impl<T: Clone, R> Gathering<T, R> {
    fn child_done(&self, child: &dyn AnyFuture) -> Result<()> {
        self.left.set(self.left.get() - 1);
        if self.left.get() == 0 {
            self.outer.erased().registry().extension::<Gatherings>().release(self.key);
        }
        if self.outer.done() {
            if !child.cancelled() {
                // Nobody will ask for this child's exception: it counts as read.
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
        if self.children.cancelled.get() {
            // Not who ended last, but who stands last in the list.
            let error = self.children.all.last().map(|last| last_words(&**last));
            return self.outer.set_exception(error.unwrap_or(Error::cancelled()));
        }
        match (self.collect)(&self.children.all) {
            Ok(results) => self.outer.set_result(results),
            Err(error) => self.outer.set_exception(error),
        }
    }
}
