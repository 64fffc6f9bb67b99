//! [`Half`]: one direction of a source, with operations that try, wait until it is ready, and try
//! again.

use core::cell::Cell;
use core::future::{Future, poll_fn};
use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll, Waker, ready};
use std::io;

use super::direction::{Direction, Turn};
use super::watched::Watched;
use crate::asyncio::{TaskWait, YieldNow, yield_now};
use crate::error::Result;
use crate::event_loop::{After, Side, Source};

/// After so many operations in a row without a wait the loop gets its turn: a peer that is faster than
/// its reader must not keep timers and other tasks from running.
const IN_A_ROW: u32 = 64;

/// One direction of a source.
pub(super) struct Half<'a, T: Source + 'static> {
    watched: &'a Watched<T>,
    direction: &'a Direction,
}

impl<T: Source> Clone for Half<'_, T> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Source> Copy for Half<'_, T> {}

/// A wait that was begun, and is to be ended by [`Half::end_wait`].
type Wait = Option<TaskWait>;

/// The state of a poll function between two calls.
#[derive(Default)]
pub(super) struct Between {
    wait: Wait,
    yields: Option<YieldNow>,
}

impl<'a, T: Source + 'static> Half<'a, T> {
    #[inline]
    pub(super) fn new(watched: &'a Watched<T>, side: Side) -> Half<'a, T> {
        Half { watched, direction: watched.direction(side) }
    }

    /// Takes the turn in this direction, if that needs no waiting.
    #[inline]
    pub(super) fn try_turn(self) -> Option<Turn<'a>> {
        if self.watched.in_a_row().get() >= IN_A_ROW { None } else { self.direction.try_turn() }
    }

    /// Waits for the turn in this direction.
    #[cold]
    pub(super) async fn turn(self) -> Result<Turn<'a>> {
        let turn = self.direction.turn().await?;
        if let Some(yields) = self.yield_after_many() {
            yields.await?;
        }
        Ok(turn)
    }

    /// Has the loop get its turn after many operations in a row.
    fn yield_after_many(self) -> Option<YieldNow> {
        let many = self.watched.in_a_row().get() >= IN_A_ROW;
        many.then(|| {
            self.watched.in_a_row().set(0);
            yield_now()
        })
    }

    /// Does `operation` as soon as it can be done, for the task that has the turn. `exhausts` says of
    /// its outcome that the next one would block.
    #[inline]
    pub(super) fn operate<R, F: FnMut(&T) -> io::Result<R>, E: Fn(&R) -> bool>(
        self,
        operation: F,
        exhausts: E,
    ) -> Operation<'a, T, F, E> {
        Operation { waiting: Waiting { half: self, wait: None }, operation, exhausts }
    }

    /// Waits until the poller reports this direction, for the task that has the turn.
    pub(super) async fn ready(self) -> Result<()> {
        // The operation that follows is tried by the program's own code, and shows nothing of this direction.
        self.direction.take_exhausted();
        let mut waiting = Waiting { half: self, wait: None };
        let mut first = true;
        poll_fn(|cx| {
            let first = mem::take(&mut first);
            if first {
                self.begin_wait(&mut waiting.wait, cx.waker(), After::Anything)?;
            }
            self.poll_wait(&mut waiting.wait, cx, first)
        })
        .await
    }

    /// Polls `operation` as [`operate`](Half::operate) does, for a poll function: other methods may have
    /// been called since its last call.
    pub(super) fn poll_again<R>(
        self,
        between: &Cell<Between>,
        cx: &mut Context<'_>,
        operation: &mut impl FnMut(&T) -> io::Result<R>,
        exhausts: &impl Fn(&R) -> bool,
    ) -> Poll<Result<R>> {
        // The operation is the program's code, and may poll this direction, too: nothing is borrowed.
        let mut own = between.take();
        let polled = self.poll_between(&mut own, cx, operation, exhausts);
        let nested = between.replace(own);
        if let Some(wait) = &nested.wait {
            self.direction.forget(wait);
        }
        polled
    }

    fn poll_between<R>(
        self,
        between: &mut Between,
        cx: &mut Context<'_>,
        operation: &mut impl FnMut(&T) -> io::Result<R>,
        exhausts: &impl Fn(&R) -> bool,
    ) -> Poll<Result<R>> {
        if between.wait.as_ref().is_some_and(|wait| !self.direction.serves(wait)) {
            // Another method has waited meanwhile, and its wait has ended in the place of this one.
            self.end_wait(&mut between.wait);
        }
        if between.wait.is_none() && between.yields.is_none() {
            between.yields = self.yield_after_many();
        }
        if let Some(yields) = &mut between.yields {
            let yielded = ready!(Pin::new(yields).poll(cx));
            between.yields = None;
            yielded?;
        }
        self.poll(&mut between.wait, cx, operation, exhausts)
    }

    /// Polls `operation`, which is tried as soon as it can be done.
    #[inline]
    fn poll<R>(
        self,
        wait: &mut Wait,
        cx: &mut Context<'_>,
        operation: &mut impl FnMut(&T) -> io::Result<R>,
        exhausts: &impl Fn(&R) -> bool,
    ) -> Poll<Result<R>> {
        let mut first = false;
        loop {
            if wait.is_some() {
                ready!(self.poll_wait(wait, cx, first))?;
            }
            let after = if self.direction.take_exhausted() {
                // The event that has ended the stream may have come before, and been reported.
                After::Anything
            } else {
                match operation(self.watched.source()) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        self.direction.after_would_block()
                    }
                    Err(error) => return Poll::Ready(Err(error.into())),
                    Ok(outcome) => {
                        self.direction.note_success(exhausts(&outcome));
                        self.watched.in_a_row().set(self.watched.in_a_row().get() + 1);
                        return Poll::Ready(Ok(outcome));
                    }
                }
            };
            self.begin_wait(wait, cx.waker(), after)?;
            first = true;
        }
    }

    #[inline]
    fn begin_wait(self, wait: &mut Wait, waker: &Waker, after: After) -> Result<()> {
        self.watched.in_a_row().set(0);
        let (event_loop, registration) = (self.watched.event_loop(), self.watched.registration());
        self.direction.begin_wait(wait, event_loop, waker, registration, after)
    }

    /// Polls the wait that was begun, if one was: in this poll, if it is the `first` time.
    #[inline]
    fn poll_wait(self, wait: &mut Wait, cx: &mut Context<'_>, first: bool) -> Poll<Result<()>> {
        let Some(waits) = wait else { return Poll::Ready(Ok(())) };
        let outcome = match first {
            true => waits.poll_first(cx.waker()),
            false => self.direction.poll_wait(waits, cx.waker()),
        };
        let outcome = ready!(outcome);
        self.end_wait(wait);
        Poll::Ready(outcome)
    }

    /// Ends the wait that was begun.
    fn end_wait(self, wait: &mut Wait) {
        *wait = None;
        self.direction.end_wait(self.watched.registration());
    }
}

