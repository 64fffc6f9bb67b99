//! [`WriteFlow`]: the tasks that wait until a stream can be written, or is closed.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
#[cfg(feature = "tls")]
use alloc::rc::Rc;
#[cfg(feature = "tls")]
use core::any::Any;
use core::cell::Cell;
use std::io;

use super::settle::settle;
use crate::asyncio::LoopFuture;
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
    /// The tasks that wait to write, where there are any.
    drains: Cell<Option<Box<Drains>>>,
    /// There from the first wait on, or the end.
    closed: Cell<Option<LoopFuture<()>>>,
}

/// Waits for writing, the first one in front.
#[derive(Clone, Default)]
struct Drains(VecDeque<LoopFuture<()>>);

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
            drains: Cell::default(),
            closed: Cell::default(),
        }
    }

    pub(super) fn event_loop(&self) -> &LoopRef {
        &self.on
    }

    /// Done when the stream is closed.
    pub(super) fn closed(&self) -> LoopFuture<()> {
        self.closed.with(|closed| closed.get_or_insert_with(|| LoopFuture::new(&self.on)).clone())
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
        self.drains.with(|drains| drains.get_or_insert_default().0.push_back(waiter.clone()));
        let _draining = Draining(self, waiter.clone());
        waiter.await
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
        let waiters = self.drains.with(|drains| drains.clone()).unwrap_or_default();
        waiters.0.iter().for_each(|waiter| settle(waiter, error));
    }
}

impl Drop for WriteFlow {
    fn drop(&mut self) {
        // An error of the connection that no task has waited for is not reported.
        let _ = self.closed.take().map(|closed| closed.exception());
    }
}

/// Takes a wait for writing back when it is dropped.
struct Draining<'a>(&'a WriteFlow, LoopFuture<()>);

impl Drop for Draining<'_> {
    fn drop(&mut self) {
        let is_own = |waiter: &LoopFuture<()>| waiter.id() == self.1.id();
        let own = self.0.drains.with(|drains| {
            let all = &mut drains.as_mut()?.0;
            let own = all.remove(all.iter().position(is_own)?);
            drains.take_if(|all| all.0.is_empty());
            own
        });
        drop(own);
    }
}
