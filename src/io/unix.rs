//! [`UnixListener`], [`UnixStream`] and [`UnixDatagram`]: sockets of one machine.

use core::task::{Context, Poll};
use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::os::unix::net::{self, SocketAddr};
use std::path::Path;

use super::accept::accept;
use super::async_source::Async;
use super::connect::connect_unix;
use super::half::take_turn;
use super::stream::{self, impl_socket, impl_stream, nonblocking};
use super::system::unix_address;
use crate::error::{Result, about};
use crate::event_loop::Side;

/// A Unix socket that waits for connections. It leaves its path in the file system when it is
/// dropped.
#[derive(Debug)]
pub struct UnixListener(Async<net::UnixListener>);

impl UnixListener {
    /// Listens at `path`, which must not exist, on the loop that runs. On Linux and Android a `path` that
    /// begins with a zero byte is an abstract name, for which there is no file: `"\0name"`, as in Python.
    ///
    /// # Errors
    ///
    /// The system's; [`Runtime`](crate::ErrorKind::Runtime) where no loop runs.
    pub fn bind(path: impl AsRef<Path>) -> Result<UnixListener> {
        let address = unix_address(path.as_ref());
        let listener = address.and_then(|address| net::UnixListener::bind_addr(&address));
        UnixListener::from(about(listener, || format!("can't listen at {:?}", path.as_ref()))?)
    }

    /// Takes over a listener of the standard library, on the loop that runs.
    ///
    /// # Errors
    ///
    /// As [`Async::new`].
    pub fn from(listener: net::UnixListener) -> Result<UnixListener> {
        Ok(UnixListener(nonblocking!(listener)?))
    }

    /// Waits for a connection, and gives it with the peer's address, which is mostly unnamed.
    /// For the rest see [`TcpListener::accept`](super::TcpListener::accept).
    ///
    /// # Errors
    ///
    /// As [`TcpListener::accept`](super::TcpListener::accept).
    ///
    /// # Cancellation
    ///
    /// Cancelled or dropped, it has accepted nothing.
    pub async fn accept(&self) -> Result<(UnixStream, SocketAddr)> {
        let wrap = |(stream, peer)| Ok((UnixStream::from(stream)?, peer));
        accept(&self.0, net::UnixListener::accept, wrap).await
    }
}

impl_socket!(UnixListener, net::UnixListener, SocketAddr);

/// A connection on this machine. Its reads and writes wait for the loop. For the rest see
/// [`TcpStream`](super::TcpStream).
///
/// ```
/// use callsoon::io::UnixStream;
///
/// callsoon::run(async {
///     let (ours, theirs) = UnixStream::pair()?;
///     ours.write_all(b"hello").await?;
///     drop(ours);
///     let mut buffer = [0; 8];
///     assert_eq!(theirs.read(&mut buffer).await?, 5);
///     assert_eq!(theirs.read(&mut buffer).await?, 0); // the peer has closed
///     Ok(())
/// }).unwrap();
/// ```
#[derive(Debug)]
pub struct UnixStream(Async<net::UnixStream>);

impl UnixStream {
    /// Two ends of one connection, both on the loop that runs.
    ///
    /// # Errors
    ///
    /// The system's; [`Runtime`](crate::ErrorKind::Runtime) where no loop runs.
    pub fn pair() -> Result<(UnixStream, UnixStream)> {
        let (one, two) = about(net::UnixStream::pair(), || "no pair of sockets".into())?;
        Ok((UnixStream::from(one)?, UnixStream::from(two)?))
    }

    /// Connects to the listener at `path`, which may be an abstract name as for
    /// [`UnixListener::bind`], on the loop that runs: asyncio's `sock_connect`. Where
    /// the listener's queue is full, Linux has it try again after a pause, of at most 64 ms of the
    /// loop's time; macOS and BSD refuse the connection.
    ///
    /// # Errors
    ///
    /// The system's; the cancellation; [`Runtime`](crate::ErrorKind::Runtime) where no
    /// loop runs.
    ///
    /// # Cancellation
    ///
    /// Cancelled or dropped, its descriptor is closed at once.
    pub async fn connect(path: impl AsRef<Path>) -> Result<UnixStream> {
        Ok(UnixStream(connect_unix(path.as_ref()).await?))
    }

    /// The address of the other end.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn peer_addr(&self) -> Result<SocketAddr> {
        Ok(self.get_ref().peer_addr()?)
    }
}

impl_stream!(UnixStream, net::UnixStream);
impl_socket!(UnixStream, net::UnixStream, SocketAddr);

