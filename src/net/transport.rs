//! [`Transport`]: a connection that calls its protocol.

use alloc::boxed::Box;
use alloc::format;
use alloc::rc::{Rc, Weak};
use alloc::vec;
use alloc::vec::Vec;
use core::any::Any;
use core::cell::{Cell, RefCell};
use core::fmt;

use super::byte_buffer::ByteBuffer;
use super::events::Events;
use super::socket::{Address, Socket, is_passing};
use crate::asyncio::{LoopExtension, LoopFuture, TaskRegistry, release};
use crate::error::{Error, ErrorKind, Result};
use crate::event_loop::{ExceptionContext, LoopRef};
use crate::panics::caught;

/// The most bytes that one read takes: asyncio's `max_size`.
const MAX_SIZE: usize = 256 * 1024;

/// Writes after a lost connection that are let through without a word in the log.
const SILENT_WRITES: u32 = 5;

/// The buffer into which all transports of a loop read.
#[derive(Default)]
struct ReadBuffer(Cell<Option<Box<[u8]>>>);

impl LoopExtension for ReadBuffer {
    fn close(&self, _event_loop: &LoopRef) {
        self.0.take();
    }

    fn into_any(self: Rc<Self>) -> Rc<dyn Any> {
        self
    }
}

/// A connection that calls its [`Protocol`](super::Protocol): asyncio's transport of a socket.
///
/// Clones are the same connection. It lives until it is closed or aborted, or its loop closes.
#[derive(Clone)]
pub struct Transport(Rc<Connection>);

pub(super) struct Connection {
    on: LoopRef,
    reads: Rc<ReadBuffer>,
    /// Gone once the connection is lost.
    socket: RefCell<Option<Socket>>,
    protocol: RefCell<Option<Rc<dyn Events>>>,
    sockname: Option<Address>,
    peername: Option<Address>,
    buffer: RefCell<ByteBuffer>,
    /// 1 and more once the call of `connection_lost` is scheduled; counts the writes after it.
    lost: Cell<u32>,
    closing: Cell<bool>,
    paused: Cell<bool>,
    eof: Cell<bool>,
    protocol_paused: Cell<bool>,
    low: Cell<usize>,
    high: Cell<usize>,
    /// Called when the connection is gone.
    detach: Cell<Option<Box<dyn FnOnce()>>>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(detach) = self.detach.take() {
            detach();
        }
    }
}

impl Transport {
    /// Schedules `connection_made`, the begin of reading, and the result of `waiter`, in this order.
    pub(super) fn new(
        on: &LoopRef,
        socket: Socket,
        protocol: Rc<dyn Events>,
        connection_made: impl FnOnce(&Transport) -> Result<()> + 'static,
        waiter: LoopFuture<()>,
    ) -> Result<Transport> {
        let (sockname, peername) = socket.addresses();
        socket.set_nodelay();
        let transport = Transport(Rc::new(Connection {
            on: on.clone(),
            reads: TaskRegistry::of(on).extension(),
            socket: RefCell::new(Some(socket)),
            protocol: RefCell::new(Some(protocol)),
            sockname,
            peername,
            buffer: RefCell::default(),
            lost: Cell::new(0),
            closing: Cell::new(false),
            paused: Cell::new(false),
            eof: Cell::new(false),
            protocol_paused: Cell::new(false),
            low: Cell::new(16 * 1024),
            high: Cell::new(64 * 1024),
            detach: Cell::default(),
        }));
        let made = transport.clone();
        on.call_soon(move || connection_made(&made))?;
        let reading = transport.clone();
        on.call_soon(move || reading.add_reader())?;
        on.call_soon(move || release(&waiter))?;
        Ok(transport)
    }

    /// Has `detach` called when the connection is gone.
    pub(super) fn attach(&self, detach: impl FnOnce() + 'static) {
        self.0.detach.set(Some(Box::new(detach)));
    }

    pub(super) fn downgrade(&self) -> Weak<Connection> {
        Rc::downgrade(&self.0)
    }

    pub(super) fn upgrade(weak: &Weak<Connection>) -> Option<Transport> {
        weak.upgrade().map(Transport)
    }

    /// The loop on which it reads and writes.
    #[must_use]
    pub fn get_loop(&self) -> &LoopRef {
        &self.0.on
    }

    /// The address of this end: `get_extra_info('sockname')`.
    #[must_use]
    pub fn sockname(&self) -> Option<Address> {
        self.0.sockname.clone()
    }

    /// The address of the other end: `get_extra_info('peername')`.
    #[must_use]
    pub fn peername(&self) -> Option<Address> {
        self.0.peername.clone()
    }

