//! [`Transport`]: a connection or a pipe that calls its protocol.

use alloc::rc::{Rc, Weak};
use alloc::vec::Vec;
#[cfg(feature = "tls")]
use alloc::{boxed::Box, format};
use core::fmt;
#[cfg(unix)]
use std::fs::File;

use super::address::Address;
use super::callbacks::Callbacks;
use super::events::Events;
use super::flow_control::FlowControl;
use super::made::Close;
#[cfg(unix)]
use super::read_pipe::ReadPipe;
use super::socket::Socket;
use super::socket_transport::{Clients, Connection, SocketTransport};
#[cfg(feature = "tls")]
use super::tls_options::TlsOptions as Tls;
use super::transport_socket::TransportSocket;
#[cfg(unix)]
use super::write_pipe::WritePipe;
#[cfg(feature = "tls")]
use super::{
    tls_session::TlsInfo,
    tls_transport::{TlsTransport, Upgrade},
};
use crate::asyncio::LoopFuture;
use crate::collections::Key;
#[cfg(feature = "tls")]
use crate::error::ErrorKind;
use crate::error::{Error, Result};
use crate::event_loop::LoopRef;

/// Without TLS there are no options of it.
#[cfg(not(feature = "tls"))]
pub(crate) type Tls = core::convert::Infallible;

/// A connection, or one end of a pipe, that calls its [`Protocol`](crate::net::Protocol): asyncio's
/// transport of a socket, `ReadTransport` or `WriteTransport`.
///
/// Clones are the same transport. It lives until it is closed or aborted, or its loop closes.
///
/// What a transport is not made for, as writing to the reading end of a pipe, is an error of kind
/// [`Runtime`](crate::ErrorKind::Runtime), or does nothing where there is no error to return.
#[derive(Clone)]
pub struct Transport(Kind);

#[derive(Clone)]
enum Kind {
    Socket(SocketTransport),
    #[cfg(feature = "tls")]
    Tls(TlsTransport),
    #[cfg(unix)]
    ReadPipe(Rc<ReadPipe>),
    #[cfg(unix)]
    WritePipe(Rc<WritePipe>),
}

impl Transport {
    /// Schedules `connection_made`, the begin of reading, and the result of `waiter`, in this order.
    /// With TLS, the first and the last come after the handshake.
    pub(crate) fn of_socket(
        on: &LoopRef,
        socket: Socket,
        tls: Option<&Tls>,
        protocol: Rc<dyn Events>,
        connection_made: impl FnOnce(&Transport) -> Result<()> + 'static,
        waiter: LoopFuture<()>,
    ) -> Result<Transport> {
        #[cfg(feature = "tls")]
        if let Some(options) = tls {
            let made = |own: &TlsTransport| connection_made(&Transport(Kind::Tls(own.clone())));
            let own = TlsTransport::over(on, socket, options, protocol, Box::new(made), waiter)?;
            return Ok(Transport(Kind::Tls(own)));
        }
        #[cfg(not(feature = "tls"))]
        if let Some(never) = tls {
            match *never {}
        }
        let made = |own: &SocketTransport| connection_made(&Transport(Kind::Socket(own.clone())));
        let socket = SocketTransport::new(on, socket, protocol, made, waiter)?;
        Ok(Transport(Kind::Socket(socket)))
    }

    /// Has the connection talk TLS: see [`TlsTransport::upgrade`].
    #[cfg(feature = "tls")]
    pub(crate) fn upgrade_to_tls(
        &self,
        options: &Tls,
        protocol: Rc<dyn Events>,
        waiter: LoopFuture<()>,
    ) -> Result<Upgrade> {
        match &self.0 {
            Kind::Socket(socket) => TlsTransport::upgrade(socket, options, protocol, waiter),
            _ => {
                let message = format!("transport {self:?} is not supported by start_tls()");
                Err(Error::new(ErrorKind::Type, message))
            }
        }
    }

    /// The transport of a connection that was upgraded.
    #[cfg(feature = "tls")]
    pub(crate) fn of_upgrade(upgrade: Upgrade) -> Transport {
        Transport(Kind::Tls(upgrade.0))
    }

    /// The plain connection that it is, if it is one.
    pub(crate) fn connection(&self) -> Option<&SocketTransport> {
        match &self.0 {
            Kind::Socket(socket) => Some(socket),
            #[cfg(any(unix, feature = "tls"))]
            _ => None,
        }
    }

