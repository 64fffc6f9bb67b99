//! Connections, servers and streams over TLS.

use alloc::rc::Rc;
use core::future::Future;
use std::net::TcpStream as TcpSocket;
#[cfg(unix)]
use std::path::Path;

#[cfg(unix)]
use super::open::open_unix;
use super::open::{open_tcp, start_server_with};
use super::protocol::{Protocol, callbacks_of};
use super::server::Server;
use super::server_options::ServerOptions;
use super::stream_protocol::StreamProtocol;
use super::stream_reader::StreamReader;
use super::stream_writer::StreamWriter;
use super::transport::{Events, Socket, TlsOptions, Transport, made};
use crate::asyncio::LoopFuture;
use crate::error::{Error, Result};
use crate::event_loop::LoopRef;
#[cfg(unix)]
use crate::io::UnixStream;
use crate::io::{ConnectOptions, TcpStream};

/// Connects like [`open_connection_with`](super::open_connection_with), over TLS:
/// `asyncio.open_connection` with `ssl`. It returns after the handshake.
///
/// # Errors
///
/// As [`open_connection_with`](super::open_connection_with); what fails the handshake, of kind
/// [`Io`](crate::ErrorKind::Io), in which the error of rustls is found.
///
/// # Cancellation
///
/// Cancelled or dropped, the connection is closed.
pub async fn open_connection_tls(
    host: &str,
    port: u16,
    limit: usize,
    options: &ConnectOptions,
    tls: &TlsOptions,
) -> Result<(StreamReader, StreamWriter)> {
    open_tcp(host, port, limit, options, Some(tls)).await
}

/// Connects like [`open_unix_connection`](super::open_unix_connection), over TLS:
/// `asyncio.open_unix_connection` with `ssl`.
///
/// # Errors
///
/// As [`open_unix_connection`](super::open_unix_connection) and [`open_connection_tls`].
///
/// # Cancellation
///
/// Cancelled or dropped, the connection is closed.
#[cfg(unix)]
pub async fn open_unix_connection_tls(
    path: impl AsRef<Path>,
    limit: usize,
    tls: &TlsOptions,
) -> Result<(StreamReader, StreamWriter)> {
    open_unix(path, limit, Some(tls)).await
}

/// Serves like [`start_server`](super::start_server), over TLS: `asyncio.start_server` with `ssl`.
/// `connected` is called after the handshake.
///
/// # Errors
///
/// As [`start_server`](super::start_server).
///
/// # Cancellation
///
/// As [`start_server`](super::start_server).
pub async fn start_server_tls<F>(
    connected: impl Fn(StreamReader, StreamWriter) -> F + 'static,
    host: Option<&str>,
    port: u16,
    limit: usize,
    tls: &TlsOptions,
) -> Result<Server>
where
    F: Future<Output = Result<()>> + 'static,
{
    start_server_with(connected, (host, port), limit, &ServerOptions::new().tls(tls.clone())).await
}

