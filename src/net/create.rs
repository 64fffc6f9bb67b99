//! Connections and servers of the program's own protocols.

use alloc::rc::Rc;
use std::net::TcpStream as TcpSocket;
#[cfg(unix)]
use std::os::unix::net::UnixStream as UnixSocket;
#[cfg(unix)]
use std::path::Path;

use super::listening::listening_at;
use super::protocol::{Protocol, transport_of};
#[cfg(unix)]
use super::serve_at::ServeAtPath;
use super::serve_at::{Place, ServeAt};
use super::server::Server;
use super::server_options::ServerOptions;
use super::transport::{Socket, Tls, Transport, made_by};
use crate::error::Result;
use crate::event_loop::LoopRef;
#[cfg(unix)]
use crate::io::UnixStream;
use crate::io::{ConnectOptions, TcpStream};

impl LoopRef {
    /// Connects to `port` of `host`, and has the connection call the protocol that `factory` makes:
    /// `loop.create_connection`. It returns after `connection_made`.
    ///
    /// # Errors
    ///
    /// As [`TcpStream::connect_to_host`].
    ///
    /// # Cancellation
    ///
    /// Cancelled or dropped, the connection is closed.
    pub async fn create_connection<P: Protocol + 'static>(
        &self,
        factory: impl FnOnce() -> P,
        host: &str,
        port: u16,
    ) -> Result<(Transport, Rc<P>)> {
        self.create_connection_with(factory, host, port, &ConnectOptions::new()).await
    }

    /// Connects like [`create_connection`](LoopRef::create_connection), with options: the parameters
    /// `local_addr`, `happy_eyeballs_delay` and `interleave`.
    ///
    /// # Errors
    ///
    /// As [`TcpStream::connect_to_host_with`].
    ///
    /// # Cancellation
    ///
    /// Cancelled or dropped, the connection is closed.
    pub async fn create_connection_with<P: Protocol + 'static>(
        &self,
        factory: impl FnOnce() -> P,
        host: &str,
        port: u16,
        options: &ConnectOptions,
    ) -> Result<(Transport, Rc<P>)> {
        let stream = TcpStream::connect_to_host_with(host, port, options).await?;
        self.connected(factory, Socket::Tcp(Rc::new(stream.into_inner())), None).await
    }

    /// Connects to the listener at `path`: `loop.create_unix_connection`. For the rest see
    /// [`create_connection`](LoopRef::create_connection).
    ///
    /// # Errors
    ///
    /// As [`UnixStream::connect`].
    ///
    /// # Cancellation
    ///
    /// Cancelled or dropped, the connection is closed.
    #[cfg(unix)]
    pub async fn create_unix_connection<P: Protocol + 'static>(
        &self,
        factory: impl FnOnce() -> P,
        path: impl AsRef<Path>,
    ) -> Result<(Transport, Rc<P>)> {
        let stream = UnixStream::connect(path).await?.into_inner();
        self.connected(factory, Socket::Unix(Rc::new(stream)), None).await
    }

    /// Has a connection that was accepted elsewhere call the protocol that `factory` makes:
    /// `loop.connect_accepted_socket`, and also `loop.create_connection` with `sock`. It returns after
    /// `connection_made`. With the feature `tls`, `connect_accepted_socket_tls` talks TLS.
    ///
    /// # Errors
    ///
    /// [`Value`](crate::ErrorKind::Value) for a socket that isn't one of streams; what the system says; the
    /// cancellation.
    ///
    /// # Cancellation
    ///
    /// Cancelled or dropped, the connection is closed.
    pub async fn connect_accepted_socket<P: Protocol + 'static>(
        &self,
        factory: impl FnOnce() -> P,
        socket: TcpSocket,
    ) -> Result<(Transport, Rc<P>)> {
        self.connected(factory, Socket::given_tcp(socket)?, None).await
    }

    /// Does as [`connect_accepted_socket`](LoopRef::connect_accepted_socket), for a Unix socket.
    ///
    /// # Errors
    ///
    /// As [`connect_accepted_socket`](LoopRef::connect_accepted_socket).
    ///
    /// # Cancellation
    ///
    /// Cancelled or dropped, the connection is closed.
    #[cfg(unix)]
    pub async fn connect_accepted_unix_socket<P: Protocol + 'static>(
        &self,
        factory: impl FnOnce() -> P,
        socket: UnixSocket,
    ) -> Result<(Transport, Rc<P>)> {
        self.connected(factory, Socket::given_unix(socket)?, None).await
    }

    pub(super) async fn connected<P: Protocol + 'static>(
        &self,
        factory: impl FnOnce() -> P,
        socket: Socket,
        tls: Option<&Tls>,
    ) -> Result<(Transport, Rc<P>)> {
        made_by(self, factory, |own, waiter| transport_of(self, socket, tls, own, waiter)).await
    }

    /// Serves at `port` of `host`, or of all interfaces, and has each connection call a protocol
    /// that `factory` makes: `loop.create_server`.
    ///
    /// # Errors
    ///
    /// As [`start_server`](super::start_server).
    ///
    /// # Cancellation
    ///
    /// As [`start_server`](super::start_server).
    pub async fn create_server<P: Protocol + 'static>(
        &self,
        factory: impl Fn() -> P + 'static,
        host: Option<&str>,
        port: u16,
    ) -> Result<Server> {
        self.create_server_with(factory, (host, port), &ServerOptions::new()).await
    }

    /// Serves like [`create_server`](LoopRef::create_server), at any place and with options: several
    /// hosts, the parameter `sock`, and those that [`ServerOptions`] has.
    ///
    /// # Errors
    ///
    /// As [`start_server_with`](super::start_server_with).
    ///
    /// # Cancellation
    ///
    /// As [`start_server`](super::start_server).
    pub async fn create_server_with<P: Protocol + 'static>(
        &self,
        factory: impl Fn() -> P + 'static,
        at: impl ServeAt,
        options: &ServerOptions,
    ) -> Result<Server> {
        self.serve(factory, at.place(), options).await
    }

    /// Serves at `path`: `loop.create_unix_server`. A socket that is left there is removed, and so
    /// is its own when the server is closed. For the rest see
    /// [`create_server`](LoopRef::create_server).
    ///
    /// # Errors
    ///
    /// As [`start_server`](super::start_server).
    ///
    /// # Cancellation
    ///
    /// As [`start_server`](super::start_server).
    #[cfg(unix)]
    pub async fn create_unix_server<P: Protocol + 'static>(
        &self,
        factory: impl Fn() -> P + 'static,
        path: impl AsRef<Path>,
    ) -> Result<Server> {
        self.create_unix_server_with(factory, path.as_ref(), &ServerOptions::new()).await
    }

    /// Serves like [`create_unix_server`](LoopRef::create_unix_server), at a path or by a listener, and
    /// with options: the parameter `sock`, and `backlog`, `start_serving`, `cleanup_socket` and `ssl`
    /// of [`ServerOptions`]. The others are for addresses of IP.
    ///
    /// # Errors
    ///
    /// As [`start_unix_server_with`](super::start_unix_server_with).
    ///
    /// # Cancellation
    ///
    /// As [`start_server`](super::start_server).
    #[cfg(unix)]
    pub async fn create_unix_server_with<P: Protocol + 'static>(
        &self,
        factory: impl Fn() -> P + 'static,
        at: impl ServeAtPath,
        options: &ServerOptions,
    ) -> Result<Server> {
        self.serve(factory, at.place(), options).await
    }

    async fn serve<P: Protocol + 'static>(
        &self,
        factory: impl Fn() -> P + 'static,
        place: Place,
        options: &ServerOptions,
    ) -> Result<Server> {
        let sockets = listening_at(self, place, options).await?;
        let (on, of) = (self.clone(), options.clone());
        let connect = move |socket, waiter| {
            transport_of(&on, socket, of.tls.as_ref(), Rc::new(factory()), waiter)
        };
        Server::start(self, sockets, options, Rc::new(connect)).await
    }
}
