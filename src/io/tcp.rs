//! [`TcpListener`] and [`TcpStream`]: connections over IP.

use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::task::{Context, Poll};
use std::io::{self, IoSlice};
use std::net::{self, Shutdown, SocketAddr, ToSocketAddrs};

use super::accept::accept;
use super::async_source::Async;
use super::connect::connect;
use super::connect_options::ConnectOptions;
use super::connect_to::{ConnectTo, Destination};
use super::half::take_turn;
use super::race::connect_to_host;
use super::stream::{self, impl_socket, impl_stream, nonblocking};
use crate::error::{Result, about};
use crate::event_loop::Side;

/// A socket that waits for connections: the place of asyncio's `sock_accept`, with the care
/// for its resources that `start_server` takes.
///
/// ```
/// use callsoon::create_task;
/// use callsoon::io::{TcpListener, TcpStream};
///
/// callsoon::run(async {
///     let listener = TcpListener::bind("127.0.0.1:0")?;
///     let address = listener.local_addr()?;
///     let client = create_task(async move {
///         let stream = TcpStream::connect(address).await?;
///         stream.write_all(b"hello").await
///     });
///     let (stream, _peer) = listener.accept().await?;
///     let mut greeting = [0; 5];
///     stream.read_exact(&mut greeting).await?;
///     assert_eq!(&greeting, b"hello");
///     client.await
/// }).unwrap();
/// ```
#[derive(Debug)]
pub struct TcpListener(Async<net::TcpListener>);

impl TcpListener {
    /// Listens at `address` (port 0: one that is free), on the loop that runs. A *name* is
    /// looked up by the system, which blocks the loop meanwhile.
    ///
    /// # Errors
    ///
    /// The system's; [`Runtime`](crate::ErrorKind::Runtime) where no loop runs.
    pub fn bind(address: impl ToSocketAddrs) -> Result<TcpListener> {
        let found = about(address.to_socket_addrs(), || "can't listen: address lookup".into())?;
        let all: Vec<SocketAddr> = found.collect();
        let shown = || all.iter().map(SocketAddr::to_string).collect::<Vec<_>>().join(", ");
        let listener = net::TcpListener::bind(&*all);
        TcpListener::from(about(listener, || format!("can't listen at {}", shown()))?)
    }

    /// Takes over a listener of the standard library, on the loop that runs.
    ///
    /// # Errors
    ///
    /// As [`Async::new`].
    pub fn from(listener: net::TcpListener) -> Result<TcpListener> {
        Ok(TcpListener(nonblocking!(listener)?))
    }

    /// Waits for a connection, and gives it with the peer's address. Several tasks may wait;
    /// they are served in the order in which they came.
    ///
    /// Where the system is out of descriptors, buffers or memory, also for what the loop needs to
    /// watch the connection, the exception handler is told (`socket.accept() out of system
    /// resource`), and the listener rests for a second of the loop's time before it tries again, as
    /// asyncio's servers do. A connection that its peer or the network breaks before it is accepted
    /// is passed over.
    ///
    /// # Errors
    ///
    /// What else the system says, which is of the listener itself; the cancellation; see
    /// [`Async::read_with`].
    ///
    /// # Cancellation
    ///
    /// Cancelled or dropped, it has accepted nothing.
    pub async fn accept(&self) -> Result<(TcpStream, SocketAddr)> {
        let wrap = |(stream, peer)| Ok((TcpStream::from(stream)?, peer));
        accept(&self.0, net::TcpListener::accept, wrap).await
    }
}

impl_socket!(TcpListener, net::TcpListener, SocketAddr);

/// A connection with reads and writes that wait for the loop: the place of asyncio's
/// `sock_connect`, `sock_recv` and `sock_sendall`.
///
/// All methods take `&self`: in an `Rc`, one task may read while another writes. Several that
/// read, or several that write, are served in the order in which they came. Dropping it closes
/// the connection.
///
/// For an example see [`TcpListener`].
#[derive(Debug)]
pub struct TcpStream(Async<net::TcpStream>);

