//! [`StreamProtocol`]: the protocol that feeds a reader and holds back a writer.

use alloc::collections::VecDeque;
use alloc::rc::{Rc, Weak};
use core::cell::{Cell, RefCell};
use std::io;

use super::events::Events;
use super::settle::settle;
use super::socket::Socket;
use super::stream_reader::{ReaderState, StreamReader};
use super::transport::Transport;
use crate::asyncio::LoopFuture;
use crate::error::{Error, Result};
use crate::event_loop::LoopRef;

/// asyncio's `StreamReaderProtocol`.
pub(super) struct StreamProtocol {
    on: LoopRef,
    reader: RefCell<Weak<ReaderState>>,
    paused: Cell<bool>,
    lost: Cell<bool>,
    drains: RefCell<VecDeque<LoopFuture<()>>>,
    closed: LoopFuture<()>,
}

impl StreamProtocol {
    pub(super) fn new(on: &LoopRef, reader: &StreamReader) -> Rc<StreamProtocol> {
        Rc::new(StreamProtocol {
            on: on.clone(),
            reader: RefCell::new(Rc::downgrade(&reader.0)),
            paused: Cell::new(false),
            lost: Cell::new(false),
            drains: RefCell::default(),
            closed: LoopFuture::new(on),
        })
    }

    /// Done when the connection is lost.
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

    fn reader(&self) -> Option<Rc<ReaderState>> {
        self.reader.borrow().upgrade()
    }

    /// Completes all waits for writing, with `error` if there is one.
    fn wake_drains(&self, error: Option<&Error>) {
        let waiters = self.drains.borrow().clone();
        waiters.iter().for_each(|waiter| settle(waiter, error));
    }

    /// Makes a transport that calls this protocol, and `made` once the connection is made; `waiter`
    /// is done after that.
    pub(super) fn transport(
        self: &Rc<Self>,
        socket: Socket,
        made: impl FnOnce(&Transport) -> Result<()> + 'static,
        waiter: LoopFuture<()>,
    ) -> Result<Transport> {
        let reader = Weak::clone(&self.reader.borrow());
        let connection_made = move |transport: &Transport| {
            if let Some(reader) = reader.upgrade() {
                reader.set_transport(transport);
            }
            made(transport)
        };
        Transport::new(&self.on, socket, Rc::<Self>::clone(self), connection_made, waiter)
    }
}

impl Events for StreamProtocol {
    fn connection_lost(&self, error: Option<Error>) -> Result<()> {
        if let Some(reader) = self.reader() {
            match &error {
                None => reader.feed_eof(),
                Some(error) => reader.set_exception(error.clone()),
            }
        }
        settle(&self.closed, error.as_ref());
        self.lost.set(true);
        if self.paused.get() {
            self.wake_drains(error.as_ref());
        }
        self.reader.take();
        Ok(())
    }

    fn data_received(&self, data: &[u8]) -> Result<()> {
        if let Some(reader) = self.reader() {
            reader.feed_data(data);
        }
        Ok(())
    }

    fn eof_received(&self) -> Result<bool> {
        if let Some(reader) = self.reader() {
            reader.feed_eof();
        }
        Ok(true)
    }

    fn pause_writing(&self) -> Result<()> {
        self.paused.set(true);
        Ok(())
    }

    fn resume_writing(&self) -> Result<()> {
        self.paused.set(false);
        self.wake_drains(None);
        Ok(())
    }
}

impl Drop for StreamProtocol {
    fn drop(&mut self) {
        // An error of the connection that no task has waited for is not reported.
        let _ = self.closed.exception();
    }
}

/// Takes a wait for writing back when it is dropped.
struct Draining<'a>(&'a StreamProtocol, LoopFuture<()>);

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
