//! Sockets of tokio's interface on those of a loop.

mod addr;
mod datagram;
mod listener;
mod ready;
mod socket;
mod split;
mod stream;
mod streaming;
mod udp;
mod unix_datagram;

pub use addr::{ToSocketAddrs, lookup_host};
pub use listener::{TcpListener, UnixListener};
pub use socket::{TcpSocket, UnixSocket};
pub use stream::{TcpStream, UnixStream};
pub use udp::UdpSocket;
pub use unix_datagram::UnixDatagram;

pub mod tcp {
    pub use super::split::tcp::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, WriteHalf};
}

pub mod unix {
    pub use super::split::unix::{
        OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, WriteHalf,
    };
    pub use super::stream::UCred;
    pub use std::os::unix::net::SocketAddr;
}

use std::io;

use callsoon::{ErrorKind, LoopRef};

use crate::runtime::Handle;

pub(crate) const SHUT_DOWN: &str = "A Tokio 1.x context was found, but it is being shutdown.";

/// Returns the loop of the runtime that the thread has entered.
#[track_caller]
fn on() -> LoopRef {
    let handle = Handle::current();
    assert!(
        handle.0.has_io,
        "A Tokio 1.x context was found, but IO is disabled. Call `enable_io` on the runtime builder to \
         enable IO."
    );
    (*handle.0.on).clone()
}

fn to_io(error: callsoon::Error) -> io::Error {
    if error.kind() == ErrorKind::Closed {
        return io::Error::other(SHUT_DOWN);
    }
    error.into()
}
