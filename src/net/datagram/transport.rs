//! [`DatagramTransport`]: a socket that sends datagrams, and calls its protocol with those that come.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::Cell;
use core::fmt;

use super::events::DatagramEvents;
use super::socket::Socket;
use crate::asyncio::LoopFuture;
use crate::collections::RefCell;
use crate::error::{Error, ErrorKind, Result};
use crate::event_loop::LoopRef;
use crate::net::transport::{
    Address, Callbacks, Close, FlowControl, HIGH_WATER, LOST_WRITE, LostWrites, ReadBuffer,
    TransportSocket, is_passing,
};

/// The bytes of a header, by which each datagram that is not sent counts more than its own.
const HEADER: usize = 8;

/// An endpoint of datagrams that calls its [`DatagramProtocol`](super::DatagramProtocol): `asyncio.DatagramTransport`.
///
/// Clones are the same endpoint. It lives until it is closed or aborted, or its loop closes.
#[derive(Clone)]
pub struct DatagramTransport(Rc<Endpoint>);

struct Endpoint {
    callbacks: Callbacks<dyn DatagramEvents>,
    reads: Rc<ReadBuffer>,
    /// Gone once the endpoint is closed.
    socket: RefCell<Option<Socket>>,
    sockname: Option<Address>,
    peername: Option<Address>,
    /// The only address to send to, if there is one.
    remote: Option<Address>,
    buffer: RefCell<VecDeque<(Vec<u8>, Option<Address>)>>,
    size: Cell<usize>,
    /// The call of `connection_lost` is scheduled.
    lost: LostWrites,
    closing: Cell<bool>,
    flow: FlowControl,
}

impl DatagramTransport {
    /// Schedules `connection_made`, the begin of reading, and the result of `waiter`, in this order.
    pub(super) fn new(
        on: &LoopRef,
        socket: Socket,
        protocol: Rc<dyn DatagramEvents>,
        connection_made: impl FnOnce(&DatagramTransport) -> Result<()> + 'static,
        remote: Option<Address>,
        waiter: LoopFuture<()>,
    ) -> Result<DatagramTransport> {
        let (sockname, peername) = socket.addresses();
        let transport = DatagramTransport(Rc::new(Endpoint {
            callbacks: Callbacks::new(on, protocol),
            reads: ReadBuffer::of(on),
            socket: RefCell::new(Some(socket)),
            sockname,
            peername,
            remote,
            buffer: RefCell::default(),
            size: Cell::new(0),
            lost: LostWrites::default(),
            closing: Cell::new(false),
            flow: FlowControl::default(),
        }));
        let begin = Some(DatagramTransport::add_reader);
        transport.0.callbacks.start(&transport, connection_made, begin, waiter)?;
        Ok(transport)
    }

    /// The loop on which it sends and receives.
    #[must_use]
    pub fn get_loop(&self) -> &LoopRef {
        self.0.callbacks.event_loop()
    }

    pub(super) fn callbacks(&self) -> &Callbacks<dyn DatagramEvents> {
        &self.0.callbacks
    }

    /// The socket itself, until it is lost: `get_extra_info('socket')`.
    #[must_use]
    pub fn socket(&self) -> Option<TransportSocket> {
        self.own_socket().map(|socket| socket.source())
    }

    /// The address of this end: `get_extra_info('sockname')`.
    #[must_use]
    pub fn sockname(&self) -> Option<Address> {
        self.0.sockname.clone()
    }

    /// The address of the other end, if the socket is connected: `get_extra_info('peername')`.
    #[must_use]
    pub fn peername(&self) -> Option<Address> {
        self.0.peername.clone()
    }

