//! [`SocketTransport`]: a connected socket that calls its protocol.

use alloc::format;
use alloc::rc::{Rc, Weak};
use alloc::vec::Vec;
use core::cell::Cell;
use core::fmt;
use std::io;

use super::address::{Address, Ends};
use super::byte_buffer::ByteBuffer;
use super::callbacks::Callbacks;
use super::events::Events;
use super::flow_control::{FlowControl, HIGH_WATER};
use super::lost_writes::LostWrites;
use super::read_buffer::ReadBuffer;
use super::socket::{Socket, is_passing};
use super::transport_socket::TransportSocket;
use crate::asyncio::LoopFuture;
use crate::collections::{CellExt, Key, RefCell};
use crate::error::{Error, Result};
use crate::event_loop::LoopRef;
use crate::net::settle::settle;
use crate::panics::caught;

/// asyncio's `_SelectorSocketTransport`. Clones are the same connection.
#[derive(Clone)]
pub(crate) struct SocketTransport(Rc<Connection>);

pub(crate) struct Connection {
    callbacks: Callbacks<dyn Events>,
    reads: Rc<ReadBuffer>,
    /// Gone once the connection is lost.
    socket: Cell<Option<Socket>>,
    ends: Ends,
    buffer: RefCell<ByteBuffer>,
    /// The call of `connection_lost` is scheduled.
    lost: LostWrites,
    closing: Cell<bool>,
    paused: Cell<bool>,
    eof: Cell<bool>,
    flow: FlowControl,
    /// A file is being sent: the wait for that, or for the buffer before.
    file: Cell<Option<LoopFuture<()>>>,
    /// To be told when the connection is gone.
    attached: Cell<Option<(Rc<dyn Clients>, Key)>>,
}

/// The connections of a server: the key that it has given to one says which is gone.
pub(crate) trait Clients {
    fn detach(&self, key: Key);
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.detach();
    }
}

impl Connection {
    /// Calls `body`, a system call, with the socket, until the connection is lost.
    #[inline]
    fn with_socket<R>(&self, body: impl FnOnce(&Socket) -> R) -> Option<R> {
        self.socket.with(|socket| socket.as_ref().map(body))
    }

    fn detach(&self) {
        if let Some((clients, key)) = self.attached.take() {
            clients.detach(key);
        }
    }
}

impl SocketTransport {
    pub(crate) fn new(
        on: &LoopRef,
        socket: Socket,
        protocol: Rc<dyn Events>,
        connection_made: impl FnOnce(&SocketTransport) -> Result<()> + 'static,
        waiter: impl Into<Option<LoopFuture<()>>>,
    ) -> Result<SocketTransport> {
        let ends = socket.ends();
        socket.set_nodelay();
        let transport = SocketTransport(Rc::new(Connection {
            callbacks: Callbacks::new(on, protocol),
            reads: ReadBuffer::of(on),
            socket: Cell::new(Some(socket)),
            ends,
            buffer: RefCell::default(),
            lost: LostWrites::default(),
            closing: Cell::new(false),
            paused: Cell::new(false),
            eof: Cell::new(false),
            flow: FlowControl::default(),
            file: Cell::default(),
            attached: Cell::default(),
        }));
        let begin = Some(SocketTransport::add_reader);
        transport.0.callbacks.start(&transport, connection_made, begin, waiter)?;
        Ok(transport)
    }

    pub(crate) fn attach(&self, clients: Rc<dyn Clients>, key: Key) {
        self.0.attached.set(Some((clients, key)));
    }

    pub(crate) fn downgrade(&self) -> Weak<Connection> {
        Rc::downgrade(&self.0)
    }

    pub(crate) fn upgrade(weak: &Weak<Connection>) -> Option<SocketTransport> {
        weak.upgrade().map(SocketTransport)
    }

    pub(crate) fn callbacks(&self) -> &Callbacks<dyn Events> {
        &self.0.callbacks
    }

    pub(crate) fn flow(&self) -> &FlowControl {
        &self.0.flow
    }

