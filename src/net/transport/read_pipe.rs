//! [`ReadPipe`]: the reading end of a pipe, which calls its protocol.

use alloc::rc::Rc;
use core::cell::Cell;
use core::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileTypeExt;

use super::callbacks::Callbacks;
use super::events::Events;
use super::read_buffer::ReadBuffer;
use super::socket::is_passing;
use super::transport_socket::TransportSocket;
use crate::asyncio::LoopFuture;
use crate::collections::RefCell;
use crate::error::{Error, ErrorKind, Result};
use crate::event_loop::{LoopRef, set_nonblocking};

/// The other end of a terminal has hung up, which is no more than the end of reading.
const EIO: i32 = 5;

/// asyncio's `_UnixReadPipeTransport`.
pub(crate) struct ReadPipe {
    callbacks: Callbacks<dyn Events>,
    reads: Rc<ReadBuffer>,
    /// Gone once the pipe is lost.
    pipe: RefCell<Option<Rc<File>>>,
    closing: Cell<bool>,
    paused: Cell<bool>,
}

impl ReadPipe {
    /// Schedules `connection_made`, the begin of reading, and the result of `waiter`, in this order.
    pub(crate) fn new(
        on: &LoopRef,
        pipe: File,
        protocol: Rc<dyn Events>,
        connection_made: impl FnOnce(&Rc<ReadPipe>) -> Result<()> + 'static,
        waiter: LoopFuture<()>,
    ) -> Result<Rc<ReadPipe>> {
        if !is_pipe(&pipe)? {
            let message = "Pipe transport is for pipes/sockets only.";
            return Err(Error::new(ErrorKind::Value, message));
        }
        set_nonblocking(&pipe)?;
        let transport = Rc::new(ReadPipe {
            callbacks: Callbacks::new(on, protocol),
            reads: ReadBuffer::of(on),
            pipe: RefCell::new(Some(Rc::new(pipe))),
            closing: Cell::new(false),
            paused: Cell::new(false),
        });
        let begin = Some(ReadPipe::add_reader);
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

    pub(crate) fn is_reading(&self) -> bool {
        !self.closing.get() && !self.paused.get()
    }

    pub(crate) fn pause_reading(&self) {
        if self.is_reading() {
            self.paused.set(true);
            self.remove_reader();
        }
    }

    pub(crate) fn resume_reading(self: &Rc<Self>) -> Result<()> {
        if self.closing.get() || !self.paused.get() {
            return Ok(());
        }
        self.paused.set(false);
        self.add_reader()
    }

    pub(crate) fn close(self: &Rc<Self>) {
        if !self.closing.get() {
            self.lose(None);
        }
    }

    fn add_reader(self: &Rc<Self>) -> Result<()> {
        let pipe = self.pipe.borrow().clone();
        let Some(pipe) = pipe.filter(|_| self.is_reading()) else { return Ok(()) };
        let transport = Rc::clone(self);
        self.get_loop().add_reader(pipe, move || transport.read_ready())
    }

    fn remove_reader(&self) {
        let pipe = self.pipe.borrow().clone();
        // One that can't be changed is gone with its descriptor.
        let _ = pipe.map(|pipe| self.get_loop().remove_reader(&pipe));
    }

    fn read_ready(self: &Rc<Self>) -> Result<()> {
        let (pipe, protocol) = (self.pipe.borrow().clone(), self.callbacks.protocol());
        let (Some(pipe), Some(protocol)) = (pipe, protocol) else { return Ok(()) };
        let mut buffer = self.reads.take();
        let outcome = match (&*pipe).read(&mut buffer) {
            Ok(0) => self.read_eof(protocol),
            // An error of the protocol is reported as that of any callback, and closes nothing.
            Ok(count) => protocol.data_received(&buffer[..count]),
            Err(error) if is_passing(&error) => Ok(()),
            Err(error) => {
                self.fatal_error(error);
                Ok(())
            }
        };
        self.reads.put_back(buffer);
        outcome
    }

    fn read_eof(self: &Rc<Self>, protocol: Rc<dyn Events>) -> Result<()> {
        self.closing.set(true);
        self.remove_reader();
        self.get_loop().call_soon(move || protocol.eof_received().map(drop))?;
        let transport = Rc::clone(self);
        self.get_loop().call_soon(move || transport.call_connection_lost(None))?;
        Ok(())
    }

    fn report(&self, message: &str, error: Option<Error>) {
        self.callbacks.report(self, message, error);
    }

    fn fatal_error(self: &Rc<Self>, error: io::Error) {
        let is_end = error.raw_os_error() == Some(EIO);
        let error = Error::from(error);
        if !is_end {
            self.report("Fatal read error on pipe transport", Some(error.clone()));
        }
        self.lose(Some(error));
    }

    /// Schedules the call of `connection_lost`: asyncio's `_close`.
    fn lose(self: &Rc<Self>, error: Option<Error>) {
        self.closing.set(true);
        self.remove_reader();
        let transport = Rc::clone(self);
        // A loop that has closed calls nothing; it has dropped the pipe.
        self.get_loop().call_soon_or_report(move || transport.call_connection_lost(error));
    }

    fn call_connection_lost(&self, error: Option<Error>) -> Result<()> {
        let outcome = self.callbacks.connection_lost(error);
        let gone = (self.pipe.take(), self.callbacks.take());
        drop(gone);
        outcome
    }
}

/// Returns whether `file` can be watched and read in parts: a pipe, a socket or a terminal.
pub(super) fn is_pipe(file: &File) -> Result<bool> {
    let kind = file.metadata()?.file_type();
    Ok(kind.is_fifo() || kind.is_socket() || kind.is_char_device())
}

impl fmt::Debug for ReadPipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Transport");
        // The writer may close the pipe: nothing is borrowed meanwhile.
        let pipe = self.pipe.borrow().clone();
        shown.field("closing", &self.closing.get()).field("pipe", &pipe);
        shown.finish_non_exhaustive()
    }
}