    /// Returns whether it is closed or about to be: `is_closing`.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.0.closing.get()
    }

    /// Closes the endpoint once what was written is sent: `close`. `connection_lost(None)` is called
    /// afterwards.
    pub fn close(&self) {
        if self.0.closing.replace(true) {
            return;
        }
        self.remove_reader();
        if self.0.buffer.borrow().is_empty() {
            self.lose(None);
        }
    }

    /// Closes the endpoint at once, and drops what was not sent: `abort`.
    pub fn abort(&self) {
        if self.0.lost.is_lost() {
            return;
        }
        if !self.0.buffer.take().is_empty() {
            self.0.size.set(0);
            self.remove_writer();
        }
        if !self.0.closing.replace(true) {
            self.remove_reader();
        }
        self.lose(None);
    }

    /// The number of bytes that are not sent, with 8 for each datagram: `get_write_buffer_size`.
    #[must_use]
    pub fn write_buffer_size(&self) -> usize {
        self.0.size.get()
    }

    /// The low-water and the high-water mark: `get_write_buffer_limits`.
    #[must_use]
    pub fn write_buffer_limits(&self) -> (usize, usize) {
        self.0.flow.limits()
    }

    /// Sets the marks: `set_write_buffer_limits`. See
    /// [`Transport::set_write_buffer_limits`](crate::net::Transport::set_write_buffer_limits).
    ///
    /// # Errors
    ///
    /// [`Value`](ErrorKind::Value) if `low` is above `high`.
    pub fn set_write_buffer_limits(&self, high: Option<usize>, low: Option<usize>) -> Result<()> {
        self.0.flow.set_limits(HIGH_WATER, high, low)?;
        self.0.callbacks.maybe_pause(&self.0.flow, self.write_buffer_size(), self);
        Ok(())
    }

    /// Sends `data` to `address`, or to the remote address of the endpoint, now if the system takes
    /// it and later otherwise: `sendto`. It never waits. An error of the system is given to
    /// `error_received`.
    ///
    /// # Errors
    ///
    /// [`Value`](ErrorKind::Value) if `address` is another than the remote one, or if there is none
    /// of both; the error of `error_received`; what the system says where it can't watch the
    /// socket.
    pub fn sendto(&self, data: &[u8], address: Option<&Address>) -> Result<()> {
        let to = self.target(address)?;
        if self.0.remote.is_some() && self.0.lost.refuses(LOST_WRITE) {
            return Ok(());
        }
        let Some(socket) = self.own_socket() else { return Ok(()) };
        if self.0.buffer.borrow().is_empty() {
            match self.send(&socket, data, to) {
                Ok(()) => return Ok(()),
                Err(error) if is_passing(&error) => {
                    let transport = self.clone();
                    socket.add_writer(self.get_loop(), move || transport.write_ready())?;
                }
                Err(error) => return self.error_received(error.into()),
            }
        }
        self.0.buffer.borrow_mut().push_back((data.to_vec(), to.cloned()));
        self.0.size.set(self.0.size.get() + data.len() + HEADER);
        self.0.callbacks.maybe_pause(&self.0.flow, self.write_buffer_size(), self);
        Ok(())
    }

    /// Returns where a datagram for `address` goes; none if the socket is connected.
    fn target<'a>(&'a self, address: Option<&'a Address>) -> Result<Option<&'a Address>> {
        let value = |message| Err(Error::new(ErrorKind::Value, message));
        match (&self.0.remote, address) {
            (Some(remote), Some(other)) if remote != other => {
                value(format!("Invalid address: must be None or {remote:?}"))
            }
            (None, None) if self.0.peername.is_none() => value("no address to send to".into()),
            (Some(remote), _) => Ok(Some(remote)),
            (None, address) => Ok(address),
        }
    }

    fn send(&self, socket: &Socket, data: &[u8], to: Option<&Address>) -> std::io::Result<()> {
        match to {
            Some(to) if self.0.peername.is_none() => socket.send_to(data, to),
            _ => socket.send(data),
        }
    }

    fn own_socket(&self) -> Option<Socket> {
        self.0.socket.borrow().clone()
    }

    fn error_received(&self, error: Error) -> Result<()> {
        self.0.callbacks.protocol().map_or(Ok(()), |protocol| protocol.error_received(error))
    }

    fn add_reader(&self) -> Result<()> {
        let Some(socket) = self.own_socket().filter(|_| !self.is_closing()) else { return Ok(()) };
        let transport = self.clone();
        socket.add_reader(self.get_loop(), move || transport.read_ready())
    }

    fn remove_reader(&self) {
        if let Some(socket) = self.own_socket() {
            socket.remove_reader(self.get_loop());
        }
    }

    fn remove_writer(&self) {
        if let Some(socket) = self.own_socket() {
            socket.remove_writer(self.get_loop());
        }
    }

    fn read_ready(&self) -> Result<()> {
        let (Some(socket), Some(protocol)) = (self.own_socket(), self.0.callbacks.protocol())
        else {
            return Ok(());
        };
        if self.0.lost.is_lost() {
            return Ok(());
        }
        let mut buffer = self.0.reads.take();
        let outcome = match socket.recv_from(&mut buffer) {
            Ok((count, from)) => protocol.datagram_received(&buffer[..count], &from),
            Err(error) if is_passing(&error) => Ok(()),
            Err(error) => protocol.error_received(error.into()),
        };
        self.0.reads.put_back(buffer);
        outcome
    }

    fn write_ready(&self) -> Result<()> {
        let Some(socket) = self.own_socket() else { return Ok(()) };
        loop {
            let Some((data, to)) = self.0.buffer.borrow_mut().pop_front() else { break };
            let size = self.0.size.get();
            self.0.size.set(size - data.len() - HEADER);
            match self.send(&socket, &data, to.as_ref()) {
                Ok(()) => {}
                Err(error) if is_passing(&error) => {
                    self.0.buffer.borrow_mut().push_front((data, to));
                    self.0.size.set(size);
                    break;
                }
                Err(error) => return self.error_received(error.into()),
            }
        }
        self.0.callbacks.maybe_resume(&self.0.flow, self.write_buffer_size(), self);
        if !self.0.buffer.borrow().is_empty() {
            return Ok(());
        }
        self.remove_writer();
        if self.is_closing() { self.call_connection_lost(None) } else { Ok(()) }
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
        // A datagram that was sent amid the end has the loop watch the socket again.
        self.remove_writer();
        let gone = (self.0.socket.take(), self.0.callbacks.take());
        drop(gone);
        outcome
    }
}

impl Close for DatagramTransport {
    fn close(&self) {
        self.close();
    }
}

impl fmt::Debug for DatagramTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("DatagramTransport");
        shown.field("closing", &self.is_closing());
        shown.field("write_buffer_size", &self.write_buffer_size());
        shown.field("sockname", &self.0.sockname).finish_non_exhaustive()
    }
}
