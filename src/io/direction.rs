//! [`Direction`]: reading, or writing, of one source: whose turn it is, and who waits.

use alloc::rc::Rc;
use core::cell::{Cell, RefCell};

use crate::asyncio::{Lock, LockGuard, LoopFuture, yield_now};
use crate::error::Result;
use crate::event_loop::{Listener, LoopRef, ReadyQueue, Registration};

/// So many operations in a row may succeed before the loop gets its turn: a peer that is
/// faster than its reader must not keep timers and other tasks from running.
const IN_A_ROW: u32 = 64;

/// One of the two directions of a source. Only who has its turn tries or waits.
#[derive(Default)]
pub(super) struct Direction {
    turn: Lock,
    /// What the one who waits awaits. A future that is done has been told already.
    waiter: RefCell<Option<LoopFuture<()>>>,
    /// The last operation has shown that the next one would block.
    exhausted: Cell<bool>,
    in_a_row: Cell<u32>,
}

impl Direction {
    /// Waits for one's turn: first come, first served.
    pub(super) async fn turn(&self) -> Result<LockGuard> {
        let turn = self.turn.lock().await?;
        if self.in_a_row.get() >= IN_A_ROW {
            self.in_a_row.set(0);
            yield_now().await?;
        }
        Ok(turn)
    }

    /// What was asked for is done, and `exhausted` says that the next would have to wait.
    pub(super) fn done(&self, exhausted: bool) {
        self.exhausted.set(exhausted);
        self.in_a_row.set(self.in_a_row.get() + 1);
    }

    /// Whether to wait before it is tried.
    pub(super) fn take_exhausted(&self) -> bool {
        self.exhausted.take()
    }

    /// Waits until the poller says that it is ready.
    pub(super) async fn ready(&self, on: &LoopRef, registration: &Registration) -> Result<()> {
        self.in_a_row.set(0);
        let ready = on.create_future();
        let _waiting = Waiting::begin(self, registration, ready.clone())?;
        ready.await
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
        direction.waiter.replace(Some(waiter));
        if let Err(refused) = registration.begin_wait() {
            direction.waiter.take();
            return Err(refused);
        }
        Ok(Waiting { direction, registration })
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.registration.end_wait();
        let waiter = self.direction.waiter.take();
        drop(waiter);
    }
}
