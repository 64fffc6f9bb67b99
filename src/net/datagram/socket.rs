//! [`Socket`]: a datagram socket of any family.

use alloc::rc::Rc;
use std::io;
use std::net::UdpSocket;
#[cfg(unix)]
use std::os::unix::net::UnixDatagram;

use crate::error::Result;
use crate::event_loop::{CallbackOutput, LoopRef};
use crate::net::transport::{Address, TransportSocket};

#[derive(Clone, Debug)]
pub(super) enum Socket {
    Udp(Rc<UdpSocket>),
    #[cfg(unix)]
    Unix(Rc<UnixDatagram>),
}

/// Calls the same method of either socket.
macro_rules! each {
    ($socket:expr, $name:ident => $body:expr) => {
        match $socket {
            Socket::Udp($name) => $body,
            #[cfg(unix)]
            Socket::Unix($name) => $body,
        }
    };
}

impl Socket {
    pub(super) fn source(&self) -> TransportSocket {
        each!(self, socket => TransportSocket::new(socket))
    }

    pub(super) fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, Address)> {
        match self {
            Socket::Udp(socket) => {
                socket.recv_from(buffer).map(|(count, from)| (count, Address::Ip(from)))
            }
            #[cfg(unix)]
            Socket::Unix(socket) => {
                socket.recv_from(buffer).map(|(count, from)| (count, Address::Unix(from)))
            }
        }
    }

    pub(super) fn send(&self, data: &[u8]) -> io::Result<()> {
        each!(self, socket => socket.send(data).map(drop))
    }

    pub(super) fn send_to(&self, data: &[u8], to: &Address) -> io::Result<()> {
        match (self, to) {
            (Socket::Udp(socket), Address::Ip(to)) => socket.send_to(data, to).map(drop),
            #[cfg(unix)]
            (Socket::Unix(socket), Address::Unix(to)) => socket.send_to_addr(data, to).map(drop),
            #[cfg(unix)]
            _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "address of another family")),
        }
    }

    /// The addresses of this end and of the other one, if the socket is connected.
    pub(super) fn addresses(&self) -> (Option<Address>, Option<Address>) {
        match self {
            Socket::Udp(udp) => {
                (udp.local_addr().ok().map(Address::Ip), udp.peer_addr().ok().map(Address::Ip))
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
