//! [`Direction`]: reading, or writing, of one source: whose turn it is, and who waits.

use alloc::rc::Rc;
use core::cell::{Cell, RefCell};

use crate::asyncio::{Lock, LockGuard, LoopFuture, Purpose};
use crate::error::Result;
use crate::event_loop::{Listener, LoopRef, ReadyQueue, Registration};

/// One of the two directions of a source. Only who has its turn tries or waits.
#[derive(Default)]
pub(super) struct Direction {
    turn: Lock,
    /// What the one who waits awaits. A future that is done has been told already.
    waiter: RefCell<Option<LoopFuture<()>>>,
    /// The last operation has shown that the next one would block.
    exhausted: Cell<bool>,
}

impl Direction {
    /// Waits for one's turn: first come, first served.
    pub(super) async fn turn(&self) -> Result<LockGuard> {
        self.turn.lock().await
    }

    /// The turn, if nobody else has it or waits for it.
    pub(super) fn try_turn(&self) -> Option<LockGuard> {
        self.turn.try_lock()
    }

    /// Says whether the next operation would have to wait.
    pub(super) fn set_exhausted(&self, exhausted: bool) {
        self.exhausted.set(exhausted);
    }

    /// Whether to wait before it is tried.
    pub(super) fn take_exhausted(&self) -> bool {
        self.exhausted.take()
    }

    /// Waits until the poller says that it is ready.
    pub(super) async fn ready(&self, on: &LoopRef, registration: &Registration) -> Result<()> {
        let ready = LoopFuture::made_for(on, Purpose::Source);
        let _waiting = Waiting::begin(self, registration, ready.clone())?;
        ready.await
    }

    /// Has `waiter` told when it is ready, in the place of who was to be told before.
    pub(super) fn begin_wait(
        &self,
        registration: &Registration,
        waiter: LoopFuture<()>,
    ) -> Result<()> {
        self.waiter.replace(Some(waiter));
        let begun = registration.begin_wait();
        if begun.is_err() {
            self.waiter.take();
        }
        begun
    }

    /// The wait that was begun is over.
    pub(super) fn end_wait(&self, registration: &Registration) {
        registration.end_wait();
        let waiter = self.waiter.take();
        drop(waiter);
    }

    /// Whether `waiter` was or will be told.
    pub(super) fn serves(&self, waiter: &LoopFuture<()>) -> bool {
        waiter.done() || self.waiter.borrow().as_ref().is_some_and(|own| own.id() == waiter.id())
    }
}

impl Listener for Direction {
    fn wanted(&self) -> bool {
        self.waiter.borrow().as_ref().is_some_and(|waiter| !waiter.done())
    }

    fn unwanted(&self) {
        self.exhausted.set(false);
    }

    fn tell(self: Rc<Self>, _ready: &ReadyQueue) {
        let waiter = self.waiter.borrow().clone();
        if let Some(waiter) = waiter {
            // A waiter that was cancelled meanwhile has its end already.
            let _ = waiter.set_result(());
        }
    }
}

/// While it lives, somebody waits.
struct Waiting<'a> {
    direction: &'a Direction,
    registration: &'a Registration,
}

impl<'a> Waiting<'a> {
    fn begin(
        direction: &'a Direction,
        registration: &'a Registration,
        waiter: LoopFuture<()>,
    ) -> Result<Waiting<'a>> {
        direction.begin_wait(registration, waiter)?;
        Ok(Waiting { direction, registration })
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.direction.end_wait(self.registration);
    }
}
