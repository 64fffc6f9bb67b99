//! [`OwnSleep`]: the sleep of a task that awaits nothing else, without a future.
//!
//! **Sleep Invariant**: a task's first wait is `OWN_SLEEP` from the making of an [`OwnSleep`], which counts
//! the task, to its drop. The entry of its timer is among the timers, on the ready queue, or has come
//! (`SLEEP_FIRED`), or never will (`SLEEP_LOST`). One that is still on the ready queue when the sleep is
//! dropped is one of the task's `STALE_SLEEPS`, which keep the block, also without its contents: it comes
//! before those of later sleeps, and does nothing, unless the sleep has moved to a future, which it completes.
#![allow(unsafe_code)]

use core::task::{Poll, Waker};
use core::time::Duration;

use super::super::await_future::Await;
use super::super::future_block::signal::Signal;
use super::super::header::{ErasedFuture, Header, flag};
use super::super::node::entry_head;
use super::super::registry::TaskRegistry;
use super::super::wait_reason::WaitReason;
use super::super::waker;
use super::{OWN_SLEEP, TaskHeader};
use crate::error::{Error, Result};
use crate::event_loop::{Entry, HeldEntry, TimerIndex, tagged};

/// A sleep of the task that polls it.
pub(crate) struct OwnSleep {
    task: ErasedFuture,
    timer: TimerIndex,
}

