//! [`Socket`]: a connected stream socket of any family.

use alloc::rc::Rc;
use std::io::{self, Read, Write};
use std::net::{self, Shutdown, TcpStream};
#[cfg(unix)]
use std::os::unix::net::{self as unix, UnixStream};

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

#[derive(Clone, Debug)]
pub(super) enum Socket {
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
    pub(super) fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        each!(self, socket => (&**socket).read(buffer))
    }

    pub(super) fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        each!(self, socket => (&**socket).write(bytes))
    }

    pub(super) fn end_writing(&self) -> io::Result<()> {
        each!(self, socket => socket.shutdown(Shutdown::Write))
    }

    /// Disables the delay of small writes, as asyncio's transports do.
    pub(super) fn set_nodelay(&self) {
        if let Socket::Tcp(socket) = self {
            // A peer that is gone already shows itself with the first operation.
            let _ = socket.set_nodelay(true);
        }
    }

    pub(super) fn addresses(&self) -> (Option<Address>, Option<Address>) {
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

    pub(super) fn add_reader<R: CallbackOutput + 'static>(
        &self,
        on: &LoopRef,
        callback: impl FnMut() -> R + 'static,
    ) -> Result<()> {
        each!(self, socket => on.add_reader(Rc::clone(socket), callback))
    }

    pub(super) fn add_writer<R: CallbackOutput + 'static>(
        &self,
        on: &LoopRef,
        callback: impl FnMut() -> R + 'static,
    ) -> Result<()> {
        each!(self, socket => on.add_writer(Rc::clone(socket), callback))
    }

    pub(super) fn remove_reader(&self, on: &LoopRef) {
        // One that can't be changed is gone with its descriptor.
        let _ = each!(self, socket => on.remove_reader(socket));
    }

    pub(super) fn remove_writer(&self, on: &LoopRef) {
        let _ = each!(self, socket => on.remove_writer(socket));
    }
}

/// Returns whether an operation of a socket is to be tried again when that is ready.
pub(super) fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