/// An operation in one direction, for the task that has the turn: see [`Half::operate`].
pub(super) struct Operation<'a, T: Source + 'static, F, E> {
    waiting: Waiting<'a, T>,
    operation: F,
    exhausts: E,
}

// Nothing in it is pinned.
impl<T: Source, F, E> Unpin for Operation<'_, T, F, E> {}

impl<T: Source, R, F: FnMut(&T) -> io::Result<R>, E: Fn(&R) -> bool> Future
    for Operation<'_, T, F, E>
{
    type Output = Result<R>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<R>> {
        let Operation { waiting, operation, exhausts } = &mut *self;
        waiting.half.poll(&mut waiting.wait, cx, operation, exhausts)
    }
}

/// Ends the wait of an operation that is dropped.
struct Waiting<'a, T: Source + 'static> {
    half: Half<'a, T>,
    wait: Wait,
}

impl<T: Source> Drop for Waiting<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if self.wait.is_some() {
            self.half.end_wait(&mut self.wait);
        }
    }
}

/// Takes the turn in a direction. A macro, because an async function would cost its own poll also
/// where the turn is free.
macro_rules! take_turn {
    ($half:expr) => {
        match $half.try_turn() {
            Some(turn) => turn,
            None => $half.turn().await?,
        }
    };
}
pub(super) use take_turn;
