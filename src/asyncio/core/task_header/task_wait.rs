//! [`TaskWait`]: the wait of a task in a lock, a queue or at a source; and its [`WaitHandle`], by which it
//! is completed.
//!
//! **Handle Invariant**: the future of a handle is a task, if the handle has a number, and a signal
//! otherwise.
#![allow(unsafe_code)]

use core::cell::Cell;
use core::mem::ManuallyDrop;
use core::ptr::NonNull;
use core::task::{Poll, Waker};

use super::super::await_future::Await;
use super::super::future_block::signal::Signal;
use super::super::header::{ErasedFuture, Header};
use super::super::registry::TaskRegistry;
use super::super::wait_reason::WaitReason;
use super::own_wait::OwnWait;
use crate::collections::CellExt;
use crate::error::{Error, Result};

/// A wait that something completes by its handle: the task's [own](OwnWait), or one for a [`Signal`], where
/// it isn't the only wait of the task, or another crate's future polls it.
///
/// It is dropped as soon as it has returned, and its handle with it.
pub(crate) enum TaskWait {
    Own(OwnWait),
    Signal(Await<()>),
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Option<TaskWait>>() == 24);

impl TaskWait {
    /// Begins a wait, for `reason`, of what polls with `waker`, in `place`, and puts its handle in `slot`,
    /// where that of an earlier wait may be.
    ///
    /// # Errors
    ///
    /// [`Runtime`](crate::ErrorKind::Runtime) where there is no memory for a signal.
    #[inline(always)]
    pub(crate) fn begin(
        place: &mut Option<TaskWait>,
        slot: &Cell<Option<WaitHandle>>,
        registry: &TaskRegistry,
        waker: &Waker,
        reason: WaitReason,
    ) -> Result<()> {
        match OwnWait::begin(registry, waker, reason) {
            Some(own) => {
                let handle = WaitHandle { future: own.task().clone(), own: own.number() };
                let before = slot.replace(Some(handle));
                *place = Some(TaskWait::Own(own));
                drop(before);
                Ok(())
            }
            None => TaskWait::begin_for_signal(place, slot, registry, reason),
        }
    }

    #[cold]
    #[inline(never)]
    fn begin_for_signal(
        place: &mut Option<TaskWait>,
        slot: &Cell<Option<WaitHandle>>,
        registry: &TaskRegistry,
        reason: WaitReason,
    ) -> Result<()> {
        let used = slot.take().and_then(WaitHandle::into_signal);
        let signal = Signal::reuse(used, registry, reason).ok_or_else(Error::no_memory)?;
        *place = Some(TaskWait::Signal(signal.wait()));
        slot.set(Some(WaitHandle::of(signal)));
        Ok(())
    }

    /// Begins a wait, as [`begin`](TaskWait::begin) does, that ends when its turn comes in the ready queue, and
    /// has no handle.
    ///
    /// # Errors
    ///
    /// As [`begin`](TaskWait::begin).
    #[inline]
    pub(crate) fn begin_in_turn(registry: &TaskRegistry, waker: &Waker) -> Result<TaskWait> {
        let on = registry.event_loop();
        if let Some(own) = OwnWait::begin(registry, waker, WaitReason::Wait) {
            own.note_entry();
            on.schedule(own.entry());
            return Ok(TaskWait::Own(own));
        }
        let signal = Signal::new(registry, WaitReason::Wait).ok_or_else(Error::no_memory)?;
        on.schedule(signal.entry());
        Ok(TaskWait::Signal(signal.into_wait()))
    }

    /// Polls it in the poll in which it was begun.
    #[inline]
    pub(crate) fn poll_first(&self, waker: &Waker) -> Poll<Result<()>> {
        match self {
            // Code of the program may have completed it since.
            TaskWait::Own(own) if own.is_done() => Poll::Ready(own.outcome()),
            TaskWait::Own(_) => Poll::Pending,
            TaskWait::Signal(wait) => poll_signal(wait, waker),
        }
    }

    /// Polls it as an [`Await`] is polled. Where it becomes a wait for a signal, `moves` is given the wait as
    /// it was, and the handle that it has from then on.
    #[inline]
    pub(crate) fn poll(
        &mut self,
        waker: &Waker,
        moves: impl FnOnce(&TaskWait, WaitHandle),
    ) -> Poll<Result<()>> {
        let own = match self {
            TaskWait::Signal(wait) => return poll_signal(wait, waker),
            TaskWait::Own(own) => own,
        };
        if let Some(polled) = own.poll(waker) {
            return polled;
        }
        // Its entry, if it has one, is on the ready queue.
        let signal = own.to_signal(|_| false)?;
        let wait = signal.wait();
        moves(self, WaitHandle::of(signal));
        let polled = poll_signal(&wait, waker);
        *self = TaskWait::Signal(wait);
        polled
    }

