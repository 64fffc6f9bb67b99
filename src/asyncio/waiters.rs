//! [`Waiters`]: those who wait in line at a lock, an event or a queue, each taking a signal of
//! their own; and [`Bound`], the loop on which they do.
//!
//! **Line Invariant**: a waiter stands in the line from its first poll until it has seen that
//! it was woken, or has gone. A signal in the line that is over is one whose waiter was woken or
//! cancelled, and hasn't run since. Who was woken and goes all the same must say so, for the
//! wake is owed to somebody else.

use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use core::cell::{Cell, OnceCell, RefCell};
use core::fmt::Write;

use super::core::{Signal, TaskRegistry, WaitReason};
use crate::collections::{Key, KeyedQueue};
use crate::error::{Error, Result};
use crate::event_loop::running_loop;

/// Those who wait, first come, first served.
#[derive(Default)]
pub(super) struct Waiters {
    line: RefCell<KeyedQueue<Signal>>,
    /// All before this place are done. What is done stays so, and isn't looked at again.
    done_before: Cell<Key>,
    /// All before this place are cancelled.
    cancelled_before: Cell<Key>,
    /// The signal of the last who left, for the next who comes.
    spent: Cell<Option<Signal>>,
}

impl Waiters {
    /// Waits in line until woken, to do what `reason` says.
    ///
    /// Who goes before that, cancelled or dropped, is out of line when `gone` is called, with
    /// whether it was woken already.
    pub(super) async fn wait(
        &self,
        home: &Rc<TaskRegistry>,
        reason: WaitReason,
        gone: impl FnOnce(bool),
    ) -> Result<()> {
        let mut waiter = Waiter::join(self, home, reason, gone);
        waiter.signal.wait().await?;
        waiter.gone = None;
        Ok(())
    }

    /// Wakes the first who was neither woken nor cancelled. Says whether there was one.
    #[inline]
    pub(super) fn wake_next(&self) -> bool {
        !self.line.borrow().is_empty() && self.wake_one()
    }

    fn wake_one(&self) -> bool {
        let next = self.first_after(&self.done_before, |signal| !signal.is_done());
        next.is_some_and(|next| next.complete())
    }

    /// Wakes who is first in line, if that one sleeps still: not the second in its place.
    pub(super) fn wake_head(&self) {
        if self.line.borrow().is_empty() {
            return;
        }
        let head = self.line.borrow().iter().next().cloned();
        if let Some(head) = head {
            head.complete();
        }
    }

    /// Wakes everybody, first come, first.
    pub(super) fn wake_all(&self) {
        while self.wake_next() {}
    }

    /// Whether anybody in line was not cancelled. Who was woken counts: it has yet to run.
    pub(super) fn any_alive(&self) -> bool {
        self.first_after(&self.cancelled_before, |signal| !signal.is_cancelled()).is_some()
    }

    /// How many are in line.
    pub(super) fn len(&self) -> usize {
        self.line.borrow().len()
    }

    /// The first in line that `is_it` says, none of which stands before `from`; which moves on.
    fn first_after(&self, from: &Cell<Key>, is_it: impl Fn(&Signal) -> bool) -> Option<Signal> {
        let line = self.line.borrow();
        if from.get() == line.next_key() {
            return None;
        }
        let found = line.iter_from(from.get()).find(|(_, signal)| is_it(signal));
        from.set(found.map_or(line.next_key(), |(place, _)| place));
        found.map(|(_, signal)| signal.clone())
    }
}

/// One who waits, for as long as it stands in line.
struct Waiter<'a, F: FnOnce(bool)> {
    line: &'a Waiters,
    place: Key,
    signal: Signal,
    /// Who to tell; none once it was served.
    gone: Option<F>,
}

impl<'a, F: FnOnce(bool)> Waiter<'a, F> {
    fn join(
        line: &'a Waiters,
        home: &Rc<TaskRegistry>,
        reason: WaitReason,
        gone: F,
    ) -> Waiter<'a, F> {
        let signal = Signal::reuse(line.spent.take(), home, reason);
        let place = line.line.borrow_mut().push(signal.clone());
        Waiter { line, place, signal, gone: Some(gone) }
    }
}

impl<F: FnOnce(bool)> Drop for Waiter<'_, F> {
    fn drop(&mut self) {
        let removed = self.line.line.borrow_mut().remove(self.place);
        drop(removed);
        if let Some(gone) = self.gone.take() {
            gone(self.signal.is_complete());
        }
        self.line.spent.set(Some(self.signal.clone()));
    }
}

/// The loop that somebody first waited on. Until then any will do.
#[derive(Default)]
pub(super) struct Bound(OnceCell<Rc<TaskRegistry>>);

impl Bound {
    /// The loop that runs on this thread, which must always be the same.
    #[inline]
    pub(super) fn running(&self, what: &str) -> Result<&Rc<TaskRegistry>> {
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

/// How these things show themselves: as `<Lock [locked, waiters:2]>`.
pub(super) fn show(what: &str, state: &str, waiters: usize) -> String {
    let mut text = format!("<{what} [{state}");
    if waiters > 0 {
        // Writing into a text can't fail.
        let _ = write!(text, ", waiters:{waiters}");
    }
    text + "]>"
}
