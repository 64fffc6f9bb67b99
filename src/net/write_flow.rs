//! [`WriteFlow`]: the tasks that wait until a stream can be written, or is closed.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
#[cfg(feature = "tls")]
use alloc::rc::Rc;
#[cfg(feature = "tls")]
use core::any::Any;
use core::cell::Cell;
use core::future::{Future, IntoFuture};
use core::pin::Pin;
use core::task::{Context, Poll};
use std::io;

use super::settle::settle;
use crate::asyncio::{Await, LoopFuture};
use crate::collections::CellExt;
use crate::error::{Error, Result};
use crate::event_loop::LoopRef;

/// asyncio's `FlowControlMixin`, with the future that [`StreamWriter::wait_closed`] waits for.
///
/// [`StreamWriter::wait_closed`]: super::StreamWriter::wait_closed
pub(crate) struct WriteFlow {
    on: LoopRef,
    paused: Cell<bool>,
    lost: Cell<bool>,
    /// There from the first wait on, or the end.
    waits: Cell<Option<Box<Waits>>>,
}

#[derive(Default)]
struct Waits {
    /// For writing, the first one in front.
    drains: VecDeque<LoopFuture<()>>,
    /// For the end.
    closed: Option<LoopFuture<()>>,
}

/// A protocol with a [`WriteFlow`].
pub(crate) trait HasWriteFlow {
    fn write_flow(&self) -> &WriteFlow;

    #[cfg(feature = "tls")]
    fn into_any(self: Rc<Self>) -> Rc<dyn Any>;
}

impl WriteFlow {
    pub(crate) fn new(on: &LoopRef) -> WriteFlow {
        let (paused, lost) = (Cell::new(false), Cell::new(false));
        WriteFlow { on: on.clone(), paused, lost, waits: Cell::default() }
    }

    /// Calls `body` with the waits, which are made if they aren't there.
    fn waits<R>(&self, body: impl FnOnce(&mut Waits) -> R) -> R {
        self.waits.with(|waits| body(waits.get_or_insert_default()))
    }

    pub(super) fn event_loop(&self) -> &LoopRef {
        &self.on
    }

    /// Done when the stream is closed.
    pub(super) fn closed(&self) -> LoopFuture<()> {
        let new = || LoopFuture::new(&self.on);
        self.waits(|waits| waits.closed.get_or_insert_with(new).clone())
    }

    /// Returns whether there is nothing to wait for, and no error.
    #[inline]
    pub(super) fn has_room(&self) -> bool {
        !self.lost.get() && !self.paused.get()
    }

    /// Waits until writing goes on: asyncio's `_drain_helper`.
    #[inline]
    pub(super) fn drain(&self) -> Draining<'_> {
        if self.lost.get() {
            let lost = io::Error::new(io::ErrorKind::ConnectionReset, "Connection lost");
            return Draining::Over(Err(lost.into()));
        }
        if !self.paused.get() {
            return Draining::Over(Ok(()));
        }
        let waiter = LoopFuture::new(&self.on);
        self.waits(|waits| waits.drains.push_back(waiter.clone()));
        Draining::Waits(self, waiter.into_future())
    }

    /// Completes the waits for the end, with `error` if there is one.
    pub(crate) fn close(&self, error: Option<&Error>) {
        settle(&self.closed(), error);
    }

    /// Notes that nothing can be written any more: asyncio's `connection_lost`.
    pub(crate) fn lose(&self, error: Option<&Error>) {
        self.lost.set(true);
        if self.paused.get() {
            self.wake_drains(error);
        }
    }

    pub(crate) fn pause(&self) {
        self.paused.set(true);
    }

    pub(crate) fn resume(&self) {
        self.paused.set(false);
        self.wake_drains(None);
    }

    /// Completes all waits for writing, with `error` if there is one.
    fn wake_drains(&self, error: Option<&Error>) {
        let drains = self.waits.with(|waits| waits.as_ref().map(|waits| waits.drains.clone()));
        drains.iter().flatten().for_each(|waiter| settle(waiter, error));
    }
}

impl Drop for WriteFlow {
    fn drop(&mut self) {
        // An error of the connection that no task has waited for is not reported.
        let closed = self.waits.take().and_then(|waits| waits.closed);
        let _ = closed.map(|closed| closed.exception());
    }
}

/// A wait for writing, which is taken back when it is dropped.
pub(super) enum Draining<'a> {
    Over(Result<()>),
    Waits(&'a WriteFlow, Await<()>),
}

impl Future for Draining<'_> {
    type Output = Result<()>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        match &mut *self {
            Draining::Over(outcome) => Poll::Ready(outcome.clone()),
            Draining::Waits(_, waits) => Pin::new(waits).poll(cx),
        }
    }
}

impl Drop for Draining<'_> {
    #[inline]
    fn drop(&mut self) {
        let Draining::Waits(flow, waits) = self else { return };
        let is_own = |waiter: &LoopFuture<()>| waits.is_for(waiter.erased());
        let own = flow.waits(|waits| {
            let place = waits.drains.iter().position(is_own)?;
            waits.drains.remove(place)
        });
        drop(own);
    }
}
