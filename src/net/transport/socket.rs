//! [`Socket`]: a connected stream socket of any family.

#[cfg(unix)]
use alloc::format;
use alloc::rc::Rc;
use std::io::{self, Read, Write};
use std::net::{self, Shutdown, TcpStream};
#[cfg(unix)]
use std::os::unix::net::{self as unix, UnixStream};

use super::transport_socket::TransportSocket;
use crate::error::Result;
use crate::event_loop::{CallbackOutput, LoopRef};

/// The address of one end of a connection.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Address {
    /// An address and port.
    Ip(net::SocketAddr),
    /// A path, or no name.
    #[cfg(unix)]
    Unix(unix::SocketAddr),
}

impl Address {
    /// The address and port, if it has them.
    #[must_use]
    pub fn ip(&self) -> Option<net::SocketAddr> {
        match self {
            Address::Ip(address) => Some(*address),
            #[cfg(unix)]
            Address::Unix(_) => None,
        }
    }
}

impl PartialEq for Address {
    fn eq(&self, other: &Address) -> bool {
        match (self, other) {
            (Address::Ip(own), Address::Ip(other)) => own == other,
            #[cfg(unix)]
            (Address::Unix(own), Address::Unix(other)) => {
                let (path, of_other) = (own.as_pathname(), other.as_pathname());
                // Names without a path can't be compared but by their text.
                path == of_other && (path.is_some() || format!("{own:?}") == format!("{other:?}"))
            }
            #[cfg(unix)]
            _ => false,
        }
    }
}

impl From<net::SocketAddr> for Address {
    fn from(address: net::SocketAddr) -> Address {
        Address::Ip(address)
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Socket {
    Tcp(Rc<TcpStream>),
    #[cfg(unix)]
    Unix(Rc<UnixStream>),
}

/// Calls the same method of either socket.
macro_rules! each {
    ($socket:expr, $name:ident => $body:expr) => {
        match $socket {
            Socket::Tcp($name) => $body,
            #[cfg(unix)]
            Socket::Unix($name) => $body,
        }
    };
}

impl Socket {
    pub(crate) fn source(&self) -> TransportSocket {
        each!(self, socket => TransportSocket::new(socket))
    }

    pub(crate) fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        each!(self, socket => (&**socket).read(buffer))
    }

    pub(crate) fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        each!(self, socket => (&**socket).write(bytes))
    }

    pub(crate) fn end_writing(&self) -> io::Result<()> {
        each!(self, socket => socket.shutdown(Shutdown::Write))
    }

    /// Disables the delay of small writes, as asyncio's transports do.
    pub(crate) fn set_nodelay(&self) {
        match self {
            // A peer that is gone already shows itself with the first operation.
            Socket::Tcp(socket) => _ = socket.set_nodelay(true),
            #[cfg(unix)]
            Socket::Unix(_) => {}
        }
    }

    pub(crate) fn addresses(&self) -> (Option<Address>, Option<Address>) {
        match self {
            Socket::Tcp(tcp) => {
                (tcp.local_addr().ok().map(Address::Ip), tcp.peer_addr().ok().map(Address::Ip))
            }
            #[cfg(unix)]
            Socket::Unix(unix) => {
                let of = |address: io::Result<_>| address.ok().map(Address::Unix);
                (of(unix.local_addr()), of(unix.peer_addr()))
            }
        }
    }

    pub(crate) fn add_reader<R: CallbackOutput + 'static>(
        &self,
        on: &LoopRef,
        callback: impl FnMut() -> R + 'static,
    ) -> Result<()> {
        each!(self, socket => on.add_reader(Rc::clone(socket), callback))
    }

    pub(crate) fn add_writer<R: CallbackOutput + 'static>(
        &self,
        on: &LoopRef,
        callback: impl FnMut() -> R + 'static,
    ) -> Result<()> {
        each!(self, socket => on.add_writer(Rc::clone(socket), callback))
    }

    pub(crate) fn remove_reader(&self, on: &LoopRef) {
        // One that can't be changed is gone with its descriptor.
        let _ = each!(self, socket => on.remove_reader(socket));
    }

    pub(crate) fn remove_writer(&self, on: &LoopRef) {
        let _ = each!(self, socket => on.remove_writer(socket));
    }
}

/// Returns whether an operation of a socket is to be tried again when that is ready.
pub(crate) fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