    /// The socket, for a file that is to be sent. Until [`end_file`](SocketTransport::end_file),
    /// writes are refused, and the end of the connection fails `waits`. It is done once the buffer
    /// is empty.
    pub(crate) fn begin_file(&self, waits: &LoopFuture<()>) -> Result<Socket> {
        if self.has_file() {
            return Err(Error::runtime("Empty waiter is already set"));
        }
        let socket = self.socket().ok_or_else(|| Error::runtime("Transport is closing"))?;
        self.0.file.replace(Some(waits.clone()));
        if self.0.buffer.borrow().is_empty() {
            self.end_wait(None);
        }
        Ok(socket)
    }

    /// Fails `waits` from now on, in the place of the future before.
    pub(crate) fn go_on_with_file(&self, waits: &LoopFuture<()>) {
        self.0.file.replace(Some(waits.clone()));
    }

    pub(crate) fn end_file(&self) {
        drop(self.0.file.take());
    }

    #[inline]
    fn has_file(&self) -> bool {
        self.0.file.with(|file| file.is_some())
    }

    fn end_wait(&self, error: Option<&Error>) {
        let waits = self.0.file.with(|file| file.clone());
        if let Some(waits) = waits {
            settle(&waits, error);
        }
    }

    pub(crate) fn get_loop(&self) -> &LoopRef {
        self.0.callbacks.event_loop()
    }

    pub(crate) fn source(&self) -> Option<TransportSocket> {
        self.socket().map(|socket| socket.source())
    }

    #[cfg(feature = "tls")]
    pub(crate) fn ends(&self) -> Ends {
        self.0.ends.clone()
    }

    pub(crate) fn sockname(&self) -> Option<Address> {
        self.0.ends.own()
    }

    pub(crate) fn peername(&self) -> Option<Address> {
        self.0.ends.peer()
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.0.closing.get()
    }

    pub(crate) fn is_reading(&self) -> bool {
        !self.0.closing.get() && !self.0.paused.get()
    }

    pub(crate) fn pause_reading(&self) {
        if self.is_reading() {
            self.0.paused.set(true);
            self.remove_reader();
        }
    }

    pub(crate) fn resume_reading(&self) -> Result<()> {
        if self.0.closing.get() || !self.0.paused.get() {
            return Ok(());
        }
        self.0.paused.set(false);
        self.add_reader()
    }

    pub(crate) fn close(&self) {
        if self.0.closing.replace(true) {
            return;
        }
        self.remove_reader();
        if self.0.buffer.borrow().is_empty() {
            self.lose(None);
        }
    }

    pub(crate) fn abort(&self) {
        self.force_close(None);
    }

    pub(crate) fn write_buffer_size(&self) -> usize {
        self.0.buffer.borrow().len()
    }

    pub(crate) fn write_buffer_limits(&self) -> (usize, usize) {
        self.0.flow.limits()
    }

    pub(crate) fn set_write_buffer_limits(
        &self,
        high: Option<usize>,
        low: Option<usize>,
    ) -> Result<()> {
        self.0.flow.set_limits(HIGH_WATER, high, low)?;
        self.0.callbacks.maybe_pause(&self.0.flow, self.write_buffer_size(), self);
        Ok(())
    }

    /// Refuses what can't be written any more, or not now.
    fn check_write(&self, what: &str) -> Result<()> {
        if self.0.eof.get() {
            return Err(Error::runtime(format!("Cannot call {what}() after write_eof()")));
        }
        if self.has_file() {
            return Err(Error::runtime(format!("unable to {what}; sendfile is in progress")));
        }
        Ok(())
    }

    /// Writes, and also tries to send what waits already.
    pub(crate) fn writelines(&self, data: &[u8]) -> Result<()> {
        self.check_write("writelines")?;
        if data.is_empty() || self.0.closing.get() || self.0.buffer.borrow().is_empty() {
            return self.write(data);
        }
        self.0.buffer.borrow_mut().extend(data);
        self.write_ready()?;
        if let Some(socket) = self.socket().filter(|_| !self.0.buffer.borrow().is_empty()) {
            // It takes the place of the one before, which is not run if it is ready: so it is in asyncio.
            self.add_writer(&socket)?;
        }
        self.0.callbacks.maybe_pause(&self.0.flow, self.write_buffer_size(), self);
        Ok(())
    }

