//! [`WritePipe`]: the writing end of a pipe, which calls its protocol.

use alloc::rc::Rc;
use core::cell::Cell;
use core::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileTypeExt;

use super::byte_buffer::ByteBuffer;
use super::callbacks::Callbacks;
use super::events::Events;
use super::flow_control::{FlowControl, HIGH_WATER};
use super::lost_writes::LostWrites;
use super::read_pipe::is_pipe;
use super::socket::is_passing;
use super::transport_socket::TransportSocket;
use crate::asyncio::LoopFuture;
use crate::collections::RefCell;
use crate::error::{Error, ErrorKind, Result};
use crate::event_loop::{LoopRef, set_nonblocking};

/// asyncio's `_UnixWritePipeTransport`.
pub(crate) struct WritePipe {
    callbacks: Callbacks<dyn Events>,
    /// Gone once the pipe is lost.
    pipe: RefCell<Option<Rc<File>>>,
    buffer: RefCell<ByteBuffer>,
    /// A write has failed.
    failed: LostWrites,
    closing: Cell<bool>,
    /// The call of `connection_lost` is scheduled.
    lost: Cell<bool>,
    flow: FlowControl,
}

impl WritePipe {
    /// Schedules `connection_made`, the begin of watching for the other end, and the result of
    /// `waiter`, in this order.
    pub(crate) fn new(
        on: &LoopRef,
        pipe: File,
        protocol: Rc<dyn Events>,
        connection_made: impl FnOnce(&Rc<WritePipe>) -> Result<()> + 'static,
        waiter: LoopFuture<()>,
    ) -> Result<Rc<WritePipe>> {
        if !is_pipe(&pipe)? {
            let message = "Pipe transport is only for pipes, sockets and character devices";
            return Err(Error::new(ErrorKind::Value, message));
        }
        // Of a terminal no end is reported.
        let ends = !pipe.metadata()?.file_type().is_char_device();
        set_nonblocking(&pipe)?;
        let transport = Rc::new(WritePipe {
            callbacks: Callbacks::new(on, protocol),
            pipe: RefCell::new(Some(Rc::new(pipe))),
            buffer: RefCell::default(),
            failed: LostWrites::default(),
            closing: Cell::new(false),
            lost: Cell::new(false),
            flow: FlowControl::default(),
        });
        let begin = ends.then_some(WritePipe::add_reader);
        transport.callbacks.start(&transport, connection_made, begin, waiter)?;
        Ok(transport)
    }

    pub(crate) fn callbacks(&self) -> &Callbacks<dyn Events> {
        &self.callbacks
    }

    fn get_loop(&self) -> &LoopRef {
        self.callbacks.event_loop()
    }

    pub(crate) fn source(&self) -> Option<TransportSocket> {
        self.pipe.borrow().as_ref().map(TransportSocket::new)
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.get()
    }

    /// Closes the pipe once what was written is sent: asyncio's `close` and `write_eof`.
    pub(crate) fn close(self: &Rc<Self>) {
        if self.closing.replace(true) {
            return;
        }
        if self.buffer.borrow().is_empty() {
            self.remove_reader();
            self.schedule_lost(None);
        }
    }

    pub(crate) fn abort(self: &Rc<Self>) {
        self.lose(None);
    }

    pub(crate) fn write_buffer_size(&self) -> usize {
        self.buffer.borrow().len()
    }

    pub(crate) fn write_buffer_limits(&self) -> (usize, usize) {
        self.flow.limits()
    }

    pub(crate) fn set_write_buffer_limits(
        &self,
        high: Option<usize>,
        low: Option<usize>,
    ) -> Result<()> {
        self.flow.set_limits(HIGH_WATER, high, low)?;
        self.callbacks.maybe_pause(&self.flow, self.write_buffer_size(), self);
        Ok(())
    }