impl LoopRef {
    /// Connects like [`create_connection_with`](LoopRef::create_connection_with), over TLS:
    /// `loop.create_connection` with `ssl`. `connection_made` is called after the handshake.
    ///
    /// # Errors
    ///
    /// As [`open_connection_tls`].
    ///
    /// # Cancellation
    ///
    /// Cancelled or dropped, the connection is closed.
    pub async fn create_connection_tls<P: Protocol + 'static>(
        &self,
        factory: impl FnOnce() -> P,
        host: &str,
        port: u16,
        options: &ConnectOptions,
        tls: &TlsOptions,
    ) -> Result<(Transport, Rc<P>)> {
        let stream = TcpStream::connect_to_host_with(host, port, options).await?;
        self.connected(factory, Socket::Tcp(Rc::new(stream.into_inner())), Some(tls)).await
    }

    /// Connects like [`create_unix_connection`](LoopRef::create_unix_connection), over TLS:
    /// `loop.create_unix_connection` with `ssl`.
    ///
    /// # Errors
    ///
    /// As [`open_unix_connection_tls`].
    ///
    /// # Cancellation
    ///
    /// Cancelled or dropped, the connection is closed.
    #[cfg(unix)]
    pub async fn create_unix_connection_tls<P: Protocol + 'static>(
        &self,
        factory: impl FnOnce() -> P,
        path: impl AsRef<Path>,
        tls: &TlsOptions,
    ) -> Result<(Transport, Rc<P>)> {
        let stream = UnixStream::connect(path).await?;
        self.connected(factory, Socket::Unix(Rc::new(stream.into_inner())), Some(tls)).await
    }

    /// Has a connection that was made elsewhere talk TLS, and call the protocol that `factory` makes:
    /// `loop.connect_accepted_socket` with `ssl`, and, as `tls` says on which side it is, also
    /// `loop.create_connection` with `sock` and `ssl`.
    ///
    /// # Errors
    ///
    /// As [`connect_accepted_socket`](LoopRef::connect_accepted_socket); what fails the handshake.
    ///
    /// # Cancellation
    ///
    /// Cancelled or dropped, the connection is closed.
    pub async fn connect_accepted_socket_tls<P: Protocol + 'static>(
        &self,
        factory: impl FnOnce() -> P,
        socket: TcpSocket,
        tls: &TlsOptions,
    ) -> Result<(Transport, Rc<P>)> {
        self.connected(factory, Socket::given_tcp(socket)?, Some(tls)).await
    }

    /// Serves like [`create_server`](LoopRef::create_server), over TLS: `loop.create_server` with
    /// `ssl`.
    ///
    /// # Errors
    ///
    /// As [`start_server`](super::start_server).
    ///
    /// # Cancellation
    ///
    /// As [`start_server`](super::start_server).
    pub async fn create_server_tls<P: Protocol + 'static>(
        &self,
        factory: impl Fn() -> P + 'static,
        host: Option<&str>,
        port: u16,
        tls: &TlsOptions,
    ) -> Result<Server> {
        let options = ServerOptions::new().tls(tls.clone());
        self.create_server_with(factory, (host, port), &options).await
    }

    /// Has the connection of `transport` talk TLS, and returns the transport that is to be used from
    /// now on: `loop.start_tls`. That calls `protocol`, but not its `connection_made`.
    ///
    /// # Errors
    ///
    /// [`Type`](crate::ErrorKind::Type) if `transport` is no plain connection;
    /// [`Runtime`](crate::ErrorKind::Runtime) if it is closing; what fails the handshake.
    ///
    /// # Cancellation
    ///
    /// Cancelled or dropped, the connection is closed.
    pub async fn start_tls(
        &self,
        transport: &Transport,
        protocol: Rc<dyn Protocol>,
        tls: &TlsOptions,
    ) -> Result<Transport> {
        upgraded(transport, callbacks_of(protocol).0, tls).await
    }
}

impl StreamWriter {
    /// Talks TLS from now on: `start_tls`. What was written before is sent before. The reader of the
    /// connection goes on with what is decrypted, behind what has come before and was not read: a
    /// protocol in which nothing should have come has to see to that.
    ///
    /// # Errors
    ///
    /// As [`drain`](StreamWriter::drain) and [`LoopRef::start_tls`].
    ///
    /// # Cancellation
    ///
    /// Cancelled or dropped, the connection is closed.
    pub async fn start_tls(&self, tls: &TlsOptions) -> Result<()> {
        let no_connection = |_| Error::runtime("a pipe can't talk TLS");
        let protocol = self.protocol().into_any().downcast::<StreamProtocol>();
        let protocol = protocol.map_err(no_connection)?;
        self.drain().await?;
        let events = Rc::<StreamProtocol>::clone(&protocol);
        let over = upgraded(self.transport(), events, tls).await?;
        protocol.set_over_tls();
        self.set_over_tls(over);
        Ok(())
    }
}

async fn upgraded(
    transport: &Transport,
    events: Rc<dyn Events>,
    tls: &TlsOptions,
) -> Result<Transport> {
    let waiter = LoopFuture::new(transport.get_loop());
    let upgrade = transport.upgrade_to_tls(tls, events, waiter.clone())?;
    made(upgrade, waiter).await.map(Transport::of_upgrade)
}
