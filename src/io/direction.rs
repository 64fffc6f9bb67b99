//! [`Direction`]: reading, or writing, of one source: whose turn it is, and who waits.

use alloc::rc::Rc;
use core::cell::{Cell, RefCell};

use crate::asyncio::{Lock, LockGuard, Signal, TaskRegistry, WaitReason};
use crate::error::Result;
use crate::event_loop::{After, Listener, LoopRef, Registration, Side};

/// One of the two directions of a source. Only who has its turn tries or waits.
pub(super) struct Direction {
    side: Side,
    turn: Lock,
    /// What the one who waits awaits. One that is over has been told already.
    waiter: RefCell<Option<Signal>>,
    /// What the last one awaited, which serves the next: a server waits for each request.
    spent: Cell<Option<Signal>>,
    /// The last operation has shown that the next one would block.
    exhausted: Cell<bool>,
    /// The side was reported ready, and no operation has succeeded since.
    alarmed: Cell<bool>,
}

impl Direction {
    pub(super) fn new(side: Side) -> Rc<Direction> {
        Rc::new(Direction {
            side,
            turn: Lock::default(),
            waiter: RefCell::default(),
            spent: Cell::default(),
            exhausted: Cell::default(),
            alarmed: Cell::default(),
        })
    }

    /// Waits for one's turn: first come, first served.
    pub(super) async fn turn(&self) -> Result<LockGuard> {
        self.turn.lock().await
    }

    /// The turn, if nobody else has it or waits for it.
    pub(super) fn try_turn(&self) -> Option<LockGuard> {
        self.turn.try_lock()
    }

    /// Notes that an operation has succeeded, and whether the next one would have to wait.
    pub(super) fn note_success(&self, exhausted: bool) {
        self.exhausted.set(exhausted);
        self.alarmed.set(false);
    }

    /// What a wait comes after that comes after an operation that would block.
    pub(super) fn after_would_block(&self) -> After {
        if self.alarmed.take() { After::FalseAlarm } else { After::WouldBlock }
    }

    /// Whether to wait before it is tried.
    pub(super) fn take_exhausted(&self) -> bool {
        self.exhausted.take()
    }

    /// Waits until the poller says that it is ready.
    pub(super) async fn ready(
        &self,
        on: &LoopRef,
        registration: &Registration,
        after: After,
    ) -> Result<()> {
        let wait = self.begin_wait(on, registration, after)?.wait();
        let _waiting = Waiting { direction: self, registration };
        wait.await
    }

    /// A wait that ends when it is ready, in the place of what was to be told before.
    pub(super) fn begin_wait(
        &self,
        on: &LoopRef,
        registration: &Registration,
        after: After,
    ) -> Result<Signal> {
        let waiter = Signal::reuse(self.spent.take(), &TaskRegistry::of(on), WaitReason::Source);
        self.waiter.replace(Some(waiter.clone()));
        let begun = registration.begin_wait(self.side, after);
        if begun.is_err() {
            self.waiter.take();
        }
        begun.map(|()| waiter)
    }

    /// The wait that was begun is over.
    pub(super) fn end_wait(&self, registration: &Registration) {
        registration.end_wait();
        let waiter = self.waiter.take();
        self.spent.set(waiter);
    }

    /// Whether `waiter` was or will be told.
    pub(super) fn serves(&self, waiter: &Signal) -> bool {
        let is_it = |own: &Signal| own.ptr_eq(waiter);
        waiter.is_done() || self.waiter.borrow().as_ref().is_some_and(is_it)
    }
}

impl Listener for Direction {
    fn wanted(&self) -> bool {
        self.waiter.borrow().as_ref().is_some_and(|waiter| !waiter.is_done())
    }

    fn unwanted(&self) {
        self.exhausted.set(false);
    }

    fn notify(self: Rc<Self>) {
        let waiter = self.waiter.borrow().clone();
        if let Some(waiter) = waiter {
            self.alarmed.set(true);
            // One that was cancelled meanwhile has its end already.
            waiter.complete();
        }
    }
}

/// While it lives, somebody waits.
struct Waiting<'a> {
    direction: &'a Direction,
    registration: &'a Registration,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.direction.end_wait(self.registration);
    }
}
