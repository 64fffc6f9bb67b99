//! [`UdpSocket`]: datagrams over IP.

use std::io;
use std::net::{self, SocketAddr, ToSocketAddrs};

use super::async_source::Async;
#[cfg(unix)]
use super::datagram::{Datagram, receive};
use super::stream::{impl_socket, nonblocking};
use crate::error::{Error, ErrorKind, Result, about};

/// A UDP socket with sends and receives that wait for the loop: the place of asyncio's
/// `sock_sendto` and `sock_recvfrom`.
///
/// Addresses are anything that resolves to one, as in the standard library. A *name* is looked
/// up by the system, which blocks the loop meanwhile: give it a [`SocketAddr`] where that
/// matters.
///
/// ```
/// use callsoon::io::UdpSocket;
///
/// callsoon::run(async {
///     let (bulb, app) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
///     app.send_to(b"what are you?", bulb.local_addr()?).await?;
///     let mut buffer = [0; 64];
///     let (count, asker) = bulb.recv_from(&mut buffer).await?;
///     assert_eq!(&buffer[..count], b"what are you?");
///     assert_eq!(asker, app.local_addr()?);
///     Ok(())
/// }).unwrap();
/// ```
///
/// # Cancellation
///
/// As for [`Async`]: a wait that is cancelled or dropped has received and sent nothing.
#[derive(Debug)]
pub struct UdpSocket(Async<net::UdpSocket>);

impl UdpSocket {
    /// A socket bound to `address` (port 0: one that is free), on the loop that runs.
    ///
    /// # Errors
    ///
    /// The system's; [`Runtime`](crate::ErrorKind::Runtime) where no loop runs.
    pub fn bind(address: impl ToSocketAddrs) -> Result<UdpSocket> {
        UdpSocket::from(about(net::UdpSocket::bind(address), || "can't bind a UDP socket".into())?)
    }

    /// Takes over a socket of the standard library, on the loop that runs.
    ///
    /// # Errors
    ///
    /// As [`Async::new`].
    pub fn from(socket: net::UdpSocket) -> Result<UdpSocket> {
        Ok(UdpSocket(nonblocking!(socket)?))
    }

    /// Sends a datagram to `address`, and returns the number of bytes sent.
    ///
    /// # Errors
    ///
    /// The system's; the cancellation; see [`Async::write_with`].
    ///
    /// # Cancellation
    ///
    /// See [`UdpSocket`].
    pub async fn send_to(&self, datagram: &[u8], address: impl ToSocketAddrs) -> Result<usize> {
        let address = first_of(address)?;
        self.0.write_with(|socket| socket.send_to(datagram, address)).await
    }

    /// Waits for a datagram, and returns its length and its sender. What does not fit into
    /// `buffer` is lost: 65,535 bytes hold any.
    ///
    /// # Errors
    ///
    /// The system's; the cancellation; see [`Async::read_with`].
    ///
    /// # Cancellation
    ///
    /// See [`UdpSocket`].
    pub async fn recv_from(&self, buffer: &mut [u8]) -> Result<(usize, SocketAddr)> {
        self.0.read_with(|socket| socket.recv_from(buffer)).await
    }

    /// Receives as [`recv_from`](UdpSocket::recv_from) does, and returns also whether the datagram was
    /// longer than `buffer`. (On Windows such a datagram is an error of either.)
    ///
    /// # Errors
    ///
    /// As [`recv_from`](UdpSocket::recv_from).
    ///
    /// # Cancellation
    ///
    /// See [`UdpSocket`].
    #[cfg(unix)]
    pub async fn recv_datagram(&self, buffer: &mut [u8]) -> Result<Datagram> {
        self.0.read_with(|socket| receive(socket, buffer)).await
    }

    /// Waits for a datagram as [`recv_from`](UdpSocket::recv_from) does, and leaves it to be received.
    ///
    /// # Errors
    ///
    /// As [`recv_from`](UdpSocket::recv_from).
    ///
    /// # Cancellation
    ///
    /// See [`UdpSocket`].
    pub async fn peek_from(&self, buffer: &mut [u8]) -> Result<(usize, SocketAddr)> {
        self.0.read_with(|socket| socket.peek_from(buffer)).await
    }

    /// Receives a datagram without waiting; for the rest see [`recv_from`](UdpSocket::recv_from).
    ///
    /// # Errors
    ///
    /// The system's: `WouldBlock` where none has come.
    pub fn try_recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.get_ref().recv_from(buffer)
    }

    /// Sends a datagram to `address` without waiting, and returns the number of bytes sent.
    ///
    /// # Errors
    ///
    /// The system's: `WouldBlock` where there is no room.
    pub fn try_send_to(&self, datagram: &[u8], address: SocketAddr) -> io::Result<usize> {
        self.get_ref().send_to(datagram, address)
    }

    /// Has [`send`](UdpSocket::send) go to `address`, and [`recv`](UdpSocket::recv) take from
    /// there only. Nothing is sent.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn connect(&self, address: impl ToSocketAddrs) -> Result<()> {
        about(self.get_ref().connect(address), || "can't connect a UDP socket".into())
    }

    /// Sends a datagram to where the socket is [connected](UdpSocket::connect).
    ///
    /// # Errors
    ///
    /// As [`send_to`](UdpSocket::send_to).
    ///
    /// # Cancellation
    ///
    /// See [`UdpSocket`].
    pub async fn send(&self, datagram: &[u8]) -> Result<usize> {
        self.0.write_with(|socket| socket.send(datagram)).await
    }

    /// Waits for a datagram from where the socket is [connected](UdpSocket::connect), and returns
    /// its length. For the rest see [`recv_from`](UdpSocket::recv_from).
    ///
    /// # Errors
    ///
    /// As [`recv_from`](UdpSocket::recv_from). A datagram for which there is no receiver may come
    /// back as `ConnectionRefused`.
    ///
    /// # Cancellation
    ///
    /// See [`UdpSocket`].
    pub async fn recv(&self, buffer: &mut [u8]) -> Result<usize> {
        self.0.read_with(|socket| socket.recv(buffer)).await
    }
}

impl_socket!(UdpSocket, net::UdpSocket, SocketAddr);

fn first_of(address: impl ToSocketAddrs) -> Result<SocketAddr> {
    let first = address.to_socket_addrs()?.next();
    first.ok_or_else(|| Error::new(ErrorKind::Value, "no address to send to"))
}
