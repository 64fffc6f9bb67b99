//! [`Socket`]: a connected stream socket of any family.

use alloc::rc::Rc;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
#[cfg(unix)]
use std::os::unix::net::UnixStream;

use super::address::Ends;
use super::transport_socket::TransportSocket;
use crate::error::Result;
use crate::event_loop::{CallbackOutput, LoopRef, Side};
use crate::io::check_stream;

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
    /// Takes a socket that the program has made.
    pub(crate) fn given_tcp(socket: TcpStream) -> Result<Socket> {
        check_stream(&socket, false)?;
        socket.set_nonblocking(true)?;
        Ok(Socket::Tcp(Rc::new(socket)))
    }

    /// Takes a Unix socket that the program has made.
    #[cfg(unix)]
    pub(crate) fn given_unix(socket: UnixStream) -> Result<Socket> {
        check_stream(&socket, true)?;
        socket.set_nonblocking(true)?;
        Ok(Socket::Unix(Rc::new(socket)))
    }

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

    pub(crate) fn ends(&self) -> Ends {
        match self {
            Socket::Tcp(tcp) => Ends::of_ip(tcp.local_addr().ok(), tcp.peer_addr().ok()),
            #[cfg(unix)]
            Socket::Unix(unix) => {
                Ends::Unix([unix.local_addr().ok(), unix.peer_addr().ok()].into())
            }
        }
    }

    pub(crate) fn add_reader<R: CallbackOutput + 'static>(
        &self,
        on: &LoopRef,
        callback: impl FnMut() -> R + 'static,
    ) -> Result<()> {
        each!(self, socket => on.watch(Rc::clone(socket) as _, Side::Reader, callback))
    }

    pub(crate) fn add_writer<R: CallbackOutput + 'static>(
        &self,
        on: &LoopRef,
        callback: impl FnMut() -> R + 'static,
    ) -> Result<()> {
        each!(self, socket => on.watch(Rc::clone(socket) as _, Side::Writer, callback))
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
