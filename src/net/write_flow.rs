//! [`WriteFlow`]: the tasks that wait until a stream can be written, or is closed.

use alloc::collections::VecDeque;
#[cfg(feature = "tls")]
use alloc::rc::Rc;
#[cfg(feature = "tls")]
use core::any::Any;
use core::cell::{Cell, RefCell};
use std::io;

use super::settle::settle;
use crate::asyncio::LoopFuture;
use crate::error::{Error, Result};
use crate::event_loop::LoopRef;

/// asyncio's `FlowControlMixin`, with the future that [`StreamWriter::wait_closed`] waits for.
///
/// [`StreamWriter::wait_closed`]: super::StreamWriter::wait_closed
pub(crate) struct WriteFlow {
    on: LoopRef,
    paused: Cell<bool>,
    lost: Cell<bool>,
    drains: RefCell<VecDeque<LoopFuture<()>>>,
    closed: LoopFuture<()>,
}

/// A protocol with a [`WriteFlow`].
pub(crate) trait HasWriteFlow {
    fn write_flow(&self) -> &WriteFlow;

    #[cfg(feature = "tls")]
    fn into_any(self: Rc<Self>) -> Rc<dyn Any>;
}

impl WriteFlow {
    pub(crate) fn new(on: &LoopRef) -> WriteFlow {
        WriteFlow {
            on: on.clone(),
            paused: Cell::new(false),
            lost: Cell::new(false),
            drains: RefCell::default(),
            closed: LoopFuture::new(on),
        }
    }

    /// Done when the stream is closed.
    pub(super) fn closed(&self) -> LoopFuture<()> {
        self.closed.clone()
    }

    /// Waits until writing goes on: asyncio's `_drain_helper`.
    pub(super) async fn drain(&self) -> Result<()> {
        if self.lost.get() {
            return Err(io::Error::new(io::ErrorKind::ConnectionReset, "Connection lost").into());
        }
        if !self.paused.get() {
            return Ok(());
        }
        let waiter = LoopFuture::new(&self.on);
        self.drains.borrow_mut().push_back(waiter.clone());
        let _draining = Draining(self, waiter.clone());
        waiter.await
    }

    /// Completes the waits for the end, with `error` if there is one.
    pub(crate) fn close(&self, error: Option<&Error>) {
        settle(&self.closed, error);
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
        let waiters = self.drains.borrow().clone();
        waiters.iter().for_each(|waiter| settle(waiter, error));
    }
}

impl Drop for WriteFlow {
    fn drop(&mut self) {
        // An error of the connection that no task has waited for is not reported.
        let _ = self.closed.exception();
    }
}

/// Takes a wait for writing back when it is dropped.
struct Draining<'a>(&'a WriteFlow, LoopFuture<()>);

impl Drop for Draining<'_> {
    fn drop(&mut self) {
        let is_own = |waiter: &LoopFuture<()>| waiter.id() == self.1.id();
        let mut drains = self.0.drains.borrow_mut();
        let place = drains.iter().position(is_own);
        let own = place.and_then(|place| drains.remove(place));
        drop(drains);
        drop(own);
    }
}
