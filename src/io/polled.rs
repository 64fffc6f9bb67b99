//! [`Polled`]: what a poll function leaves in one direction from one call to the next.

use alloc::rc::Rc;
use core::future::{Future, IntoFuture};
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use super::direction::Direction;
use crate::asyncio::{Await, LoopFuture, Purpose, YieldNow, yield_now};
use crate::error::Result;
use crate::event_loop::{LoopRef, Registration};

/// What is to be over before the operation is tried.
#[derive(Default)]
pub(super) enum Polled {
    #[default]
    Nothing,
    Yield(YieldNow),
    Wait(Wait),
}

/// A wait that belongs to the source, and not to a future that borrows it.
pub(super) struct Wait {
    ready: LoopFuture<()>,
    awaited: Await<()>,
    direction: Rc<Direction>,
    registration: Rc<Registration>,
}

impl Drop for Wait {
    fn drop(&mut self) {
        self.direction.end_wait(&self.registration);
    }
}

impl Polled {
    /// Whether the last operation came to its end.
    pub(super) fn is_new(&self) -> bool {
        matches!(self, Polled::Nothing)
    }

    /// Has the loop get its turn first.
    pub(super) fn give_way(&mut self) {
        *self = Polled::Yield(yield_now());
    }

    /// Waits until the poller says that the direction is ready.
    pub(super) fn wait(
        &mut self,
        on: &LoopRef,
        direction: &Rc<Direction>,
        registration: &Rc<Registration>,
    ) -> Result<()> {
        // What was before says that it is over, and must not mean the new one.
        *self = Polled::Nothing;
        let ready = LoopFuture::made_for(on, Purpose::Source);
        direction.begin_wait(registration, ready.clone())?;
        let (direction, registration) = (Rc::clone(direction), Rc::clone(registration));
        let awaited = ready.clone().into_future();
        *self = Polled::Wait(Wait { ready, awaited, direction, registration });
        Ok(())
    }

    /// Ready when the operation is worth a try.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let outcome = match self {
            Polled::Nothing => return Poll::Ready(Ok(())),
            Polled::Yield(yields) => ready!(Pin::new(yields).poll(cx)),
            // Somebody waited by another method meanwhile, and was told in its place.
            Polled::Wait(wait) if !wait.direction.serves(&wait.ready) => Ok(()),
            Polled::Wait(wait) => ready!(Pin::new(&mut wait.awaited).poll(cx)),
        };
        *self = Polled::Nothing;
        Poll::Ready(outcome)
    }
}