impl TcpStream {
    /// Connects to an address, or to a host by name, on the loop that runs: asyncio's `sock_connect`,
    /// and with a name as [`connect_to_host`](TcpStream::connect_to_host) does.
    ///
    /// ```no_run
    /// use callsoon::{io::TcpStream, run};
    ///
    /// run(async {
    ///     let by_name = TcpStream::connect("localhost:8080").await?;
    ///     let by_address = TcpStream::connect(by_name.peer_addr()?).await?;
    ///     by_address.write_all(b"hello").await
    /// }).unwrap();
    /// ```
    ///
    /// Outside of Unix this takes a thread for as long as it lasts.
    ///
    /// # Errors
    ///
    /// The system's for the attempt: refused, unreachable, timed out.
    /// [`Value`](crate::ErrorKind::Value) for text without a port. The cancellation;
    /// [`Runtime`](crate::ErrorKind::Runtime) where no loop runs.
    ///
    /// # Cancellation
    ///
    /// Cancelled or dropped, its descriptor is closed at once. (Outside of Unix: as soon as the
    /// system has made the connection, or given up.)
    pub async fn connect(to: impl ConnectTo) -> Result<TcpStream> {
        match to.destination()? {
            Destination::Address(address) => {
                Ok(TcpStream(connect(address, None, &mut Vec::new()).await?))
            }
            Destination::Host(host, port) => TcpStream::connect_to_host(&host, port).await,
        }
    }

    /// Connects to `port` of `host`, on the loop that runs: the part of asyncio's
    /// `create_connection` that makes the socket. A name is looked up on the loop's executor, and
    /// its addresses are tried in order.
    ///
    /// # Errors
    ///
    /// The system's for the name; the error of the only attempt, or of all if they say the
    /// same; otherwise one that begins with `Multiple exceptions: `. The cancellation;
    /// [`Runtime`](crate::ErrorKind::Runtime) where no loop runs.
    ///
    /// # Cancellation
    ///
    /// As [`connect`](TcpStream::connect).
    pub async fn connect_to_host(host: &str, port: u16) -> Result<TcpStream> {
        TcpStream::connect_to_host_with(host, port, &ConnectOptions::new()).await
    }

    /// Connects like [`connect_to_host`](TcpStream::connect_to_host), with options: from a local address, or
    /// by Happy Eyeballs, for example.
    ///
    /// # Errors
    ///
    /// As [`connect_to_host`](TcpStream::connect_to_host). An address that can't be bound is one
    /// more error of its attempt.
    ///
    /// # Cancellation
    ///
    /// As [`connect`](TcpStream::connect).
    pub async fn connect_to_host_with(
        host: &str,
        port: u16,
        options: &ConnectOptions,
    ) -> Result<TcpStream> {
        Ok(TcpStream(connect_to_host(host, port, options).await?))
    }

    /// Reads what there is into `buffer` as [`read`](TcpStream::read) does, and leaves it to be read again.
    ///
    /// # Errors
    ///
    /// As [`read`](TcpStream::read).
    ///
    /// # Cancellation
    ///
    /// As [`read`](TcpStream::read).
    pub async fn peek(&self, buffer: &mut [u8]) -> Result<usize> {
        self.0.read_with(|stream| stream.peek(buffer)).await
    }

    /// Returns the address of the other end.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn peer_addr(&self) -> Result<SocketAddr> {
        Ok(self.get_ref().peer_addr()?)
    }

    /// Returns true if small writes go out at once, in place of waiting for more to send with them.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn nodelay(&self) -> Result<bool> {
        Ok(self.get_ref().nodelay()?)
    }

    /// Sets whether small writes go out at once. asyncio's streams do; a new socket doesn't.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn set_nodelay(&self, nodelay: bool) -> Result<()> {
        Ok(self.get_ref().set_nodelay(nodelay)?)
    }
}

impl_stream!(TcpStream, net::TcpStream);
impl_socket!(TcpStream, net::TcpStream, SocketAddr);
