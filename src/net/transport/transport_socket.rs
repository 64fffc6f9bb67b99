//! [`TransportSocket`]: the descriptor of a transport or a server, for its options.

use alloc::rc::Rc;
use core::fmt;
#[cfg(unix)]
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
#[cfg(windows)]
use std::os::windows::io::{AsRawSocket, AsSocket, BorrowedSocket, RawSocket};

use crate::event_loop::Source;

/// The socket or pipe of a transport or a server: `asyncio.trsock.TransportSocket`. Crates as socket2
/// and rustix set options by it. Nothing should be read from it or written to it.
///
/// It keeps the descriptor open, and with it the connection: drop it once it is used.
#[derive(Clone)]
pub struct TransportSocket(Rc<dyn Source>);

impl TransportSocket {
    pub(crate) fn new<S: Source + 'static>(source: &Rc<S>) -> TransportSocket {
        TransportSocket(Rc::<S>::clone(source))
    }
}

#[cfg(unix)]
impl AsFd for TransportSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(unix)]
impl AsRawFd for TransportSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

#[cfg(windows)]
impl AsSocket for TransportSocket {
    fn as_socket(&self) -> BorrowedSocket<'_> {
        self.0.as_socket()
    }
}

#[cfg(windows)]
impl AsRawSocket for TransportSocket {
    fn as_raw_socket(&self) -> RawSocket {
        self.0.as_socket().as_raw_socket()
    }
}

impl fmt::Debug for TransportSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_tuple("TransportSocket");
        #[cfg(unix)]
        shown.field(&self.as_raw_fd());
        #[cfg(windows)]
        shown.field(&self.as_raw_socket());
        shown.finish()
    }
}
