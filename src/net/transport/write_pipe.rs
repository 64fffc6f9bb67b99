//! [`WritePipe`]: the writing end of a pipe, which calls its protocol.

use alloc::format;
use alloc::rc::Rc;
use core::cell::{Cell, RefCell};
use core::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileTypeExt;

use super::byte_buffer::ByteBuffer;
use super::events::Events;
use super::flow_control::FlowControl;
use super::read_pipe::is_pipe;
use super::socket::is_passing;
use super::socket_transport::SILENT_WRITES;
use super::transport_socket::TransportSocket;
use crate::asyncio::{LoopFuture, release};
use crate::error::{Error, ErrorKind, Result};
use crate::event_loop::{ExceptionContext, LoopRef, set_nonblocking};
use crate::panics::caught;

/// asyncio's `_UnixWritePipeTransport`.
pub(crate) struct WritePipe {
    on: LoopRef,
    /// Gone once the pipe is lost.
    pipe: RefCell<Option<Rc<File>>>,
    protocol: RefCell<Option<Rc<dyn Events>>>,
    buffer: RefCell<ByteBuffer>,
    /// Counts the writes after the first error, and that error.
    failed: Cell<u32>,
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
            on: on.clone(),
            pipe: RefCell::new(Some(Rc::new(pipe))),
            protocol: RefCell::new(Some(protocol)),
            buffer: RefCell::default(),
            failed: Cell::new(0),
            closing: Cell::new(false),
            lost: Cell::new(false),
            flow: FlowControl::default(),
        });
        let made = Rc::clone(&transport);
        on.call_soon(move || connection_made(&made))?;
        if ends {
            let watching = Rc::clone(&transport);
            on.call_soon(move || watching.add_reader())?;
        }
        on.call_soon(move || release(&waiter))?;
        Ok(transport)
    }

    pub(crate) fn get_loop(&self) -> &LoopRef {
        &self.on
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
        self.flow.set_limits(high, low)?;
        self.maybe_pause_protocol();
        Ok(())
    }

    pub(crate) fn write(self: &Rc<Self>, data: &[u8]) -> Result<()> {
        if data.is_empty() {
            return Ok(());
        }
        if self.failed.get() > 0 || self.closing.get() {
            if self.failed.get() == SILENT_WRITES {
                let message = "pipe closed by peer or os.write(pipe, data) raised exception.";
                self.report(message, None);
            }
            self.failed.set(self.failed.get().saturating_add(1));
            return Ok(());
        }
        let mut left = data;
        if self.buffer.borrow().is_empty() {
            let Some(pipe) = self.pipe() else { return Ok(()) };
            match (&*pipe).write(data) {
                Ok(count) => left = &data[count..],
                Err(error) if is_passing(&error) => {}
                Err(error) => {
                    self.failed.set(self.failed.get() + 1);
                    self.lose(Some(error.into()));
                    return Ok(());
                }
            }
            if left.is_empty() {
                return Ok(());
            }
            let transport = Rc::clone(self);
            self.on.add_writer(pipe, move || transport.write_ready())?;
        }
        self.buffer.borrow_mut().extend(left);
        self.maybe_pause_protocol();
        Ok(())
    }

    fn pipe(&self) -> Option<Rc<File>> {
        self.pipe.borrow().clone()
    }

    fn protocol(&self) -> Option<Rc<dyn Events>> {
        self.protocol.borrow().clone()
    }

    fn add_reader(self: &Rc<Self>) -> Result<()> {
        let Some(pipe) = self.pipe() else { return Ok(()) };
        let transport = Rc::clone(self);
        self.on.add_reader(pipe, move || transport.closed_by_peer())
    }

    fn remove_reader(&self) {
        // One that can't be changed is gone with its descriptor.
        let _ = self.pipe().map(|pipe| self.on.remove_reader(&pipe));
    }

    fn remove_writer(&self) {
        let _ = self.pipe().map(|pipe| self.on.remove_writer(&pipe));
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
                self.failed.set(self.failed.get() + 1);
                self.remove_writer();
                self.lose(Some(error.into()));
                return Ok(());
            }
        }
        if !self.buffer.borrow().is_empty() {
            return Ok(());
        }
        self.remove_writer();
        let resume = || self.protocol().map_or(Ok(()), |protocol| protocol.resume_writing());
        self.flow.maybe_resume(0, resume, |message, error| self.report(message, error));
        if self.closing.get() {
            self.remove_reader();
            return self.call_connection_lost(None);
        }
        Ok(())
    }

    fn maybe_pause_protocol(&self) {
        let pause = || self.protocol().map_or(Ok(()), |protocol| protocol.pause_writing());
        let report = |message: &str, error| self.report(message, error);
        self.flow.maybe_pause(self.write_buffer_size(), pause, report);
    }

    pub(crate) fn report(&self, message: &str, error: Option<Error>) {
        let mut context = ExceptionContext::new(message);
        context.exception = error;
        context.socket = Some(format!("{self:?}"));
        self.on.call_exception_handler(&context);
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
        let _ = self.on.call_soon(move || transport.call_connection_lost(error));
    }

    fn call_connection_lost(&self, error: Option<Error>) -> Result<()> {
        self.lost.set(true);
        let protocol = self.protocol();
        let outcome = match &protocol {
            Some(protocol) => caught(|| protocol.connection_lost(error)).and_then(|lost| lost),
            None => Ok(()),
        };
        // A protocol that wrote amid its own end has the loop watch the pipe again.
        self.remove_reader();
        self.remove_writer();
        let gone = (self.pipe.take(), self.protocol.take());
        drop(gone);
        outcome
    }
}

impl fmt::Debug for WritePipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Transport");
        shown.field("closing", &self.closing.get());
        shown.field("write_buffer_size", &self.write_buffer_size());
        shown.field("pipe", &*self.pipe.borrow()).finish_non_exhaustive()
    }
}