    pub(crate) fn write(&self, data: &[u8]) -> Result<()> {
        self.check_write("write")?;
        if data.is_empty() || self.0.lost.refuses(LOST_WRITE) {
            return Ok(());
        }
        let mut left = data;
        if self.0.buffer.borrow().is_empty() {
            match self.0.with_socket(|socket| socket.send(data)) {
                None => return Ok(()),
                Some(Ok(count)) => left = &data[count..],
                Some(Err(error)) if is_passing(&error) => {}
                Some(Err(error)) => {
                    self.fatal_error(error.into(), "Fatal write error on socket transport");
                    return Ok(());
                }
            }
            if left.is_empty() {
                return Ok(());
            }
            let Some(socket) = self.socket() else { return Ok(()) };
            self.add_writer(&socket)?;
        }
        self.0.buffer.borrow_mut().extend(left);
        self.0.callbacks.maybe_pause(&self.0.flow, self.write_buffer_size(), self);
        Ok(())
    }

    pub(crate) fn write_eof(&self) -> Result<()> {
        if self.0.closing.get() || self.0.eof.replace(true) {
            return Ok(());
        }
        let is_sent = self.0.buffer.borrow().is_empty();
        match self.socket() {
            Some(socket) if is_sent => Ok(socket.end_writing()?),
            _ => Ok(()),
        }
    }

    fn socket(&self) -> Option<Socket> {
        self.0.socket.with(|socket| socket.clone())
    }

    fn add_reader(&self) -> Result<()> {
        let Some(socket) = self.socket().filter(|_| self.is_reading()) else { return Ok(()) };
        let transport = self.clone();
        socket.add_reader(self.get_loop(), move || transport.read_ready())
    }

    fn remove_reader(&self) {
        if let Some(socket) = self.socket() {
            socket.remove_reader(self.get_loop());
        }
    }

    fn add_writer(&self, socket: &Socket) -> Result<()> {
        let transport = self.clone();
        socket.add_writer(self.get_loop(), move || transport.write_ready())
    }

    fn remove_writer(&self) {
        if let Some(socket) = self.socket() {
            socket.remove_writer(self.get_loop());
        }
    }

