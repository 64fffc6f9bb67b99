//! [`WaitQueue`]: the waiters of a lock, an event or a queue in the order of arrival, each with a
//! wait of its own; and [`LoopBinding`], the loop on which they wait.
//!
//! **Queue Invariant**: a waiter is in the queue from its first poll until it has seen that it was
//! woken, or has left. A wait in the queue that is done belongs to a waiter that was woken or
//! cancelled and has not run since. A waiter that leaves after it was woken must pass the wakeup
//! on: `on_exit`.
//!
//! **Sole Invariant**: a waiter that came while there was no other is the sole one, and the handle of its
//! wait is in `own`. When another comes, that is moved to the front of `others`, where it stays
//! until its waiter leaves. `others` is empty unless `line` says otherwise.

use alloc::format;
use alloc::string::String;
use core::cell::{Cell, OnceCell};
use core::fmt::Write;
use core::future::Future;
use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use crate::asyncio::core::{RegistryHandle, TaskRegistry, TaskWait, WaitHandle, WaitReason};
use crate::collections::{CellExt, Key, KeyedQueue, RefCell};
use crate::error::{Error, Result};
use crate::event_loop::running_loop;

/// Where the waiters of a queue are.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Line {
    #[default]
    Empty,
    /// There is one, and its handle is in `own`.
    Sole,
    /// All are in `others`.
    Others,
}

/// The key of a waiter that came when there was no other.
const SOLE: Key = Key::MAX;

/// Waiters, first come, first served.
#[derive(Default)]
pub(crate) struct WaitQueue {
    line: Cell<Line>,
    /// The handle of the sole waiter; while there is none, one that was used, if it is of use again.
    own: Cell<Option<WaitHandle>>,
    others: RefCell<KeyedQueue<WaitHandle>>,
    /// All of `others` before this key are done. What is done stays so, and isn't looked at again.
    done_before: Cell<Key>,
    /// All of `others` before this key are cancelled.
    cancelled_before: Cell<Key>,
}

impl WaitQueue {
    /// Joins the queue with the first poll, to wait until woken, for `reason`.
    ///
    /// A waiter that leaves before that, cancelled or dropped, is out of the queue when `on_exit` is
    /// called, with whether it was woken already.
    #[inline]
    pub(crate) fn wait<'a, F: FnOnce(bool) + Unpin>(
        &'a self,
        registry: &'a TaskRegistry,
        reason: WaitReason,
        on_exit: F,
    ) -> Wait<'a, F> {
        Wait { queue: self, registry, reason, key: SOLE, waits: None, on_exit: Some(on_exit) }
    }

    /// Joins the queue by a wait in `place`, as what polls with `waker`. Returns its key.
    #[inline]
    fn join(
        &self,
        place: &mut Option<TaskWait>,
        registry: &TaskRegistry,
        waker: &Waker,
        reason: WaitReason,
    ) -> Result<Key> {
        if self.line.get() != Line::Empty {
            return self.join_others(place, registry, waker, reason);
        }
        TaskWait::begin(place, &self.own, registry, waker, reason)?;
        self.line.set(Line::Sole);
        Ok(SOLE)
    }

    #[cold]
    #[inline(never)]
    fn join_others(
        &self,
        place: &mut Option<TaskWait>,
        registry: &TaskRegistry,
        waker: &Waker,
        reason: WaitReason,
    ) -> Result<Key> {
        let own = Cell::new(self.own.take());
        if self.line.replace(Line::Others) == Line::Sole {
            if let Some(sole) = own.take() {
                self.others.borrow_mut().push(sole);
            }
        }
        TaskWait::begin(place, &own, registry, waker, reason)?;
        Ok(own.into_inner().map_or(SOLE, |handle| self.others.borrow_mut().push(handle)))
    }

    /// The waiter of `key` has `handle` from now on.
    #[cold]
    fn replace(&self, key: Key, handle: WaitHandle) {
        let before = if self.line.get() == Line::Sole {
            self.own.replace(Some(handle))
        } else {
            let mut others = self.others.borrow_mut();
            let key = if key == SOLE { others.first_key() } else { Some(key) };
            let place = key.and_then(|key| others.get_mut(key));
            place.map(|place| mem::replace(place, handle))
        };
        drop(before);
    }

    /// Wakes the first waiter that was neither woken nor cancelled. Returns true if there was one.
    #[inline(always)]
    pub(crate) fn wake_next(&self) -> bool {
        match self.line.get() {
            Line::Empty => false,
            Line::Sole => self.wake_sole(),
            Line::Others => self.wake_next_of_others(),
        }
    }

    #[inline]
    fn wake_sole(&self) -> bool {
        self.own.with(|own| own.as_ref().is_some_and(WaitHandle::complete))
    }

    #[inline(never)]
    fn wake_next_of_others(&self) -> bool {
        let next = self.first_after(&self.done_before, |waiter| !waiter.is_done());
        next.is_some_and(|next| next.complete())
    }

    /// Wakes the first waiter, if it was not woken: not the second in its place.
    pub(crate) fn wake_head(&self) {
        match self.line.get() {
            Line::Empty => {}
            Line::Sole => _ = self.wake_sole(),
            Line::Others => {
                let head = self.others.borrow().iter().next().cloned();
                _ = head.is_some_and(|head| head.complete());
            }
        }
    }

    /// Wakes all waiters, first come, first.
    pub(crate) fn wake_all(&self) {
        while self.wake_next() {}
    }

    /// Returns true if any waiter was not cancelled. A waiter that was woken counts: it has yet to
    /// run.
    #[inline]
    pub(crate) fn any_alive(&self) -> bool {
        match self.line.get() {
            Line::Empty => false,
            Line::Sole => {
                self.own.with(|own| own.as_ref().is_some_and(|waiter| !waiter.is_cancelled()))
            }
            Line::Others => self.any_of_others_alive(),
        }
    }

    fn any_of_others_alive(&self) -> bool {
        self.first_after(&self.cancelled_before, |waiter| !waiter.is_cancelled()).is_some()
    }

    /// Returns the number of waiters.
    pub(crate) fn len(&self) -> usize {
        match self.line.get() {
            Line::Empty => 0,
            Line::Sole => 1,
            Line::Others => self.others.borrow().len(),
        }
    }

    /// Returns the number of waiters that were not woken.
    pub(crate) fn unwoken(&self) -> usize {
        let is_unwoken = |waiter: &&WaitHandle| !waiter.is_done() || waiter.is_cancelled();
        match self.line.get() {
            Line::Empty => 0,
            Line::Sole => self.own.with(|own| own.iter().filter(is_unwoken).count()),
            Line::Others => self.others.borrow().iter().filter(is_unwoken).count(),
        }
    }

    /// The first of the others that `is_it` says, none of which stands before `from`; which moves on.
    fn first_after(
        &self,
        from: &Cell<Key>,
        is_it: impl Fn(&WaitHandle) -> bool,
    ) -> Option<WaitHandle> {
        let others = self.others.borrow();
        if from.get() == others.next_key() {
            return None;
        }
        let found = others.iter_from(from.get()).find(|(_, waiter)| is_it(waiter));
        from.set(found.map_or(others.next_key(), |(key, _)| key));
        found.map(|(_, waiter)| waiter.clone())
    }

    /// Removes a waiter by its key, or the one that was the sole one once.
    #[inline]
    fn remove(&self, key: Key) {
        if self.line.get() == Line::Sole {
            self.line.set(Line::Empty);
            // A signal stays where it is, for the next that comes.
            WaitHandle::leave(&self.own);
        } else {
            self.remove_from_others(key);
        }
    }

    #[cold]
    fn remove_from_others(&self, key: Key) {
        let mut others = self.others.borrow_mut();
        let removed = match key {
            SOLE => others.pop_front(),
            key => others.remove(key),
        };
        if others.is_empty() {
            self.line.set(Line::Empty);
        }
        drop(others);
        let before = self.own.replace(removed);
        WaitHandle::leave(&self.own);
        drop(before);
    }
}