    pub(crate) fn callbacks(&self) -> &Callbacks<dyn Events> {
        match &self.0 {
            Kind::Socket(socket) => socket.callbacks(),
            #[cfg(feature = "tls")]
            Kind::Tls(tls) => tls.callbacks(),
            #[cfg(unix)]
            Kind::ReadPipe(pipe) => pipe.callbacks(),
            #[cfg(unix)]
            Kind::WritePipe(pipe) => pipe.callbacks(),
        }
    }

    /// The marks of the write buffer of a connection.
    pub(crate) fn flow(&self) -> Option<&FlowControl> {
        match &self.0 {
            Kind::Socket(socket) => Some(socket.flow()),
            #[cfg(feature = "tls")]
            Kind::Tls(tls) => Some(tls.flow()),
            #[cfg(unix)]
            _ => None,
        }
    }

    /// Does as [`of_socket`](Transport::of_socket), for the reading end of a pipe.
    #[cfg(unix)]
    pub(crate) fn of_read_pipe(
        on: &LoopRef,
        pipe: File,
        protocol: Rc<dyn Events>,
        connection_made: impl FnOnce(&Transport) -> Result<()> + 'static,
        waiter: LoopFuture<()>,
    ) -> Result<Transport> {
        let made = |own: &Rc<ReadPipe>| connection_made(&Transport(Kind::ReadPipe(Rc::clone(own))));
        Ok(Transport(Kind::ReadPipe(ReadPipe::new(on, pipe, protocol, made, waiter)?)))
    }

    /// Does as [`of_socket`](Transport::of_socket), for the writing end of a pipe.
    #[cfg(unix)]
    pub(crate) fn of_write_pipe(
        on: &LoopRef,
        pipe: File,
        protocol: Rc<dyn Events>,
        connection_made: impl FnOnce(&Transport) -> Result<()> + 'static,
        waiter: LoopFuture<()>,
    ) -> Result<Transport> {
        let made =
            |own: &Rc<WritePipe>| connection_made(&Transport(Kind::WritePipe(Rc::clone(own))));
        Ok(Transport(Kind::WritePipe(WritePipe::new(on, pipe, protocol, made, waiter)?)))
    }

    /// Has `clients` told of `key` when the connection is gone, at once if it is no connection.
    pub(crate) fn attach(&self, clients: Rc<dyn Clients>, key: Key) {
        match &self.0 {
            Kind::Socket(socket) => socket.attach(clients, key),
            #[cfg(feature = "tls")]
            Kind::Tls(tls) => match tls.lower() {
                Some(lower) => lower.attach(clients, key),
                None => clients.detach(key),
            },
            #[cfg(unix)]
            _ => clients.detach(key),
        }
    }

    /// A connection that this doesn't keep.
    pub(crate) fn downgrade(&self) -> Weak<Connection> {
        match &self.0 {
            Kind::Socket(socket) => socket.downgrade(),
            #[cfg(feature = "tls")]
            Kind::Tls(tls) => tls.lower().map(|lower| lower.downgrade()).unwrap_or_default(),
            #[cfg(unix)]
            _ => Weak::new(),
        }
    }

    pub(crate) fn upgrade(weak: &Weak<Connection>) -> Option<Transport> {
        SocketTransport::upgrade(weak).map(|socket| Transport(Kind::Socket(socket)))
    }

    /// The loop on which it reads and writes.
    #[must_use]
    pub fn get_loop(&self) -> &LoopRef {
        self.callbacks().event_loop()
    }

    /// The socket or pipe itself, until it is lost: `get_extra_info('socket')` or `'pipe'`.
    #[must_use]
    pub fn socket(&self) -> Option<TransportSocket> {
        match &self.0 {
            Kind::Socket(socket) => socket.source(),
            #[cfg(feature = "tls")]
            Kind::Tls(tls) => tls.lower()?.source(),
            #[cfg(unix)]
            Kind::ReadPipe(pipe) => pipe.source(),
            #[cfg(unix)]
            Kind::WritePipe(pipe) => pipe.source(),
        }
    }

    /// The address of this end: `get_extra_info('sockname')`. A pipe has none.
    #[must_use]
    pub fn sockname(&self) -> Option<Address> {
        match &self.0 {
            Kind::Socket(socket) => socket.sockname(),
            #[cfg(feature = "tls")]
            Kind::Tls(tls) => tls.sockname(),
            #[cfg(unix)]
            _ => None,
        }
    }