    /// Returns whether it is closed or about to be: `is_closing`.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.0.closing.get()
    }

    /// Returns whether it receives: `is_reading`.
    #[must_use]
    pub fn is_reading(&self) -> bool {
        !self.0.closing.get() && !self.0.paused.get()
    }

    /// Stops calls of `data_received`: `pause_reading`. May be called again.
    pub fn pause_reading(&self) {
        if self.is_reading() {
            self.0.paused.set(true);
            self.remove_reader();
        }
    }

    /// Receives again: `resume_reading`. May be called again.
    ///
    /// # Errors
    ///
    /// What the system says where it can't watch the socket.
    pub fn resume_reading(&self) -> Result<()> {
        if self.0.closing.get() || !self.0.paused.get() {
            return Ok(());
        }
        self.0.paused.set(false);
        self.add_reader()
    }

    /// Closes the connection once what was written is sent: `close`. `connection_lost(None)` is
    /// called afterwards.
    pub fn close(&self) {
        if self.0.closing.replace(true) {
            return;
        }
        self.remove_reader();
        if self.0.buffer.borrow().is_empty() {
            self.lose(None);
        }
    }

    /// Closes the connection at once, and drops what was not sent: `abort`.
    pub fn abort(&self) {
        self.force_close(None);
    }

    /// The number of written bytes that are not sent: `get_write_buffer_size`.
    #[must_use]
    pub fn write_buffer_size(&self) -> usize {
        self.0.buffer.borrow().len()
    }

    /// The low-water and the high-water mark: `get_write_buffer_limits`.
    #[must_use]
    pub fn write_buffer_limits(&self) -> (usize, usize) {
        (self.0.low.get(), self.0.high.get())
    }

    /// Sets the marks: `set_write_buffer_limits`. By default `high` is 64 KiB, or four times `low`;
    /// and `low` is a quarter of `high`.
    ///
    /// # Errors
    ///
    /// [`Value`](ErrorKind::Value) if `low` is above `high`.
    pub fn set_write_buffer_limits(&self, high: Option<usize>, low: Option<usize>) -> Result<()> {
        let high = high.unwrap_or_else(|| low.map_or(64 * 1024, |low| low.saturating_mul(4)));
        let low = low.unwrap_or(high / 4);
        if low > high {
            let message = format!("high ({high}) must be >= low ({low}) must be >= 0");
            return Err(Error::new(ErrorKind::Value, message));
        }
        self.0.high.set(high);
        self.0.low.set(low);
        self.maybe_pause_protocol();
        Ok(())
    }

    /// Sends `data`, now as far as the system takes it and the rest later: `write`. It never
    /// waits. After the connection is lost it does nothing.
    ///
    /// # Errors
    ///
    /// [`Runtime`](ErrorKind::Runtime) after [`write_eof`](Transport::write_eof); what the system
    /// says where it can't watch the socket. An error of sending closes the connection, and is
    /// given to `connection_lost`.
    pub fn write(&self, data: &[u8]) -> Result<()> {
        if self.0.eof.get() {
            return Err(Error::runtime("Cannot call write() after write_eof()"));
        }
        if data.is_empty() || self.is_lost() {
            return Ok(());
        }
        let mut left = data;
        if self.0.buffer.borrow().is_empty() {
            let Some(socket) = self.socket() else { return Ok(()) };
            match socket.send(data) {
                Ok(count) => left = &data[count..],
                Err(error) if is_passing(&error) => {}
                Err(error) => {
                    self.fatal_error(error.into(), "Fatal write error on socket transport");
                    return Ok(());
                }
            }
            if left.is_empty() {
                return Ok(());
            }
            self.add_writer(&socket)?;
        }
        self.0.buffer.borrow_mut().extend(left);
        self.maybe_pause_protocol();
        Ok(())
    }

    /// Sends all of `parts`, as one [`write`](Transport::write): `writelines`.
    ///
    /// # Errors
    ///
    /// As [`write`](Transport::write).
    pub fn writelines<T: AsRef<[u8]>>(&self, parts: impl IntoIterator<Item = T>) -> Result<()> {
        let mut all = Vec::new();
        parts.into_iter().for_each(|part| all.extend_from_slice(part.as_ref()));
        self.write(&all)
    }

    /// Ends the direction of writing once what was written is sent: `write_eof`.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn write_eof(&self) -> Result<()> {
        if self.0.closing.get() || self.0.eof.replace(true) {
            return Ok(());
        }
        let is_sent = self.0.buffer.borrow().is_empty();
        match self.socket() {
            Some(socket) if is_sent => Ok(socket.end_writing()?),
            _ => Ok(()),
        }
    }

    /// Returns true: `can_write_eof`.
    #[must_use]
    pub fn can_write_eof(&self) -> bool {
        true
    }

    fn socket(&self) -> Option<Socket> {
        self.0.socket.borrow().clone()
    }

    fn protocol(&self) -> Option<Rc<dyn Events>> {
        self.0.protocol.borrow().clone()
    }

    fn add_reader(&self) -> Result<()> {
        let Some(socket) = self.socket().filter(|_| self.is_reading()) else { return Ok(()) };
        let transport = self.clone();
        socket.add_reader(&self.0.on, move || transport.read_ready())
    }

    fn remove_reader(&self) {
        if let Some(socket) = self.socket() {
            socket.remove_reader(&self.0.on);
        }
    }

    fn add_writer(&self, socket: &Socket) -> Result<()> {
        let transport = self.clone();
        socket.add_writer(&self.0.on, move || transport.write_ready())
    }

    fn remove_writer(&self) {
        if let Some(socket) = self.socket() {
            socket.remove_writer(&self.0.on);
        }
    }

    /// Returns whether the connection is lost, and counts the writes after that.
    fn is_lost(&self) -> bool {
        let lost = self.0.lost.get();
        if lost == SILENT_WRITES {
            self.report("socket.send() raised exception.", None);
        }
        if lost > 0 {
            self.0.lost.set(lost.saturating_add(1));
        }
        lost > 0
    }

    fn read_ready(&self) {
        let (Some(socket), Some(protocol)) = (self.socket(), self.protocol()) else { return };
        if self.0.lost.get() > 0 {
            return;
        }
        let mut buffer =
            self.0.reads.0.take().unwrap_or_else(|| vec![0; MAX_SIZE].into_boxed_slice());
        let (outcome, what) = match socket.recv(&mut buffer) {
            Ok(0) => {
                self.read_eof(&socket, &*protocol);
                (Ok(()), "")
            }
            Ok(count) => {
                let received = caught(|| protocol.data_received(&buffer[..count]));
                let what = "Fatal error: protocol.data_received() call failed.";
                (received.and_then(|received| received), what)
            }
            Err(error) if is_passing(&error) => (Ok(()), ""),
            Err(error) => (Err(error.into()), "Fatal read error on socket transport"),
        };
        self.0.reads.0.set(Some(buffer));
        if let Err(error) = outcome {
            self.fatal_error(error, what);
        }
    }

    fn read_eof(&self, socket: &Socket, protocol: &dyn Events) {
        match caught(|| protocol.eof_received()).and_then(|answer| answer) {
            Ok(true) => socket.remove_reader(&self.0.on),
            Ok(false) => self.close(),
            Err(error) => {
                self.fatal_error(error, "Fatal error: protocol.eof_received() call failed.");
            }
        }
    }

    fn write_ready(&self) -> Result<()> {
        let Some(socket) = self.socket() else { return Ok(()) };
        if self.0.lost.get() > 0 {
            return Ok(());
        }
        let sent = socket.send(self.0.buffer.borrow().as_slice());
        match sent {
            Ok(count) => self.0.buffer.borrow_mut().skip(count),
            Err(error) if is_passing(&error) => return Ok(()),
            Err(error) => {
                self.remove_writer();
                self.0.buffer.take();
                self.fatal_error(error.into(), "Fatal write error on socket transport");
                return Ok(());
            }
        }
        self.maybe_resume_protocol();
        if !self.0.buffer.borrow().is_empty() {
            return Ok(());
        }
        self.remove_writer();
        if self.0.closing.get() {
            self.call_connection_lost(None)
        } else if self.0.eof.get() {
            Ok(socket.end_writing()?)
        } else {
            Ok(())
        }
    }

    fn maybe_pause_protocol(&self) {
        if self.write_buffer_size() <= self.0.high.get() || self.0.protocol_paused.replace(true) {
            return;
        }
        let Some(protocol) = self.protocol() else { return };
        if let Err(error) = caught(|| protocol.pause_writing()).and_then(|paused| paused) {
            self.report("protocol.pause_writing() failed", Some(error));
        }
    }

    fn maybe_resume_protocol(&self) {
        if !self.0.protocol_paused.get() || self.write_buffer_size() > self.0.low.get() {
            return;
        }
        self.0.protocol_paused.set(false);
        let Some(protocol) = self.protocol() else { return };
        if let Err(error) = caught(|| protocol.resume_writing()).and_then(|resumed| resumed) {
            self.report("protocol.resume_writing() failed", Some(error));
        }
    }

    pub(super) fn report(&self, message: &str, error: Option<Error>) {
        let mut context = ExceptionContext::new(message);
        context.exception = error;
        context.socket = Some(format!("{self:?}"));
        self.0.on.call_exception_handler(&context);
    }

    fn fatal_error(&self, error: Error, message: &str) {
        if error.kind() != ErrorKind::Io {
            self.report(message, Some(error.clone()));
        }
        self.force_close(Some(error));
    }

    fn force_close(&self, error: Option<Error>) {
        if self.0.lost.get() > 0 {
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
        self.0.lost.set(self.0.lost.get() + 1);
        self.remove_writer();
        let transport = self.clone();
        // A loop that has closed calls nothing; it has dropped the socket.
        let _ = self.0.on.call_soon(move || transport.call_connection_lost(error));
    }

    fn call_connection_lost(&self, error: Option<Error>) -> Result<()> {
        let outcome = match self.protocol() {
            Some(protocol) => caught(|| protocol.connection_lost(error)).and_then(|lost| lost),
            None => Ok(()),
        };
        let gone = (self.0.protocol.take(), self.0.socket.take(), self.0.detach.take());
        let (protocol, socket, detach) = gone;
        drop(socket);
        if let Some(detach) = detach {
            detach();
        }
        drop(protocol);
        outcome
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Transport");
        shown.field("closing", &self.is_closing());
        shown.field("write_buffer_size", &self.write_buffer_size());
        shown.field("peername", &self.0.peername).finish_non_exhaustive()
    }
}
