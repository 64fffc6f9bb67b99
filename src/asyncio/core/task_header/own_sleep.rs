//! [`OwnSleep`]: the sleep of a task that awaits nothing else, without a future.
//!
//! **Sleep Invariant**: a task's first wait is `OWN_SLEEP` from the making of an [`OwnSleep`] to its drop.
//! The entry of its timer, which counts the task, is among the timers, on the ready queue, or has come
//! (`SLEEP_FIRED`). One that is still on the ready queue when the sleep is dropped is one of the task's
//! `stale_sleeps`: it comes before those of later sleeps, and does nothing.
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
use crate::event_loop::{Entry, TimerIndex, tagged};

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
        let (own, task) =
            unsafe { (task.cast::<TaskHeader>().as_ref(), ErasedFuture::from_header(task)) };
        if own.awaits() || registry.throws() {
            return None;
        }
        // SAFETY: The entry has the count of a handle, as a task's second sort of entry has by the Sleep
        // Invariant.
        let entry = unsafe { Entry::from_head(tagged(entry_head(task.clone().into_count()))) };
        let begun = registry.event_loop().add_timer(delay, entry).map(|timer| {
            own.set_first_wait(OWN_SLEEP);
            OwnSleep { task, timer }
        });
        Some(begun)
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
            // No cancellation is thrown at a task's own sleep by name.
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
            let entry = signal.entry();
            match registry.event_loop().replace_timer(self.timer, self.task.sleep_address(), entry)
            {
                Ok(own) => {
                    self.header().set(flag::SLEEP_FIRED);
                    drop(own);
                }
                // Its entry is on the ready queue.
                Err(entry) => registry.event_loop().schedule(entry),
            }
        }
        let timer = self.timer;
        drop(self);
        Ok((signal.into_wait(), timer))
    }

    /// It is given up before its timer's entry has come.
    #[cold]
    #[inline(never)]
    fn forget_timer(&self) {
        let registry = self.task.registry();
        if !self.is_done() {
            // Perhaps it was polled again in this step.
            registry.set_holds(false);
        }
        let entry = registry.event_loop().forget_timer(self.timer, self.task.sleep_address());
        if entry.is_none() {
            self.header().set(flag::STALE_SLEEPS);
            self.header().with_rare(|rare| rare.stale_sleeps += 1);
        }
    }
}

impl Drop for OwnSleep {
    #[inline(always)]
    fn drop(&mut self) {
        if !self.header().has(flag::SLEEP_FIRED) {
            self.forget_timer();
        }
        if self.header().has(flag::SLEEP_CANCELLED) {
            drop(self.cancellation());
        }
        self.header().clear(flag::SLEEP_FIRED | flag::SLEEP_CANCELLED);
        // SAFETY: The handle keeps the task, which is one.
        unsafe { self.task.pointer().cast::<TaskHeader>().as_ref() }.remove_wait(None);
    }
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

    /// The entry of the timer of a task's own sleep has come.
    #[inline]
    pub(crate) fn end_sleep(&self) {
        if self.header().has(flag::STALE_SLEEPS) {
            return self.end_stale_sleep();
        }
        self.header().set(flag::SLEEP_FIRED);
        if !self.header().has(flag::SLEEP_CANCELLED) {
            self.schedule_step();
        }
    }

    #[cold]
    fn end_stale_sleep(&self) {
        let left = self.header().with_rare(|rare| {
            rare.stale_sleeps = rare.stale_sleeps.saturating_sub(1);
            rare.stale_sleeps
        });
        if left == 0 {
            self.header().clear(flag::STALE_SLEEPS);
        }
    }
}
