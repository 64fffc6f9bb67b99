//! [`OwnWait`]: the wait of a task that awaits nothing else, without a future.
//!
//! **Own Wait Invariant**: from the making of an [`OwnWait`] to its drop its task's first wait is a number in
//! the place of the pointer to a future, and the wait counts the task. An entry that completes it is among
//! the timers, on the ready queue, or has come (`OWN_DONE`), or there is none (`NO_ENTRY`). One that is still
//! on the ready queue when the wait was completed otherwise, or is dropped, is the task's `STALE_ENTRY`,
//! which keeps the block, also without its contents. It does nothing, unless the wait has moved to a future,
//! which it completes; and while it is there, no other own wait begins.
#![allow(unsafe_code)]

use core::ptr::NonNull;
use core::task::{Poll, Waker};

use super::super::future_block::signal::Signal;
use super::super::header::{ErasedFuture, Header, flag};
use super::super::node::entry_head;
use super::super::registry::TaskRegistry;
use super::super::wait_reason::WaitReason;
use super::super::waker;
use super::{TaskHeader, number_of, schedule_step};
use crate::error::{Error, Result};
use crate::event_loop::{Entry, tagged};

/// An entry that completes the own wait of `task`.
#[inline(always)]
fn entry_of(task: &ErasedFuture) -> Entry {
    // SAFETY: It is of a task's second sort of entries, and holds to the Own Wait Invariant.
    unsafe { Entry::from_head(tagged(entry_head(task.pointer()))) }
}

/// A wait of the task that polls it.
pub(crate) struct OwnWait {
    task: ErasedFuture,
}

impl OwnWait {
    /// Begins a wait, which no entry completes yet, of the task that polls with `waker`. `None` if another
    /// crate's future stands between, or the task awaits something else, or an error is thrown at it.
    #[inline(always)]
    pub(super) fn begin(
        registry: &TaskRegistry,
        waker: &Waker,
        reason: WaitReason,
    ) -> Option<OwnWait> {
        let task = registry.current().filter(|task| waker::is_of(waker, *task))?;
        // SAFETY: The loop counts the step's task, which is one.
        let own = unsafe { task.cast::<TaskHeader>().as_ref() };
        let flags = own.header.flags.get();
        let is_alone = flags & (flag::MORE_WAITS | flag::STALE_ENTRY) == 0;
        if !is_alone || own.first_wait.get().is_some() || registry.throws() {
            return None;
        }
        own.header.flags.set(flags | flag::NO_ENTRY);
        own.first_wait.set(number_of(registry.count_own_wait(), reason));
        // SAFETY: As above.
        Some(OwnWait { task: unsafe { ErasedFuture::from_header(task) } })
    }

    #[inline(always)]
    pub(super) fn task(&self) -> &ErasedFuture {
        &self.task
    }

    /// The number by which its task knows it.
    #[inline(always)]
    pub(super) fn number(&self) -> Option<NonNull<Header>> {
        // SAFETY: The handle keeps the task, which is one.
        unsafe { self.task.pointer().cast::<TaskHeader>().as_ref() }.first_wait.get()
    }

    fn reason(&self) -> WaitReason {
        self.task.task().and_then(TaskHeader::own_wait).unwrap_or_default()
    }

    #[inline(always)]
    pub(super) fn header(&self) -> &Header {
        self.task.header()
    }

    /// An entry that completes it. Once it has a place, [`note_entry`](OwnWait::note_entry) says so; before,
    /// it may be dropped.
    #[inline(always)]
    pub(super) fn entry(&self) -> Entry {
        entry_of(&self.task)
    }

    #[inline(always)]
    pub(super) fn note_entry(&self) {
        self.header().clear(flag::NO_ENTRY);
    }

    /// Returns true once it was completed or cancelled.
    #[inline(always)]
    pub(super) fn is_done(&self) -> bool {
        self.header().has(flag::OWN_DONE | flag::OWN_CANCELLED)
    }

    /// Returns true if it was completed, and not cancelled before.
    #[inline]
    pub(super) fn is_complete(&self) -> bool {
        self.header().flags.get() & (flag::OWN_DONE | flag::OWN_CANCELLED) == flag::OWN_DONE
    }

    /// Returns `None` if another task polls with `waker`, or another crate's future stands between: then
    /// it takes [`to_signal`](OwnWait::to_signal).
    #[inline]
    pub(crate) fn poll(&self, waker: &Waker) -> Option<Poll<Result<()>>> {
        let (registry, task) = (self.task.registry(), self.task.pointer());
        if self.is_complete() && registry.in_step() && !registry.throws() {
            return Some(Poll::Ready(Ok(())));
        }
        if registry.current() != Some(task) || !waker::is_of(waker, task) {
            return None;
        }
        if registry.throws() {
            // No error is thrown at a task's own wait by name.
            if let Some(error) = registry.take_thrown_at(task) {
                return Some(Poll::Ready(Err(self.thrown(error))));
            }
        }
        if self.is_done() {
            return Some(Poll::Ready(self.outcome()));
        }
        registry.set_holds(true);
        Some(Poll::Pending)
    }

    #[inline]
    pub(super) fn outcome(&self) -> Result<()> {
        if self.header().has(flag::OWN_CANCELLED) { Err(self.cancellation()) } else { Ok(()) }
    }

    #[cold]
    fn cancellation(&self) -> Error {
        let error = self.header().with_rare_if_any(|rare| rare.own_error.take()).flatten();
        error.unwrap_or(Error::cancelled())
    }