/// The wait of one waiter, which is in the queue from its first poll until this is dropped.
pub(crate) struct Wait<'a, F: FnOnce(bool)> {
    queue: &'a WaitQueue,
    registry: &'a TaskRegistry,
    reason: WaitReason,
    key: Key,
    /// None until it has joined the queue.
    waits: Option<TaskWait>,
    /// Called where the waiter leaves without having been served.
    on_exit: Option<F>,
}

impl<F: FnOnce(bool) + Unpin> Future for Wait<'_, F> {
    type Output = Result<()>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let Wait { queue, registry, reason, key, waits, .. } = &mut *self;
        let outcome = if let Some(waits) = waits {
            waits.poll(cx.waker(), |_, handle| queue.replace(*key, handle))
        } else {
            *key = queue.join(waits, registry, cx.waker(), *reason)?;
            waits.as_ref().map_or(Poll::Pending, |waits| waits.poll_first(cx.waker()))
        };
        if let Poll::Ready(Ok(())) = outcome {
            self.on_exit = None;
        }
        outcome
    }
}

impl<F: FnOnce(bool)> Drop for Wait<'_, F> {
    #[inline]
    fn drop(&mut self) {
        let Some(waits) = &self.waits else { return };
        self.queue.remove(self.key);
        if let Some(on_exit) = self.on_exit.take() {
            exit(on_exit, waits);
        }
    }
}

#[cold]
#[inline(never)]
fn exit(on_exit: impl FnOnce(bool), waits: &TaskWait) {
    on_exit(waits.is_complete());
}

/// The loop of the first wait. Until then any will do.
#[derive(Default)]
pub(crate) struct LoopBinding(OnceCell<RegistryHandle>);

impl LoopBinding {
    /// The loop that runs on this thread, which must always be the same.
    #[inline]
    pub(crate) fn running(&self, what: &str) -> Result<&RegistryHandle> {
        match self.0.get() {
            // One loop runs at a time: if a step of `home` runs, it is that one.
            Some(home) if home.in_step() => Ok(home),
            _ => self.bind(what),
        }
    }

    fn bind(&self, what: &str) -> Result<&RegistryHandle> {
        let running = running_loop()?;
        let home = self.0.get_or_init(|| TaskRegistry::of(&running));
        if home.event_loop().ptr_eq(&running) {
            return Ok(home);
        }
        Err(Error::runtime(format!("{what} is bound to a different event loop")))
    }
}

/// Describes a primitive as `<Lock [locked, waiters:2]>`.
pub(crate) fn show(what: &str, state: &str, waiters: usize) -> String {
    let mut text = format!("<{what} [{state}");
    if waiters > 0 {
        // Writing into a text can't fail.
        let _ = write!(text, ", waiters:{waiters}");
    }
    text + "]>"
}
