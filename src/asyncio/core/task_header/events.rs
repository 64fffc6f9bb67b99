//! The events of a task.
#![allow(unsafe_code)]

use core::ptr::NonNull;

use super::super::header::{Header, State, flag};
use super::super::node::registry_of;
use super::super::wait_reason::WaitReason;
use super::{Parked, TaskHeader};
use crate::error::Error;
use crate::event_loop::{LoopEvent, LoopRef, Outcome, note_event};

impl TaskHeader {
    /// The header of a task that is kept by something else.
    ///
    /// # Safety
    ///
    /// The Block Invariant holds for `task`, which is a task, for as long as the header is used.
    pub(crate) unsafe fn at<'a>(task: NonNull<Header>) -> &'a TaskHeader {
        // SAFETY: By this function's contract: the header of a task begins a `TaskHeader`.
        unsafe { task.cast().as_ref() }
    }

    /// Returns the event of a step that throws `thrown`, or the error of what the task awaits.
    #[inline(always)]
    pub(crate) fn step_event(&self, thrown: Option<&Error>) -> LoopEvent {
        let outcome = match thrown {
            Some(error) if error.is_cancelled() => Some(Outcome::Cancelled),
            Some(error) => {
                // SAFETY: The Block Invariant holds for a task that begins a step.
                let registry = unsafe { registry_of(NonNull::from(&self.header)) };
                registry.event_loop().log_error(error);
                Some(Outcome::Error)
            }
            None if self.header.has(flag::OWN_CANCELLED) => Some(Outcome::Cancelled),
            None => {
                // SAFETY: By the Await Invariant the await that has added the wait counts it.
                let awaited = self.first_future().map(|wait| unsafe { wait.as_ref() });
                awaited.and_then(Header::ended).filter(|outcome| *outcome != Outcome::Result)
            }
        };
        LoopEvent::Step(self.serial(), outcome)
    }

    /// Returns the event of a park after a step.
    pub(crate) fn park_event(&self) -> LoopEvent {
        if self.parked() == Parked::Yielding { self.yield_event() } else { self.wait_event() }
    }

    #[inline(always)]
    pub(crate) fn yield_event(&self) -> LoopEvent {
        LoopEvent::Yields(self.serial())
    }

    /// Returns the event of a park that is no yield.
    #[inline]
    pub(crate) fn wait_event(&self) -> LoopEvent {
        let Some(wait) = self.first_future() else {
            let reason = self.own_wait().unwrap_or(WaitReason::Foreign);
            return LoopEvent::Waits(self.serial(), reason as u8);
        };
        // SAFETY: As in `step_event`.
        let awaited = unsafe { wait.as_ref() };
        if awaited.is_task() {
            // SAFETY: It is a task.
            return LoopEvent::WaitsForTask(
                self.serial(),
                unsafe { TaskHeader::at(wait) }.serial(),
            );
        }
        match awaited.reason() {
            WaitReason::Future => LoopEvent::WaitsForFuture(self.serial(), wait.as_ptr().addr()),
            reason => LoopEvent::Waits(self.serial(), reason as u8),
        }
    }

    /// Notes that its step was put on the ready queue, unless it has yielded.
    pub(super) fn note_woken(&self) {
        if self.parked() != Parked::Yielding {
            // SAFETY: The Block Invariant holds for a task that is not done.
            let registry = unsafe { registry_of(NonNull::from(&self.header)) };
            note_event!(registry.event_loop(), LoopEvent::Woken(self.serial()));
        }
    }
}

impl Header {
    /// Returns the outcome, if it has ended, for the next event: an error's name is noted before.
    #[inline(always)]
    pub(crate) fn ended(&self) -> Option<Outcome> {
        match self.state() {
            State::Pending => None,
            State::Cancelled => Some(Outcome::Cancelled),
            State::Failed => {
                self.log_failure();
                Some(Outcome::Error)
            }
            State::Finished => Some(Outcome::Result),
        }
    }

    /// Notes the name of its error for the event that says that it has failed.
    #[cold]
    #[inline(never)]
    fn log_failure(&self) {
        // SAFETY: The Block Invariant holds for a future that ends or is awaited.
        let registry = unsafe { registry_of(NonNull::from(self)) };
        registry.event_loop().log_error(&self.peek());
    }

    /// Notes its end on its loop `on`, before anything that waits is scheduled.
    #[inline(always)]
    pub(crate) fn note_end(&self, on: &LoopRef) {
        if on.records_events() {
            self.log_end(on);
        }
    }

    #[inline(never)]
    fn log_end(&self, on: &LoopRef) {
        let outcome = || self.ended().unwrap_or(Outcome::Result);
        if self.is_task() {
            // SAFETY: It is a task.
            let task = unsafe { TaskHeader::at(NonNull::from(self)) };
            on.log_event(LoopEvent::TaskEnded(task.serial(), outcome()));
        } else if self.reason().is_seen() {
            let address = (&raw const *self).addr();
            on.log_event(LoopEvent::FutureEnded(address, self.reason() as u8, outcome()));
        }
    }
}