impl OwnSleep {
    /// Begins a sleep of the task that polls with `waker`. `None` if another crate's future stands between,
    /// or the task awaits something else, or an error is thrown at it.
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed) after the loop has closed;
    /// [`Runtime`](crate::ErrorKind::Runtime) where there is no memory for the timer.
    #[inline]
    pub(crate) fn begin(
        registry: &TaskRegistry,
        waker: &Waker,
        delay: Duration,
    ) -> Option<Result<OwnSleep>> {
        let task = registry.current().filter(|task| waker::is_of(waker, *task))?;
        // SAFETY: The loop counts the step's task, which is one.
        let own = unsafe { task.cast::<TaskHeader>().as_ref() };
        if own.awaits() || registry.throws() {
            return None;
        }
        // SAFETY: As above.
        let task = unsafe { ErasedFuture::from_header(task) };
        // SAFETY: It is of a task's second sort of entries, and holds to the Sleep Invariant.
        let entry = unsafe { Entry::from_head(tagged(entry_head(task.pointer()))) };
        // One that is refused is dropped, and is no sleep's.
        own.header.set(flag::SLEEP_LOST);
        let timer = registry.event_loop().add_timer(delay, entry);
        own.header.clear(flag::SLEEP_LOST);
        Some(timer.map(|timer| {
            own.set_first_wait(OWN_SLEEP);
            OwnSleep { task, timer }
        }))
    }

    #[inline(always)]
    fn header(&self) -> &Header {
        self.task.header()
    }

    /// Returns true once it is over or was cancelled.
    #[inline(always)]
    fn is_done(&self) -> bool {
        self.header().has(flag::SLEEP_FIRED | flag::SLEEP_CANCELLED)
    }

    /// Returns `None` if another task polls with `waker`, or another crate's future stands between: then
    /// it takes [`into_wait`](OwnSleep::into_wait).
    #[inline]
    pub(crate) fn poll(&self, waker: &Waker) -> Option<Poll<Result<()>>> {
        let (registry, task) = (self.task.registry(), self.task.pointer());
        if registry.current() != Some(task) || !waker::is_of(waker, task) {
            return None;
        }
        if registry.throws() {
            // No error is thrown at a task's own sleep by name.
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
    fn outcome(&self) -> Result<()> {
        if self.header().has(flag::SLEEP_CANCELLED) { Err(self.cancellation()) } else { Ok(()) }
    }

    #[cold]
    fn cancellation(&self) -> Error {
        let error = self.header().with_rare_if_any(|rare| rare.sleep_error.take()).flatten();
        error.unwrap_or(Error::cancelled())
    }

    /// The error that is returned where one is thrown: a cancellation of the sleep has words of its own.
    #[cold]
    fn thrown(&self, error: Error) -> Error {
        let has_own = error.is_cancelled() && self.header().has(flag::SLEEP_CANCELLED);
        if has_own { self.cancellation() } else { error }
    }

    /// The same sleep as a wait for a future, which anything may poll, and its timer.
    ///
    /// # Errors
    ///
    /// [`Runtime`](crate::ErrorKind::Runtime) where there is no memory for the future.
    #[cold]
    pub(crate) fn into_wait(self) -> Result<(Await<()>, TimerIndex)> {
        let registry = self.task.registry();
        let signal = Signal::new(registry, WaitReason::Sleep).ok_or_else(Error::no_memory)?;
        if self.header().has(flag::SLEEP_CANCELLED) {
            signal.cancel_with(&self.cancellation());
        } else if self.header().has(flag::SLEEP_FIRED) {
            signal.complete();
        } else {
            registry.set_holds(false);
            if !self.header().has(flag::SLEEP_LOST) {
                self.move_entry(&signal);
            }
        }
        let timer = self.timer;
        drop(self);
        Ok((signal.into_wait(), timer))
    }

    /// Has its timer complete `signal`.
    fn move_entry(&self, signal: &Signal) {
        let on = self.task.event_loop();
        match on.replace_timer(self.timer, self.task.sleep_address(), signal.entry()) {
            Ok(own) => {
                use_up(own);
                self.header().set(flag::SLEEP_LOST);
            }
            Err(refused) => {
                drop(refused);
                // Its entry is on the ready queue.
                let moved = (self.task.pointer(), signal.erased().clone());
                self.task.registry().moved_sleeps.borrow_mut().push(moved);
            }
        }
    }

    /// It is given up before its timer's entry has come.
    #[cold]
    #[inline(never)]
    fn forget_timer(&self) {
        let header = self.header();
        if !self.is_done() {
            // Perhaps it was polled again in this step.
            self.task.registry().set_holds(false);
        }
        match self.task.event_loop().forget_timer(self.timer, self.task.sleep_address()) {
            Some(entry) => use_up(entry),
            None if header.has_all(flag::STALE_SLEEPS) => {}
            None => header.flags.set(header.flags.get() + flag::ONE_STALE_SLEEP),
        }
    }
}

impl Drop for OwnSleep {
    #[inline(always)]
    fn drop(&mut self) {
        if !self.header().has(flag::SLEEP_FIRED | flag::SLEEP_LOST) {
            self.forget_timer();
        }
        if self.header().has(flag::SLEEP_CANCELLED) {
            drop(self.cancellation());
        }
        self.header().clear(flag::SLEEP_FIRED | flag::SLEEP_LOST | flag::SLEEP_CANCELLED);
        // SAFETY: The handle keeps the task, which is one.
        unsafe { self.task.pointer().cast::<TaskHeader>().as_ref() }.remove_wait(None);
    }
}

/// Uses up the entry of a sleep that was among the timers.
fn use_up(entry: Entry) {
    HeldEntry::new(entry).into_head();
}

impl ErasedFuture {
    /// The address by which a timer knows the sleep of a task.
    pub(crate) fn sleep_address(&self) -> *const () {
        tagged(entry_head(self.pointer())).as_ptr().cast_const().cast()
    }

    /// Returns true if it is a task, and awaits nothing but its own sleep.
    #[inline]
    pub(crate) fn sleeps_only(&self) -> bool {
        self.task().is_some_and(|task| task.sleeps() && !task.header.has(flag::MORE_WAITS))
    }

    /// Cancels a task's own sleep, if it has one that is not over. Returns true if it did.
    pub(crate) fn cancel_sleep(&self, error: &Error) -> bool {
        let asleep = |task: &TaskHeader| {
            task.sleeps() && !task.header.has(flag::SLEEP_FIRED | flag::SLEEP_CANCELLED)
        };
        if !self.task().is_some_and(asleep) {
            return false;
        }
        self.header().set(flag::SLEEP_CANCELLED);
        // The commonest says nothing, and needs no room.
        if !error.ptr_eq(&Error::cancelled()) {
            self.header().with_rare(|rare| rare.sleep_error = Some(error.clone()));
        }
        self.schedule_step();
        true
    }
}
