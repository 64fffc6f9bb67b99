//! [`Waiters`]: those who wait in line at a lock, an event or a queue, each taking a nap of
//! their own; and [`Bound`], the loop on which they do.
//!
//! **Line Invariant**: a waiter stands in the line from its first poll until it has seen that
//! it was woken, or has gone. A nap in the line that is over is one whose waiter was woken or
//! cancelled, and hasn't run since. Who was woken and goes all the same must say so, for the
//! wake is owed to somebody else.

use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use core::cell::{Cell, OnceCell, RefCell};
use core::fmt::Write;

use super::await_future::Wait;
use super::line::{Line, Place};
use super::nap::Nap;
use super::purpose::Purpose;
use super::tasks::Tasks;
use crate::error::{Error, Result};
use crate::event_loop::running_loop;

/// Those who wait, first come, first served.
#[derive(Default)]
pub(super) struct Waiters {
    line: RefCell<Line<Rc<Nap>>>,
    /// All before this place are done. What is done stays so, and isn't looked at again.
    done_before: Cell<Place>,
    /// All before this place are cancelled.
    cancelled_before: Cell<Place>,
    /// The nap of the last who left, for the next who comes.
    spent: Cell<Option<Rc<Nap>>>,
}

impl Waiters {
    /// Waits in line until woken, to do what `purpose` says.
    ///
    /// Who goes before that, cancelled or dropped, is out of line when `gone` is called, with
    /// whether it was woken already.
    pub(super) async fn wait(
        &self,
        home: &Rc<Tasks>,
        purpose: Purpose,
        gone: impl FnOnce(bool),
    ) -> Result<()> {
        let mut waiter = Waiter::join(self, home, purpose, gone);
        Wait::new(waiter.nap.clone()).await?;
        waiter.gone = None;
        Ok(())
    }

    /// Wakes the first who was neither woken nor cancelled. Says whether there was one.
    #[inline]
    pub(super) fn wake_next(&self) -> bool {
        !self.line.borrow().is_empty() && self.wake_one()
    }

    fn wake_one(&self) -> bool {
        let next = self.first_after(&self.done_before, |nap| !nap.is_over());
        next.is_some_and(|next| next.end())
    }

    /// Wakes who is first in line, if that one sleeps still: not the second in its place.
    pub(super) fn wake_head(&self) {
        if self.line.borrow().is_empty() {
            return;
        }
        let head = self.line.borrow().iter().next().cloned();
        if let Some(head) = head {
            head.end();
        }
    }

    /// Wakes everybody, first come, first.
    pub(super) fn wake_all(&self) {
        while self.wake_next() {}
    }

    /// Whether anybody in line was not cancelled. Who was woken counts: it has yet to run.
    pub(super) fn any_alive(&self) -> bool {
        self.first_after(&self.cancelled_before, |nap| !nap.was_cancelled()).is_some()
    }

    /// How many are in line.
    pub(super) fn len(&self) -> usize {
        self.line.borrow().len()
    }

    /// The first in line that `is_it` says, none of which stands before `from`; which moves on.
    fn first_after(&self, from: &Cell<Place>, is_it: impl Fn(&Nap) -> bool) -> Option<Rc<Nap>> {
        let line = self.line.borrow();
        if from.get() == line.next_place() {
            return None;
        }
        let found = line.iter_from(from.get()).find(|(_, nap)| is_it(nap));
        from.set(found.map_or(line.next_place(), |(place, _)| place));
        found.map(|(_, nap)| nap.clone())
    }
}

/// One who waits, for as long as it stands in line.
struct Waiter<'a, F: FnOnce(bool)> {
    line: &'a Waiters,
    place: Place,
    nap: Rc<Nap>,
    /// Who to tell; none once it was served.
    gone: Option<F>,
}

impl<'a, F: FnOnce(bool)> Waiter<'a, F> {
    fn join(line: &'a Waiters, home: &Rc<Tasks>, purpose: Purpose, gone: F) -> Waiter<'a, F> {
        let nap = Nap::again(line.spent.take(), home, purpose);
        let place = line.line.borrow_mut().push(nap.clone());
        Waiter { line, place, nap, gone: Some(gone) }
    }
}

impl<F: FnOnce(bool)> Drop for Waiter<'_, F> {
    fn drop(&mut self) {
        let removed = self.line.line.borrow_mut().remove(self.place);
        drop(removed);
        if let Some(gone) = self.gone.take() {
            gone(self.nap.is_over() && !self.nap.was_cancelled());
        }
        self.line.spent.set(Some(self.nap.clone()));
    }
}

/// The loop that somebody first waited on. Until then any will do.
#[derive(Default)]
pub(super) struct Bound(OnceCell<Rc<Tasks>>);

impl Bound {
    /// The loop that runs on this thread, which must always be the same.
    #[inline]
    pub(super) fn running(&self, what: &str) -> Result<&Rc<Tasks>> {
        match self.0.get() {
            // One loop runs at a time, and it is this one whose step it is.
            Some(home) if home.in_step() => Ok(home),
            _ => self.bind(what),
        }
    }

    fn bind(&self, what: &str) -> Result<&Rc<Tasks>> {
        let running = running_loop()?;
        let home = self.0.get_or_init(|| Tasks::of(&running));
        if home.on().ptr_eq(&running) {
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
