//! [`TransportSocket`]: the descriptor of a transport or a server, for its options.

use alloc::rc::Rc;
use core::fmt;
#[cfg(unix)]
use std::os::fd::AsRawFd;
#[cfg(windows)]
use std::os::windows::io::AsRawSocket;

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

    fn get_ref(&self) -> &dyn Source {
        &*self.0
    }
}

crate::io::impl_descriptor!([] TransportSocket);

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
