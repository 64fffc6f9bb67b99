//! [`Direction`]: the reads, or the writes, of one source: the turns of its tasks, and their waits.

use alloc::boxed::Box;
use core::cell::{Cell, OnceCell};
use core::task::{Poll, Waker};

use crate::asyncio::{LoopBinding, TaskWait, WaitHandle, WaitQueue, WaitReason, with_registry_of};
use crate::collections::CellExt;
use crate::error::Result;
use crate::event_loop::{After, LoopRef, Registration, Side};

/// One of the two directions of a source. Tasks take turns, first come, first served; the task that has
/// the turn tries an operation, or waits until the poller reports the side.
pub(super) struct Direction {
    side: Side,
    /// A task has the turn.
    taken: Cell<bool>,
    /// A wait was begun and has not ended.
    waiting: Cell<bool>,
    /// The last operation has shown that the next one would block.
    exhausted: Cell<bool>,
    /// The side was reported ready, and no operation has succeeded since.
    alarmed: Cell<bool>,
    /// The handle of the wait that was begun last.
    handle: Cell<Option<WaitHandle>>,
    /// The tasks that wait for their turn; made when one has to.
    queue: OnceCell<Box<Queue>>,
}

#[derive(Default)]
struct Queue {
    waiters: WaitQueue,
    binding: LoopBinding,
}

impl Direction {
    pub(super) fn new(side: Side) -> Direction {
        Direction {
            side,
            taken: Cell::default(),
            waiting: Cell::default(),
            exhausted: Cell::default(),
            alarmed: Cell::default(),
            handle: Cell::default(),
            queue: OnceCell::default(),
        }
    }

    /// Takes the turn, if no task has it or waits for it.
    #[inline]
    pub(super) fn try_turn(&self) -> Option<Turn<'_>> {
        let queued = || self.queue.get().is_some_and(|queue| queue.waiters.any_alive());
        if self.taken.get() || queued() { None } else { Some(self.take_turn()) }
    }

    fn take_turn(&self) -> Turn<'_> {
        self.taken.set(true);
        Turn(self)
    }

    /// Waits for the turn.
    pub(super) async fn turn(&self) -> Result<Turn<'_>> {
        if let Some(turn) = self.try_turn() {
            return Ok(turn);
        }
        let queue = self.queue.get_or_init(Box::default);
        let registry = queue.binding.running("Async")?;
        // A turn that is taken ends, and wakes the first in the queue then.
        let on_exit = |_woken| {
            if !self.taken.get() {
                queue.waiters.wake_head();
            }
        };
        queue.waiters.wait(registry, WaitReason::Lock, on_exit).await?;
        Ok(self.take_turn())
    }

    /// Notes that an operation has succeeded, and whether the next one would have to wait.
    pub(super) fn note_success(&self, exhausted: bool) {
        self.exhausted.set(exhausted);
        self.alarmed.set(false);
    }

    /// Returns what the wait after an operation that would block comes after.
    pub(super) fn after_would_block(&self) -> After {
        if self.alarmed.take() { After::FalseAlarm } else { After::WouldBlock }
    }

    /// Returns whether to wait before the operation is tried.
    pub(super) fn take_exhausted(&self) -> bool {
        self.exhausted.take()
    }

    /// Begins a wait in `place`, of what polls with `waker`, which ends when the poller reports
    /// the side. It takes the place of one that was begun before.
    pub(super) fn begin_wait(
        &self,
        place: &mut Option<TaskWait>,
        event_loop: &LoopRef,
        waker: &Waker,
        registration: &Registration,
        after: After,
    ) -> Result<()> {
        with_registry_of(event_loop, |registry| {
            TaskWait::begin(place, &self.handle, registry, waker, WaitReason::Source)
        })?;
        self.waiting.set(true);
        let begun = registration.begin_wait(self.side, after);
        if begun.is_err() {
            *place = None;
            self.leave();
        }
        begun
    }

    /// Polls `wait`.
    #[inline]
    pub(super) fn poll_wait(&self, wait: &mut TaskWait, waker: &Waker) -> Poll<Result<()>> {
        // Another wait may have begun, which has its handle there.
        wait.poll(waker, |before, handle| WaitHandle::move_in(&self.handle, before, handle))
    }

    fn has_handle_of(&self, wait: &TaskWait) -> bool {
        self.handle.with(|own| own.as_ref().is_some_and(|own| own.is_of(wait)))
    }

    /// Ends the wait that was begun.
    pub(super) fn end_wait(&self, registration: &Registration) {
        self.leave();
        registration.end_wait();
    }

    #[inline]
    fn leave(&self) {
        self.waiting.set(false);
        WaitHandle::leave(&self.handle);
    }

    /// Forgets a wait that is dropped without its end.
    pub(super) fn forget(&self, wait: &TaskWait) {
        WaitHandle::leave_wait(&self.handle, wait);
    }

    /// Returns whether a report of the side ends `wait`, or has ended it.
    pub(super) fn serves(&self, wait: &TaskWait) -> bool {
        wait.is_done() || self.waiting.get() && self.has_handle_of(wait)
    }

    /// Returns whether a wait has begun, and not ended.
    pub(super) fn is_wanted(&self) -> bool {
        let is_pending = || self.handle.with(|own| own.as_ref().is_some_and(|own| !own.is_done()));
        self.waiting.get() && is_pending()
    }

    /// The poller has reported the side, and nothing waits for it.
    pub(super) fn unwanted(&self) {
        self.exhausted.set(false);
    }

    /// The poller has reported the side: ends the wait.
    pub(super) fn notify(&self) {
        if self.waiting.get() {
            self.alarmed.set(true);
            // A wait that was cancelled meanwhile has its end already.
            self.handle.with(|own| own.as_ref().is_some_and(WaitHandle::complete));
        }
    }
}

/// The turn of a task in a direction, until it is dropped.
pub(super) struct Turn<'a>(&'a Direction);

impl Drop for Turn<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.taken.set(false);
        if let Some(queue) = self.0.queue.get() {
            queue.waiters.wake_head();
        }
    }
}
