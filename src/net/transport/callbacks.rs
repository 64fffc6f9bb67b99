//! [`Callbacks`]: the protocol of a transport, and the calls that all transports make of it.

use alloc::format;
use alloc::rc::Rc;
use core::cell::Cell;
use core::fmt;

use super::events::BaseEvents;
use super::flow_control::FlowControl;
use crate::asyncio::{LoopFuture, release};
use crate::collections::CellExt;
use crate::error::{Error, Result};
use crate::event_loop::{ExceptionContext, LoopRef};
use crate::panics::caught;

/// The loop of a transport, and its protocol until the transport is lost.
pub(crate) struct Callbacks<P: ?Sized> {
    on: LoopRef,
    protocol: Cell<Option<Rc<P>>>,
}

impl<P: BaseEvents + ?Sized> Callbacks<P> {
    pub(crate) fn new(on: &LoopRef, protocol: Rc<P>) -> Callbacks<P> {
        Callbacks { on: on.clone(), protocol: Cell::new(Some(protocol)) }
    }

    #[inline]
    pub(crate) fn event_loop(&self) -> &LoopRef {
        &self.on
    }

    #[inline]
    pub(crate) fn protocol(&self) -> Option<Rc<P>> {
        self.protocol.with(|protocol| protocol.clone())
    }

    /// The protocol, if it is a `C`.
    pub(crate) fn protocol_as<C: 'static>(&self) -> Option<Rc<C>> {
        self.protocol()?.into_any()?.downcast().ok()
    }

    /// Calls `protocol` in the place of the one before, unless the transport is lost. Returns whether
    /// it isn't.
    pub(crate) fn set_protocol(&self, protocol: Rc<P>) -> bool {
        let before = self.protocol.take();
        let is_there = before.is_some();
        if is_there {
            self.protocol.set(Some(protocol));
        }
        drop(before);
        is_there
    }

    /// Takes the protocol out: nothing calls it any more.
    pub(crate) fn take(&self) -> Option<Rc<P>> {
        self.protocol.take()
    }

    /// Schedules `connection_made`, and `begin` and the result of `waiter` if they are given, in this
    /// order.
    pub(crate) fn start<T: Clone + 'static>(
        &self,
        transport: &T,
        connection_made: impl FnOnce(&T) -> Result<()> + 'static,
        begin: Option<impl FnOnce(&T) -> Result<()> + 'static>,
        waiter: impl Into<Option<LoopFuture<()>>>,
    ) -> Result<()> {
        let made = transport.clone();
        self.on.call_soon(move || connection_made(&made))?;
        if let Some(begin) = begin {
            let begun = transport.clone();
            self.on.call_soon(move || begin(&begun))?;
        }
        if let Some(waiter) = waiter.into() {
            self.on.call_soon(move || release(&waiter))?;
        }
        Ok(())
    }

    /// Calls `connection_lost`.
    pub(crate) fn connection_lost(&self, error: Option<Error>) -> Result<()> {
        match self.protocol() {
            Some(protocol) => caught(|| protocol.connection_lost(error)).and_then(|lost| lost),
            None => Ok(()),
        }
    }

    /// Pauses the protocol if the buffer of `size` bytes of `transport` is above its mark.
    #[inline]
    pub(crate) fn maybe_pause(&self, flow: &FlowControl, size: usize, transport: &dyn fmt::Debug) {
        let pause = || self.protocol().map_or(Ok(()), |protocol| protocol.pause_writing());
        flow.maybe_pause(size, pause, |message, error| self.report(transport, message, error));
    }

    /// Resumes the protocol if the buffer of `size` bytes of `transport` is at its mark or below.
    #[inline]
    pub(crate) fn maybe_resume(&self, flow: &FlowControl, size: usize, transport: &dyn fmt::Debug) {
        let resume = || self.protocol().map_or(Ok(()), |protocol| protocol.resume_writing());
        flow.maybe_resume(size, resume, |message, error| self.report(transport, message, error));
    }

    /// Reports an error of `transport` to the exception handler.
    pub(crate) fn report(&self, transport: &dyn fmt::Debug, message: &str, error: Option<Error>) {
        let mut context = ExceptionContext::new(message);
        context.exception = error;
        context.transport = Some(format!("{transport:?}"));
        self.on.call_exception_handler(&context);
    }
}