    /// The address of the other end: `get_extra_info('peername')`. A pipe has none.
    #[must_use]
    pub fn peername(&self) -> Option<Address> {
        match &self.0 {
            Kind::Socket(socket) => socket.peername(),
            #[cfg(feature = "tls")]
            Kind::Tls(tls) => tls.peername(),
            #[cfg(unix)]
            _ => None,
        }
    }

    /// The outcome of the handshake of TLS, if there is any: `get_extra_info` of `'peercert'`,
    /// `'cipher'` and `'ssl_object'`.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(&self) -> Option<TlsInfo> {
        match &self.0 {
            Kind::Tls(tls) => tls.info(),
            _ => None,
        }
    }

    /// Returns whether it is closed or about to be: `is_closing`.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        match &self.0 {
            Kind::Socket(socket) => socket.is_closing(),
            #[cfg(feature = "tls")]
            Kind::Tls(tls) => tls.is_closing(),
            #[cfg(unix)]
            Kind::ReadPipe(pipe) => pipe.is_closing(),
            #[cfg(unix)]
            Kind::WritePipe(pipe) => pipe.is_closing(),
        }
    }

    /// Returns whether it receives: `is_reading`.
    #[must_use]
    pub fn is_reading(&self) -> bool {
        match &self.0 {
            Kind::Socket(socket) => socket.is_reading(),
            #[cfg(feature = "tls")]
            Kind::Tls(tls) => tls.is_reading(),
            #[cfg(unix)]
            Kind::ReadPipe(pipe) => pipe.is_reading(),
            #[cfg(unix)]
            Kind::WritePipe(_) => false,
        }
    }

    /// Stops calls of `data_received`: `pause_reading`. May be called again.
    pub fn pause_reading(&self) {
        match &self.0 {
            Kind::Socket(socket) => socket.pause_reading(),
            #[cfg(feature = "tls")]
            Kind::Tls(tls) => tls.pause_reading(),
            #[cfg(unix)]
            Kind::ReadPipe(pipe) => pipe.pause_reading(),
            #[cfg(unix)]
            Kind::WritePipe(_) => {}
        }
    }

    /// Receives again: `resume_reading`. May be called again.
    ///
    /// # Errors
    ///
    /// What the system says where it can't watch the descriptor.
    pub fn resume_reading(&self) -> Result<()> {
        match &self.0 {
            Kind::Socket(socket) => socket.resume_reading(),
            #[cfg(feature = "tls")]
            Kind::Tls(tls) => tls.resume_reading(),
            #[cfg(unix)]
            Kind::ReadPipe(pipe) => pipe.resume_reading(),
            #[cfg(unix)]
            Kind::WritePipe(_) => Ok(()),
        }
    }

    /// Closes it once what was written is sent: `close`. `connection_lost(None)` is called
    /// afterwards.
    pub fn close(&self) {
        match &self.0 {
            Kind::Socket(socket) => socket.close(),
            #[cfg(feature = "tls")]
            Kind::Tls(tls) => tls.close(),
            #[cfg(unix)]
            Kind::ReadPipe(pipe) => pipe.close(),
            #[cfg(unix)]
            Kind::WritePipe(pipe) => pipe.close(),
        }
    }

    /// Closes it at once, and drops what was not sent: `abort`.
    pub fn abort(&self) {
        match &self.0 {
            Kind::Socket(socket) => socket.abort(),
            #[cfg(feature = "tls")]
            Kind::Tls(tls) => tls.abort(),
            #[cfg(unix)]
            Kind::ReadPipe(pipe) => pipe.close(),
            #[cfg(unix)]
            Kind::WritePipe(pipe) => pipe.abort(),
        }
    }

    /// The number of written bytes that are not sent: `get_write_buffer_size`.
    #[must_use]
    pub fn write_buffer_size(&self) -> usize {
        match &self.0 {
            Kind::Socket(socket) => socket.write_buffer_size(),
            #[cfg(feature = "tls")]
            Kind::Tls(tls) => tls.write_buffer_size(),
            #[cfg(unix)]
            Kind::ReadPipe(_) => 0,
            #[cfg(unix)]
            Kind::WritePipe(pipe) => pipe.write_buffer_size(),
        }
    }

    /// The low-water and the high-water mark: `get_write_buffer_limits`. Both are 0 where nothing
    /// can be written.
    #[must_use]
    pub fn write_buffer_limits(&self) -> (usize, usize) {
        match &self.0 {
            Kind::Socket(socket) => socket.write_buffer_limits(),
            #[cfg(feature = "tls")]
            Kind::Tls(tls) => tls.write_buffer_limits(),
            #[cfg(unix)]
            Kind::ReadPipe(_) => (0, 0),
            #[cfg(unix)]
            Kind::WritePipe(pipe) => pipe.write_buffer_limits(),
        }
    }

    /// Sets the marks: `set_write_buffer_limits`. By default `high` is 64 KiB, or four times `low`;
    /// and `low` is a quarter of `high`.
    ///
    /// # Errors
    ///
    /// [`Value`](crate::ErrorKind::Value) if `low` is above `high`.
    pub fn set_write_buffer_limits(&self, high: Option<usize>, low: Option<usize>) -> Result<()> {
        match &self.0 {
            Kind::Socket(socket) => socket.set_write_buffer_limits(high, low),
            #[cfg(feature = "tls")]
            Kind::Tls(tls) => tls.set_write_buffer_limits(high, low),
            #[cfg(unix)]
            Kind::ReadPipe(_) => Err(not_for_writing()),
            #[cfg(unix)]
            Kind::WritePipe(pipe) => pipe.set_write_buffer_limits(high, low),
        }
    }

    /// Sends `data`, now as far as the system takes it and the rest later: `write`. It never
    /// waits. After the connection is lost it does nothing.
    ///
    /// # Errors
    ///
    /// [`Runtime`](crate::ErrorKind::Runtime) after [`write_eof`](Transport::write_eof) of a
    /// connection; what the system says where it can't watch the descriptor. An error of sending
    /// closes the transport, and is given to `connection_lost`.
    #[inline]
    pub fn write(&self, data: &[u8]) -> Result<()> {
        match &self.0 {
            Kind::Socket(socket) => socket.write(data),
            #[cfg(feature = "tls")]
            Kind::Tls(tls) => {
                tls.write(data);
                Ok(())
            }
            #[cfg(unix)]
            Kind::ReadPipe(_) => Err(not_for_writing()),
            #[cfg(unix)]
            Kind::WritePipe(pipe) => pipe.write(data),
        }
    }

    /// Sends all of `parts`, as one [`write`](Transport::write): `writelines`. A socket is tried at
    /// once, also while earlier data waits.
    ///
    /// # Errors
    ///
    /// As [`write`](Transport::write).
    pub fn writelines<T: AsRef<[u8]>>(&self, parts: impl IntoIterator<Item = T>) -> Result<()> {
        let mut all = Vec::new();
        parts.into_iter().for_each(|part| all.extend_from_slice(part.as_ref()));
        match &self.0 {
            Kind::Socket(socket) => socket.writelines(&all),
            #[cfg(any(unix, feature = "tls"))]
            _ => self.write(&all),
        }
    }

    /// Ends the direction of writing once what was written is sent: `write_eof`. For a pipe this is
    /// [`close`](Transport::close).
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn write_eof(&self) -> Result<()> {
        match &self.0 {
            Kind::Socket(socket) => socket.write_eof(),
            #[cfg(feature = "tls")]
            Kind::Tls(_) => Err(Error::runtime("TLS has no end of one direction")),
            #[cfg(unix)]
            Kind::ReadPipe(_) => Err(not_for_writing()),
            #[cfg(unix)]
            Kind::WritePipe(pipe) => {
                pipe.close();
                Ok(())
            }
        }
    }

    /// Returns whether [`write_eof`](Transport::write_eof) can be called: `can_write_eof`.
    #[must_use]
    pub fn can_write_eof(&self) -> bool {
        match &self.0 {
            Kind::Socket(_) => true,
            #[cfg(feature = "tls")]
            Kind::Tls(_) => false,
            #[cfg(unix)]
            Kind::ReadPipe(_) => false,
            #[cfg(unix)]
            Kind::WritePipe(_) => true,
        }
    }

    /// Tells the exception handler about an error of this connection.
    pub(crate) fn report(&self, message: &str, error: Option<Error>) {
        self.callbacks().report(self, message, error);
    }
}

impl Close for Transport {
    fn close(&self) {
        self.close();
    }
}

#[cfg(unix)]
fn not_for_writing() -> Error {
    Error::runtime("the transport of a pipe's reading end can't write")
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Socket(socket) => socket.fmt(f),
            #[cfg(feature = "tls")]
            Kind::Tls(tls) => tls.fmt(f),
            #[cfg(unix)]
            Kind::ReadPipe(pipe) => pipe.fmt(f),
            #[cfg(unix)]
            Kind::WritePipe(pipe) => pipe.fmt(f),
        }
    }
}
