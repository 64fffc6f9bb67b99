//! [`WaitQueue`]: the waiters of a lock, an event or a queue, first come, first served, each with a
//! signal of its own; and [`LoopBinding`], the loop on which they wait.
//!
//! **Queue Invariant**: a waiter is in the queue from its first poll until it has seen that it was
//! woken, or has left. A signal in the queue that is done is one whose waiter was woken or cancelled
//! and has not run since. A waiter that leaves after it was woken must pass the wakeup on: `on_exit`.
//!
//! **Sole Invariant**: a waiter that came while there was no other is `sole`. When another comes it is
//! moved to the front of `others`, where it stays until it leaves; while there is a sole waiter,
//! `others` is empty.

use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use core::cell::{Cell, OnceCell, RefCell};
use core::fmt::Write;

use crate::asyncio::core::{Signal, TaskRegistry, WaitReason};
use crate::collections::{CellExt, Key, KeyedQueue};
use crate::error::{Error, Result};
use crate::event_loop::running_loop;

/// Waiters, first come, first served.
#[derive(Default)]
pub(crate) struct WaitQueue {
    sole: Cell<Option<Signal>>,
    others: RefCell<KeyedQueue<Signal>>,
    /// All of `others` before this key are done. What is done stays so, and isn't looked at again.
    done_before: Cell<Key>,
    /// All of `others` before this key are cancelled.
    cancelled_before: Cell<Key>,
    /// The signal of the waiter that left last, for the next that comes.
    used: Cell<Option<Signal>>,
}

impl WaitQueue {
    /// Waits in the queue until woken, for `reason`.
    ///
    /// A waiter that leaves before that, cancelled or dropped, is out of the queue when `on_exit` is
    /// called, with whether it was woken already.
    pub(crate) async fn wait(
        &self,
        registry: &Rc<TaskRegistry>,
        reason: WaitReason,
        on_exit: impl FnOnce(bool),
    ) -> Result<()> {
        let mut waiter = Waiter::join(self, registry, reason, on_exit);
        waiter.signal.wait().await?;
        waiter.on_exit = None;
        Ok(())
    }

    /// Wakes the first waiter that was neither woken nor cancelled. Says whether there was one.
    #[inline]
    pub(crate) fn wake_next(&self) -> bool {
        match self.sole() {
            Some(signal) => signal.complete(),
            None => !self.others.borrow().is_empty() && self.wake_next_of_others(),
        }
    }

    fn wake_next_of_others(&self) -> bool {
        let next = self.first_after(&self.done_before, |signal| !signal.is_done());
        next.is_some_and(|next| next.complete())
    }

    /// Wakes the first waiter, if it was not woken: not the second in its place.
    pub(crate) fn wake_head(&self) {
        let head = self.sole().or_else(|| self.others.borrow().iter().next().cloned());
        if let Some(head) = head {
            head.complete();
        }
    }

    /// Wakes all waiters, first come, first.
    pub(crate) fn wake_all(&self) {
        while self.wake_next() {}
    }

    /// Whether any waiter was not cancelled. One that was woken counts: it has yet to run.
    #[inline]
    pub(crate) fn any_alive(&self) -> bool {
        match self.sole() {
            Some(signal) => !signal.is_cancelled(),
            None => !self.others.borrow().is_empty() && self.any_of_others_alive(),
        }
    }

    fn any_of_others_alive(&self) -> bool {
        self.first_after(&self.cancelled_before, |signal| !signal.is_cancelled()).is_some()
    }

    /// How many waiters there are.
    pub(crate) fn len(&self) -> usize {
        usize::from(self.sole().is_some()) + self.others.borrow().len()
    }

    #[inline]
    fn sole(&self) -> Option<Signal> {
        self.sole.with(|sole| sole.clone())
    }

    /// The first of the others that `is_it` says, none of which stands before `from`; which moves on.
    fn first_after(&self, from: &Cell<Key>, is_it: impl Fn(&Signal) -> bool) -> Option<Signal> {
        let others = self.others.borrow();
        if from.get() == others.next_key() {
            return None;
        }
        let found = others.iter_from(from.get()).find(|(_, signal)| is_it(signal));
        from.set(found.map_or(others.next_key(), |(key, _)| key));
        found.map(|(_, signal)| signal.clone())
    }

    /// Adds a waiter. Returns its key, unless it is the sole one.
    fn add(&self, signal: &Signal) -> Option<Key> {
        let mut others = self.others.borrow_mut();
        let sole = self.sole.take();
        if sole.is_none() && others.is_empty() {
            self.sole.set(Some(signal.clone()));
            return None;
        }
        if let Some(sole) = sole {
            others.push(sole);
        }
        Some(others.push(signal.clone()))
    }

    /// Removes a waiter by its key, or the one that was the sole one once.
    fn remove(&self, key: Option<Key>) {
        let removed = match (self.sole.take(), key) {
            (None, None) => self.others.borrow_mut().pop_front(),
            (sole, None) => sole,
            (sole, Some(key)) => {
                self.sole.set(sole);
                self.others.borrow_mut().remove(key)
            }
        };
        drop(removed);
    }
}

/// One waiter, for as long as it is in the queue.
struct Waiter<'a, F: FnOnce(bool)> {
    queue: &'a WaitQueue,
    key: Option<Key>,
    signal: Signal,
    /// Called where the waiter leaves without having been served.
    on_exit: Option<F>,
}

impl<'a, F: FnOnce(bool)> Waiter<'a, F> {
    fn join(
        queue: &'a WaitQueue,
        registry: &Rc<TaskRegistry>,
        reason: WaitReason,
        on_exit: F,
    ) -> Waiter<'a, F> {
        let signal = Signal::reuse(queue.used.take(), registry, reason);
        let key = queue.add(&signal);
        Waiter { queue, key, signal, on_exit: Some(on_exit) }
    }
}

impl<F: FnOnce(bool)> Drop for Waiter<'_, F> {
    fn drop(&mut self) {
        self.queue.remove(self.key);
        if let Some(on_exit) = self.on_exit.take() {
            on_exit(self.signal.is_complete());
        }
        self.queue.used.set(Some(self.signal.clone()));
    }
}

/// The loop of the first wait. Until then any will do.
#[derive(Default)]
pub(crate) struct LoopBinding(OnceCell<Rc<TaskRegistry>>);

impl LoopBinding {
    /// The loop that runs on this thread, which must always be the same.
    #[inline]
    pub(crate) fn running(&self, what: &str) -> Result<&Rc<TaskRegistry>> {
        match self.0.get() {
            // One loop runs at a time, and it is this one whose step it is.
            Some(home) if home.in_step() => Ok(home),
            _ => self.bind(what),
        }
    }

    fn bind(&self, what: &str) -> Result<&Rc<TaskRegistry>> {
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