    /// The error that is returned where one is thrown: a cancellation of the wait has words of its own.
    #[cold]
    fn thrown(&self, error: Error) -> Error {
        let has_own = error.is_cancelled() && self.header().has(flag::OWN_CANCELLED);
        if has_own { self.cancellation() } else { error }
    }

    /// Makes the signal that takes its place, which anything may wait for. Unless it is done, `take_entry`
    /// is asked to have its entry complete the signal, and returns false where that is on the ready queue.
    ///
    /// # Errors
    ///
    /// [`Runtime`](crate::ErrorKind::Runtime) where there is no memory for the signal.
    #[cold]
    pub(super) fn to_signal(&self, take_entry: impl FnOnce(&Signal) -> bool) -> Result<Signal> {
        let registry = self.task.registry();
        let signal = Signal::new(registry, self.reason()).ok_or_else(Error::no_memory)?;
        if self.header().has(flag::OWN_CANCELLED) {
            signal.cancel_with(self.cancellation());
        } else if self.header().has(flag::OWN_DONE) {
            signal.complete();
        } else {
            registry.set_holds(false);
            if !self.header().has(flag::NO_ENTRY) && !take_entry(&signal) {
                let moved = (self.task.pointer(), signal.erased().clone());
                registry.moved_waits.borrow_mut().push(moved);
            }
        }
        Ok(signal)
    }

    /// It is dropped before it was completed, or was cancelled.
    #[cold]
    #[inline(never)]
    fn leave(&self) {
        let header = self.header();
        if !self.is_done() {
            // Perhaps it was polled again in this step.
            self.task.registry().set_holds(false);
        }
        if !header.has(flag::OWN_DONE | flag::NO_ENTRY) {
            let sleeps = self.reason() == WaitReason::Sleep;
            header.set(flag::STALE_ENTRY | if sleeps { flag::STALE_SLEEP } else { 0 });
        }
        if header.has(flag::OWN_CANCELLED) {
            drop(self.cancellation());
        }
    }
}

impl Drop for OwnWait {
    #[inline(always)]
    fn drop(&mut self) {
        if !self.is_complete() {
            self.leave();
        }
        self.header().clear(flag::OWN_DONE | flag::OWN_CANCELLED | flag::NO_ENTRY);
        // SAFETY: The handle keeps the task, which is one.
        unsafe { self.task.pointer().cast::<TaskHeader>().as_ref() }.first_wait.set(None);
    }
}

impl ErasedFuture {
    /// The address of the entry that completes a task's own wait, by which also a timer knows it.
    pub(crate) fn own_wait_address(&self) -> *const () {
        tagged(entry_head(self.pointer())).as_ptr().cast_const().cast()
    }

    /// Returns true if it is a task, and awaits nothing but its own wait.
    #[inline]
    pub(crate) fn awaits_own_only(&self) -> bool {
        let is_own = |task: &TaskHeader| task.own_wait().is_some();
        self.task().is_some_and(|task| is_own(task) && !task.header.has(flag::MORE_WAITS))
    }

    /// The header of a task, if its own wait is still the one of this number.
    #[inline(always)]
    fn waiting(&self, number: NonNull<Header>) -> Option<&Header> {
        let task = self.task()?;
        (task.first_wait.get() == Some(number)).then_some(&task.header)
    }

    /// Returns true if the own wait of this number was completed or cancelled, or is over.
    #[inline]
    pub(super) fn own_wait_is_done(&self, number: NonNull<Header>) -> bool {
        self.waiting(number).is_none_or(|own| own.has(flag::OWN_DONE | flag::OWN_CANCELLED))
    }

    /// Returns true if the own wait of this number was cancelled, and is not over.
    #[inline]
    pub(super) fn own_wait_is_cancelled(&self, number: NonNull<Header>) -> bool {
        self.waiting(number).is_some_and(|own| own.has(flag::OWN_CANCELLED))
    }

    /// Completes the own wait of this number, unless it is done. Returns true if it did.
    #[inline(always)]
    pub(super) fn complete_own_wait(&self, number: NonNull<Header>) -> bool {
        let Some(own) = self.waiting(number) else { return false };
        let flags = own.flags.get();
        if flags & (flag::OWN_DONE | flag::OWN_CANCELLED) != 0 {
            return false;
        }
        let stale = if flags & flag::NO_ENTRY == 0 { flag::STALE_ENTRY } else { 0 };
        own.flags.set(flags | flag::OWN_DONE | stale);
        // SAFETY: This handle keeps the task.
        unsafe { schedule_step(self.pointer()) }
        true
    }

    /// Completes the own wait of this number when its turn comes in the ready queue, unless an entry is there
    /// that completes it. One that is done has an entry too, which does nothing.
    #[inline]
    pub(super) fn complete_own_wait_soon(&self, number: NonNull<Header>) {
        let Some(own) = self.waiting(number) else { return };
        if own.take(flag::NO_ENTRY) {
            if own.has(flag::OWN_DONE) {
                own.set(flag::STALE_ENTRY);
            }
            self.event_loop().schedule(entry_of(self));
        }
    }

    /// Cancels a task's own wait, if it has one that is not done. Returns true if it did.
    pub(crate) fn cancel_own_wait(&self, error: &Error) -> bool {
        let done = self.header().has(flag::OWN_DONE | flag::OWN_CANCELLED);
        if done || self.task().is_none_or(|task| task.own_wait().is_none()) {
            return false;
        }
        self.header().set(flag::OWN_CANCELLED);
        // The commonest says nothing, and needs no room.
        if !error.ptr_eq(&Error::cancelled()) {
            self.header().with_rare(|rare| rare.own_error = Some(error.clone()));
        }
        self.schedule_step();
        true
    }
}
