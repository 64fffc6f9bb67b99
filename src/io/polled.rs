//! [`Polled`]: what a poll function leaves in one direction from one call to the next.

use alloc::rc::Rc;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use super::direction::Direction;
use crate::asyncio::{Await, Signal, YieldNow, yield_now};
use crate::error::Result;
use crate::event_loop::{After, LoopRef, Registration};

/// A direction of a source, and what is to be over before a poll function tries there.
pub(super) struct Polled {
    before: Before,
    direction: Rc<Direction>,
    registration: Rc<Registration>,
}

enum Before {
    Nothing,
    Yield(YieldNow),
    /// A wait that belongs to the source, and not to a future that borrows it.
    Wait(Signal, Await<()>),
}

impl Drop for Polled {
    fn drop(&mut self) {
        self.clear();
    }
}

impl Polled {
    pub(super) fn new(direction: Rc<Direction>, registration: Rc<Registration>) -> Polled {
        Polled { before: Before::Nothing, direction, registration }
    }

    pub(super) fn direction(&self) -> &Direction {
        &self.direction
    }

    pub(super) fn registration(&self) -> &Registration {
        &self.registration
    }

    /// Whether the last operation came to its end.
    pub(super) fn is_new(&self) -> bool {
        matches!(self.before, Before::Nothing)
    }

    /// Has the loop get its turn first.
    pub(super) fn give_way(&mut self) {
        self.before = Before::Yield(yield_now());
    }

    /// Waits until the poller says that the direction is ready.
    pub(super) fn wait(&mut self, on: &LoopRef, after: After) -> Result<()> {
        // What was before says that it is over, and must not mean the new one.
        self.clear();
        self.before = {
            let signal = self.direction.begin_wait(on, &self.registration, after)?;
            let wait = signal.wait();
            Before::Wait(signal, wait)
        };
        Ok(())
    }

    /// Ready when the operation is worth a try.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let outcome = match &mut self.before {
            Before::Nothing => return Poll::Ready(Ok(())),
            Before::Yield(yields) => ready!(Pin::new(yields).poll(cx)),
            // Somebody waited by another method meanwhile, and was told in its place.
            Before::Wait(signal, _) if !self.direction.serves(signal) => Ok(()),
            Before::Wait(_, wait) => ready!(Pin::new(wait).poll(cx)),
        };
        self.clear();
        Poll::Ready(outcome)
    }

    fn clear(&mut self) {
        if let Before::Wait(..) = self.before {
            self.direction.end_wait(&self.registration);
        }
        self.before = Before::Nothing;
    }
}