    /// Returns true if it was completed, and not cancelled before.
    pub(crate) fn is_complete(&self) -> bool {
        match self {
            TaskWait::Own(own) => own.is_complete(),
            TaskWait::Signal(wait) => wait.is_complete(),
        }
    }

    /// Returns true if it was completed or cancelled.
    #[cfg(feature = "std")]
    pub(crate) fn is_done(&self) -> bool {
        match self {
            TaskWait::Own(own) => own.is_done(),
            TaskWait::Signal(wait) => wait.is_done(),
        }
    }
}

#[inline(never)]
fn poll_signal(wait: &Await<()>, waker: &Waker) -> Poll<Result<()>> {
    wait.poll_with(waker)
}

/// The handle of a [`TaskWait`].
#[derive(Clone)]
pub(crate) struct WaitHandle {
    /// The task, or the signal.
    future: ErasedFuture,
    /// The number of the task's own wait.
    own: Option<NonNull<Header>>,
}

impl WaitHandle {
    fn of(signal: Signal) -> WaitHandle {
        WaitHandle { future: signal.into_erased(), own: None }
    }

    /// Returns the number of the own wait, or the signal.
    #[inline(always)]
    fn parts(&self) -> core::result::Result<NonNull<Header>, ManuallyDrop<Signal>> {
        // SAFETY: By the Handle Invariant.
        self.own.ok_or_else(|| unsafe { Signal::lent(&self.future) })
    }

    #[inline]
    fn into_signal(self) -> Option<Signal> {
        self.parts().err().map(|signal| Signal::clone(&signal))
    }

    /// Keeps the handle in `slot` only if it is of use for a later wait: the one that it was of is over.
    #[inline]
    pub(crate) fn leave(slot: &Cell<Option<WaitHandle>>) {
        drop(slot.with(|slot| slot.take_if(|handle| handle.own.is_some())));
    }

    /// Drops the handle in `slot`, if it is that of `wait`, and of no use for a later one.
    #[inline]
    pub(crate) fn leave_wait(slot: &Cell<Option<WaitHandle>>, wait: &TaskWait) {
        if let TaskWait::Own(_) = wait {
            drop(WaitHandle::take_of(slot, wait));
        }
    }

    /// Takes the handle out of `slot`, if it is that of `wait`.
    #[inline]
    pub(crate) fn take_of(slot: &Cell<Option<WaitHandle>>, wait: &TaskWait) -> Option<WaitHandle> {
        slot.with(|slot| slot.take_if(|handle| handle.is_of(wait)))
    }

    /// Puts `moved` in `slot` in the place of the handle of `wait`, if that is there.
    #[cold]
    pub(crate) fn move_in(slot: &Cell<Option<WaitHandle>>, wait: &TaskWait, moved: WaitHandle) {
        let before = WaitHandle::take_of(slot, wait);
        if before.is_some() {
            slot.set(Some(moved));
        }
        drop(before);
    }

    /// Completes the wait, unless it is done. Returns true if it did.
    #[inline]
    pub(crate) fn complete(&self) -> bool {
        match self.parts() {
            Ok(number) => self.future.complete_own_wait(number),
            Err(signal) => signal.complete(),
        }
    }

    /// Completes the wait when its turn comes in the ready queue.
    pub(crate) fn complete_soon(&self) {
        match self.parts() {
            Ok(number) => self.future.complete_own_wait_soon(number),
            Err(signal) => self.future.event_loop().schedule(signal.entry()),
        }
    }

    /// Returns true once it was completed or cancelled.
    #[inline]
    pub(crate) fn is_done(&self) -> bool {
        match self.parts() {
            Ok(number) => self.future.own_wait_is_done(number),
            Err(signal) => signal.is_done(),
        }
    }

    #[inline]
    pub(crate) fn is_cancelled(&self) -> bool {
        match self.parts() {
            Ok(number) => self.future.own_wait_is_cancelled(number),
            Err(signal) => signal.is_cancelled(),
        }
    }

    /// Returns true if it is that of `wait`.
    #[inline]
    pub(crate) fn is_of(&self, wait: &TaskWait) -> bool {
        match wait {
            TaskWait::Own(own) => own.task().ptr_eq(&self.future) && own.number() == self.own,
            TaskWait::Signal(wait) => wait.address() == self.future.address(),
        }
    }
}