    pub(crate) fn write(self: &Rc<Self>, data: &[u8]) -> Result<()> {
        if data.is_empty() {
            return Ok(());
        }
        if self.failed.is_lost() || self.closing.get() {
            self.failed.count("pipe closed by peer or os.write(pipe, data) raised exception.");
            return Ok(());
        }
        let mut left = data;
        if self.buffer.borrow().is_empty() {
            let Some(pipe) = self.pipe() else { return Ok(()) };
            match (&*pipe).write(data) {
                Ok(count) => left = &data[count..],
                Err(error) if is_passing(&error) => {}
                Err(error) => {
                    self.failed.lose();
                    self.lose(Some(error.into()));
                    return Ok(());
                }
            }
            if left.is_empty() {
                return Ok(());
            }
            let transport = Rc::clone(self);
            self.get_loop().add_writer(pipe, move || transport.write_ready())?;
        }
        self.buffer.borrow_mut().extend(left);
        self.callbacks.maybe_pause(&self.flow, self.write_buffer_size(), self);
        Ok(())
    }

    fn pipe(&self) -> Option<Rc<File>> {
        self.pipe.borrow().clone()
    }

    fn add_reader(self: &Rc<Self>) -> Result<()> {
        let Some(pipe) = self.pipe() else { return Ok(()) };
        let transport = Rc::clone(self);
        self.get_loop().add_reader(pipe, move || transport.closed_by_peer())
    }

    fn remove_reader(&self) {
        // One that can't be changed is gone with its descriptor.
        let _ = self.pipe().map(|pipe| self.get_loop().remove_reader(&pipe));
    }

    fn remove_writer(&self) {
        let _ = self.pipe().map(|pipe| self.get_loop().remove_writer(&pipe));
    }

    /// The writing end is readable, which means that the reading end is closed: asyncio's
    /// `_read_ready`.
    fn closed_by_peer(self: &Rc<Self>) {
        let is_sent = self.buffer.borrow().is_empty();
        let broken = || io::Error::from(io::ErrorKind::BrokenPipe);
        self.lose(if is_sent { None } else { Some(broken().into()) });
    }

    fn write_ready(self: &Rc<Self>) -> Result<()> {
        let Some(pipe) = self.pipe() else { return Ok(()) };
        let sent = (&*pipe).write(self.buffer.borrow().as_slice());
        match sent {
            Ok(count) => self.buffer.borrow_mut().skip(count),
            Err(error) if is_passing(&error) => return Ok(()),
            Err(error) => {
                self.buffer.take();
                self.failed.lose();
                self.remove_writer();
                self.lose(Some(error.into()));
                return Ok(());
            }
        }
        if !self.buffer.borrow().is_empty() {
            return Ok(());
        }
        self.remove_writer();
        self.callbacks.maybe_resume(&self.flow, 0, self);
        if self.closing.get() {
            self.remove_reader();
            return self.call_connection_lost(None);
        }
        Ok(())
    }

    /// Closes the pipe at once: asyncio's `_close`.
    fn lose(self: &Rc<Self>, error: Option<Error>) {
        self.closing.set(true);
        if !self.buffer.take().is_empty() {
            self.remove_writer();
        }
        self.remove_reader();
        self.schedule_lost(error);
    }

    fn schedule_lost(self: &Rc<Self>, error: Option<Error>) {
        if self.lost.replace(true) {
            return;
        }
        let transport = Rc::clone(self);
        // A loop that has closed calls nothing; it has dropped the pipe.
        self.get_loop().call_soon_or_report(move || transport.call_connection_lost(error));
    }

    fn call_connection_lost(&self, error: Option<Error>) -> Result<()> {
        self.lost.set(true);
        let outcome = self.callbacks.connection_lost(error);
        // A protocol that wrote amid its own end has the loop watch the pipe again.
        self.remove_reader();
        self.remove_writer();
        let gone = (self.pipe.take(), self.callbacks.take());
        drop(gone);
        outcome
    }
}

impl fmt::Debug for WritePipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Transport");
        shown.field("closing", &self.closing.get());
        shown.field("write_buffer_size", &self.write_buffer_size());
        // The writer may close the pipe: nothing is borrowed meanwhile.
        let pipe = self.pipe.borrow().clone();
        shown.field("pipe", &pipe).finish_non_exhaustive()
    }
}