    /// Receives; where the protocol has ended the connection in between, as if nothing were there.
    fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let received = self.0.with_socket(|socket| socket.recv(buffer));
        received.unwrap_or_else(|| Err(io::ErrorKind::WouldBlock.into()))
    }

    fn read_ready(&self) {
        let Some(protocol) = self.0.callbacks.protocol() else { return };
        if self.0.lost.is_lost() {
            return;
        }
        if protocol.may_have_buffers() {
            if let Some(own) = caught(|| protocol.get_buffer()).transpose() {
                return self.read_into(&*protocol, own.and_then(|own| own));
            }
        }
        let mut buffer = self.0.reads.take();
        let (outcome, what) = match self.recv(&mut buffer) {
            Ok(0) => {
                self.read_eof();
                (Ok(()), "")
            }
            Ok(count) => {
                let received = caught(|| protocol.data_received(&buffer[..count]));
                (received.and_then(|received| received), protocol.read_failure())
            }
            Err(error) => (passing_or(error), READ_FAILED),
        };
        self.0.reads.put_back(buffer);
        if let Err(error) = outcome {
            self.fatal_error(error, what);
        }
    }

    /// Reads into a buffer of the protocol: asyncio's `_read_ready__get_buffer`.
    fn read_into(&self, protocol: &dyn Events, buffer: Result<Vec<u8>>) {
        let is_empty = || Error::runtime("get_buffer() returned an empty buffer");
        let buffer = buffer.and_then(|own| if own.is_empty() { Err(is_empty()) } else { Ok(own) });
        let mut buffer = match buffer {
            Ok(buffer) => buffer,
            Err(error) => {
                return self.fatal_error(error, "Fatal error: protocol.get_buffer() call failed.");
            }
        };
        let (outcome, what) = match self.recv(&mut buffer) {
            Ok(0) => return self.read_eof(),
            Ok(count) => {
                let updated = caught(|| protocol.buffer_updated(buffer, count));
                let what = "Fatal error: protocol.buffer_updated() call failed.";
                (updated.and_then(|updated| updated), what)
            }
            Err(error) => (passing_or(error), READ_FAILED),
        };
        if let Err(error) = outcome {
            self.fatal_error(error, what);
        }
    }

    fn read_eof(&self) {
        let Some(protocol) = self.0.callbacks.protocol() else { return };
        match caught(|| protocol.eof_received()).and_then(|answer| answer) {
            Ok(true) => self.remove_reader(),
            Ok(false) => self.close(),
            Err(error) => {
                self.fatal_error(error, "Fatal error: protocol.eof_received() call failed.");
            }
        }
    }

    fn write_ready(&self) -> Result<()> {
        let Some(socket) = self.socket() else { return Ok(()) };
        if self.0.lost.is_lost() {
            return Ok(());
        }
        let sent = socket.send(self.0.buffer.borrow().as_slice());
        match sent {
            Ok(count) => self.0.buffer.borrow_mut().skip(count),
            Err(error) if is_passing(&error) => return Ok(()),
            Err(error) => {
                let error = Error::from(error);
                self.remove_writer();
                self.0.buffer.take();
                self.fatal_error(error.clone(), "Fatal write error on socket transport");
                self.end_wait(Some(&error));
                return Ok(());
            }
        }
        self.0.callbacks.maybe_resume(&self.0.flow, self.write_buffer_size(), self);
        if !self.0.buffer.borrow().is_empty() {
            return Ok(());
        }
        self.remove_writer();
        self.end_wait(None);
        if self.0.closing.get() {
            self.call_connection_lost(None)
        } else if self.0.eof.get() {
            Ok(socket.end_writing()?)
        } else {
            Ok(())
        }
    }

    pub(crate) fn report(&self, message: &str, error: Option<Error>) {
        self.0.callbacks.report(self, message, error);
    }

    fn fatal_error(&self, error: Error, message: &str) {
        if !error.is_os_error() {
            self.report(message, Some(error.clone()));
        }
        self.force_close(Some(error));
    }

    pub(crate) fn force_close(&self, error: Option<Error>) {
        if self.0.lost.is_lost() {
            return;
        }
        if !self.0.buffer.take().is_empty() {
            self.remove_writer();
        }
        if !self.0.closing.replace(true) {
            self.remove_reader();
        }
        self.lose(error);
    }

    /// Schedules the call of `connection_lost`.
    fn lose(&self, error: Option<Error>) {
        self.0.lost.lose();
        self.remove_writer();
        let transport = self.clone();
        // A loop that has closed calls nothing; it has dropped the socket.
        self.get_loop().call_soon_or_report(move || transport.call_connection_lost(error));
    }

    fn call_connection_lost(&self, error: Option<Error>) -> Result<()> {
        let outcome = self.0.callbacks.connection_lost(error);
        // A protocol that wrote amid its own end has the loop watch the socket again.
        self.remove_writer();
        let (protocol, socket) = (self.0.callbacks.take(), self.0.socket.take());
        drop(socket);
        // A server that waits for its connections is called before the code that sends a file over this one.
        self.0.detach();
        let closed =
            || io::Error::new(io::ErrorKind::ConnectionReset, "Connection is closed by peer");
        if self.has_file() {
            self.end_wait(Some(&closed().into()));
        }
        drop(protocol);
        outcome
    }
}

const READ_FAILED: &str = "Fatal read error on socket transport";
/// The warning of writes after the loss of a socket.
pub(crate) const LOST_WRITE: &str = "socket.send() raised exception.";

/// Nothing where the operation is to be tried again, or the error.
fn passing_or(error: io::Error) -> Result<()> {
    if is_passing(&error) { Ok(()) } else { Err(error.into()) }
}

impl fmt::Debug for SocketTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Transport");
        shown.field("closing", &self.is_closing());
        shown.field("write_buffer_size", &self.write_buffer_size());
        shown.field("peername", &self.peername()).finish_non_exhaustive()
    }
}
