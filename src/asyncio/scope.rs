//! [`ScopedBody`]: the body of a scope, polled so that a cancellation at a foreign future ends the body
//! and not the scope; and [`Stop`], through which the cancellation reaches it.
//!
//! **Stop Invariant**: between two steps, a task waits for the [`Signal`] of the [`Stop`] of its
//! innermost scope if that scope has a pending body without any await of ours in it. So a
//! cancellation of the task cancels that signal as it would any other future that the task awaits,
//! and is not left to end the whole task. A scope with a wait of ours in its body, be it that of an
//! inner scope's `Stop`, has no signal of its own: the cancellation is for that inner await to
//! return.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

use super::core::{Await, PartWaits, Signal, TaskRegistry, WaitReason, poll_part};
use crate::error::{Error, Result};

/// The body of a scope while it runs. The scope keeps the body in its own place, so that dropping
/// it there needs no second block and no second copy in the scope's future.
///
/// # Cancellation
///
/// A cancellation reaches the awaits of ours in the body. Where there are none, the body is
/// dropped, and this returns the cancellation.
pub(crate) struct ScopedBody<'a, F> {
    body: Pin<&'a mut Option<F>>,
    stop: Stop,
}

impl<'a, F> ScopedBody<'a, F> {
    pub(crate) fn new(body: Pin<&'a mut Option<F>>) -> ScopedBody<'a, F> {
        ScopedBody { body, stop: Stop::default() }
    }
}

impl<T, F: Future<Output = Result<T>>> Future for ScopedBody<'_, F> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        let ScopedBody { body, stop } = &mut *self;
        let outcome = stop.poll(cx, |cx| match body.as_mut().as_pin_mut() {
            Some(body) => body.poll(cx),
            None => Poll::Pending,
        });
        if outcome.is_ready() {
            body.set(None);
        }
        outcome
    }
}

/// Awaits the body of a scope as [`ScopedBody`] does. A macro, because a function would keep the
/// body's future twice: once as its argument, and once where it is pinned.
macro_rules! await_body {
    ($body:expr) => {{
        let mut body = ::core::pin::pin!(Some($body));
        $crate::asyncio::ScopedBody::new(body.as_mut()).await
    }};
}
pub(crate) use await_body;

/// Returns a cancellation in place of a body that has no await of ours to return it.
#[derive(Default)]
pub(super) struct Stop {
    /// Never completed, but cancelled with the task that waits for it.
    signal: Option<Await<()>>,
    body_waits: BodyWaits,
}

impl Stop {
    /// Polls a body by `poll`.
    ///
    /// # Errors
    ///
    /// The body's own; the cancellation of a task that waits for the signal. The body was not polled
    /// then, or is pending: it is to be dropped.
    #[inline]
    pub(super) fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Context<'_>) -> Poll<Result<T>>,
    ) -> Poll<Result<T>> {
        if self.signal.is_some() {
            if let Some(stopped) = self.poll_signal(cx) {
                return Poll::Ready(Err(stopped));
            }
        }
        let (outcome, waits) = poll_part(|| poll(cx));
        if outcome.is_ready() {
            return outcome;
        }
        match self.park(cx, waits) {
            Some(stopped) => Poll::Ready(Err(stopped)),
            None => Poll::Pending,
        }
    }

    /// Sees to it that a cancellation of the task reaches a body that is pending. Returns one that has
    /// come.
    #[inline(always)]
    fn park(&mut self, cx: &mut Context<'_>, waits: Option<PartWaits>) -> Option<Error> {
        let Some(waits) = waits else {
            // Outside of a task there is no cancellation to wait for.
            self.body_waits = BodyWaits::default();
            return self.poll_signal(cx);
        };
        self.body_waits.count(waits);
        if waits.holds || !self.body_waits.is_empty() {
            // Most scopes have none, and one that isn't there need not be dropped.
            if self.signal.is_some() {
                self.signal = None;
            }
            return None;
        }
        self.wait_for_signal(cx)
    }

    /// Has a cancellation of the task end the signal.
    #[cold]
    fn wait_for_signal(&mut self, cx: &mut Context<'_>) -> Option<Error> {
        if self.signal.is_none() {
            let registry = TaskRegistry::running().ok()?;
            match Signal::new(&registry, WaitReason::Scope) {
                Some(signal) => self.signal = Some(signal.wait()),
                None => return Some(Error::no_memory()),
            }
        }
        self.poll_signal(cx)
    }

    /// The cancellation of the signal, if that has come.
    #[cold]
    fn poll_signal(&mut self, cx: &mut Context<'_>) -> Option<Error> {
        let signal = self.signal.as_mut()?;
        let Poll::Ready(outcome) = Pin::new(signal).poll(cx) else { return None };
        self.signal = None;
        outcome.err()
    }
}

/// The number of waits that the polls of a body have left with its task. A body is polled in one
/// piece, so what a poll of it adds to the task's waits, or takes from them, is its own.
#[derive(Default)]
struct BodyWaits {
    /// The serial number of the task that polled last.
    task: u64,
    waits: usize,
}

impl BodyWaits {
    /// Counts what a poll has changed.
    #[inline(always)]
    fn count(&mut self, waits: PartWaits) {
        if self.task != waits.task {
            // Waits of another task are none of this one's.
            *self = BodyWaits { task: waits.task, waits: 0 };
        }
        // An await that was first polled outside of the body may have been dropped inside of it.
        self.waits = (self.waits + waits.after).saturating_sub(waits.before);
    }

    fn is_empty(&self) -> bool {
        self.waits == 0
    }
}