/// A socket for datagrams on this machine. Its sends and receives wait for the loop. Nothing
/// is lost on the way: where the receiver's queue is full, the sender waits; on macOS and BSD the send
/// is an error.
///
/// # Cancellation
///
/// As for [`Async`]: a wait that is cancelled or dropped has received and sent nothing.
#[derive(Debug)]
pub struct UnixDatagram(Async<net::UnixDatagram>);

impl UnixDatagram {
    /// Makes a socket at `path`, which must not exist or be an abstract name as for
    /// [`UnixListener::bind`], on the loop that runs.
    ///
    /// # Errors
    ///
    /// The system's; [`Runtime`](crate::ErrorKind::Runtime) where no loop runs.
    pub fn bind(path: impl AsRef<Path>) -> Result<UnixDatagram> {
        let address = unix_address(path.as_ref());
        let socket = address.and_then(|address| net::UnixDatagram::bind_addr(&address));
        UnixDatagram::from(about(socket, || format!("can't bind to {:?}", path.as_ref()))?)
    }

    /// A socket without an address, that can send, on the loop that runs.
    ///
    /// # Errors
    ///
    /// As [`bind`](UnixDatagram::bind).
    pub fn unbound() -> Result<UnixDatagram> {
        UnixDatagram::from(about(net::UnixDatagram::unbound(), || "no datagram socket".into())?)
    }

    /// Two sockets connected to each other, both on the loop that runs.
    ///
    /// # Errors
    ///
    /// As [`bind`](UnixDatagram::bind).
    pub fn pair() -> Result<(UnixDatagram, UnixDatagram)> {
        let (one, two) = about(net::UnixDatagram::pair(), || "no pair of sockets".into())?;
        Ok((UnixDatagram::from(one)?, UnixDatagram::from(two)?))
    }

    /// Takes over a socket of the standard library, on the loop that runs.
    ///
    /// # Errors
    ///
    /// As [`Async::new`].
    pub fn from(socket: net::UnixDatagram) -> Result<UnixDatagram> {
        Ok(UnixDatagram(nonblocking!(socket)?))
    }

    /// Has [`send`](UnixDatagram::send) go to the socket at `path`.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn connect(&self, path: impl AsRef<Path>) -> Result<()> {
        let address = unix_address(path.as_ref());
        let connected = address.and_then(|address| self.get_ref().connect_addr(&address));
        about(connected, || format!("can't connect to {:?}", path.as_ref()))
    }

    /// Sends a datagram to where the socket is connected, and returns the number of bytes sent.
    ///
    /// # Errors
    ///
    /// The system's; the cancellation; see [`Async::write_with`].
    ///
    /// # Cancellation
    ///
    /// See [`UnixDatagram`].
    pub async fn send(&self, datagram: &[u8]) -> Result<usize> {
        self.0.write_with(|socket| socket.send(datagram)).await
    }

    /// Sends a datagram to the socket at `path`, and returns the number of bytes sent.
    ///
    /// # Errors
    ///
    /// As [`send`](UnixDatagram::send).
    ///
    /// # Cancellation
    ///
    /// See [`UnixDatagram`].
    pub async fn send_to(&self, datagram: &[u8], path: impl AsRef<Path>) -> Result<usize> {
        let sending = async {
            let address = unix_address(path.as_ref())?;
            self.0.write_with(|socket| socket.send_to_addr(datagram, &address)).await
        };
        about(sending.await, || format!("can't send to {:?}", path.as_ref()))
    }

    /// Waits for a datagram, and returns its length. What does not fit into `buffer` is lost.
    ///
    /// # Errors
    ///
    /// The system's; the cancellation; see [`Async::read_with`].
    ///
    /// # Cancellation
    ///
    /// See [`UnixDatagram`].
    pub async fn recv(&self, buffer: &mut [u8]) -> Result<usize> {
        self.0.read_with(|socket| socket.recv(buffer)).await
    }

    /// Receives as [`recv`](UnixDatagram::recv) does, and returns the sender's address, too.
    ///
    /// # Errors
    ///
    /// As [`recv`](UnixDatagram::recv).
    ///
    /// # Cancellation
    ///
    /// See [`UnixDatagram`].
    pub async fn recv_from(&self, buffer: &mut [u8]) -> Result<(usize, SocketAddr)> {
        self.0.read_with(|socket| socket.recv_from(buffer)).await
    }
}

impl_socket!(UnixDatagram, net::UnixDatagram, SocketAddr);
