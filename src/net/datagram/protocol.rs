//! [`DatagramProtocol`]: the callbacks of an endpoint of datagrams.

use alloc::rc::Rc;
use core::any::Any;

use super::events::DatagramEvents;
use super::socket::Socket;
use super::transport::DatagramTransport;
use crate::asyncio::LoopFuture;
use crate::error::{Error, Result};
use crate::event_loop::LoopRef;
use crate::net::transport::{Address, BaseEvents};

/// The callbacks of an endpoint of datagrams: `asyncio.DatagramProtocol`.
///
/// [`connection_made`](DatagramProtocol::connection_made) comes first, and
/// [`connection_lost`](DatagramProtocol::connection_lost) last.
///
/// # Errors
///
/// An error or a panic of a callback is reported to the exception handler, and closes nothing. One
/// of `error_received` is returned by `sendto` where that has called it.
pub trait DatagramProtocol {
    /// Called when the endpoint is made: `connection_made`.
    ///
    /// # Errors
    ///
    /// See [`DatagramProtocol`].
    fn connection_made(&self, transport: &DatagramTransport) -> Result<()> {
        let _ = transport;
        Ok(())
    }

    /// Called with each datagram, and the address that it is from: `datagram_received`. No datagram
    /// of IP is longer than the buffer into which they are read.
    ///
    /// # Errors
    ///
    /// See [`DatagramProtocol`].
    fn datagram_received(&self, data: &[u8], from: &Address) -> Result<()> {
        let _ = (data, from);
        Ok(())
    }

    /// Called when sending or receiving has failed: `error_received`. The endpoint goes on.
    ///
    /// # Errors
    ///
    /// See [`DatagramProtocol`].
    fn error_received(&self, error: Error) -> Result<()> {
        let _ = error;
        Ok(())
    }

    /// Called when the endpoint is closed: `connection_lost`. The socket is closed after it
    /// returns.
    ///
    /// # Errors
    ///
    /// See [`DatagramProtocol`].
    fn connection_lost(&self, error: Option<Error>) -> Result<()> {
        let _ = error;
        Ok(())
    }

    /// Called when the write buffer grows beyond its high-water mark: `pause_writing`.
    ///
    /// # Errors
    ///
    /// See [`DatagramProtocol`].
    fn pause_writing(&self) -> Result<()> {
        Ok(())
    }

    /// Called when the write buffer has shrunk to its low-water mark: `resume_writing`.
    ///
    /// # Errors
    ///
    /// See [`DatagramProtocol`].
    fn resume_writing(&self) -> Result<()> {
        Ok(())
    }
}

/// A factory may hand out a protocol that the program keeps, too.
impl<P: DatagramProtocol + ?Sized> DatagramProtocol for Rc<P> {
    fn connection_made(&self, transport: &DatagramTransport) -> Result<()> {
        (**self).connection_made(transport)
    }

    fn datagram_received(&self, data: &[u8], from: &Address) -> Result<()> {
        (**self).datagram_received(data, from)
    }

    fn error_received(&self, error: Error) -> Result<()> {
        (**self).error_received(error)
    }

    fn connection_lost(&self, error: Option<Error>) -> Result<()> {
        (**self).connection_lost(error)
    }

    fn pause_writing(&self) -> Result<()> {
        (**self).pause_writing()
    }

    fn resume_writing(&self) -> Result<()> {
        (**self).resume_writing()
    }
}

impl DatagramTransport {
    /// Calls `protocol` from the next event on, in the place of the protocol before: `set_protocol`.
    /// Its `connection_made` is not called. Once the endpoint is closed it does nothing.
    pub fn set_protocol(&self, protocol: Rc<dyn DatagramProtocol>) {
        self.callbacks().set_protocol(Rc::new(Called(protocol)));
    }

    /// The protocol that it calls, until the endpoint is closed: `get_protocol`.
    #[must_use]
    pub fn get_protocol(&self) -> Option<Rc<dyn DatagramProtocol>> {
        Some(Rc::clone(&self.callbacks().protocol_as::<Called>()?.0))
    }
}

/// Makes an endpoint that calls `protocol`; `waiter` is done after `connection_made`.
pub(super) fn endpoint_of(
    on: &LoopRef,
    socket: Socket,
    protocol: Rc<dyn DatagramProtocol>,
    remote: Option<Address>,
    waiter: LoopFuture<()>,
) -> Result<DatagramTransport> {
    let made = Rc::clone(&protocol);
    let connection_made = move |transport: &DatagramTransport| made.connection_made(transport);
    let events = Rc::new(Called(protocol));
    DatagramTransport::new(on, socket, events, connection_made, remote, waiter)
}

/// A protocol of the program's own as an endpoint calls it.
struct Called(Rc<dyn DatagramProtocol>);

impl BaseEvents for Called {
    fn connection_lost(&self, error: Option<Error>) -> Result<()> {
        self.0.connection_lost(error)
    }

    fn pause_writing(&self) -> Result<()> {
        self.0.pause_writing()
    }

    fn resume_writing(&self) -> Result<()> {
        self.0.resume_writing()
    }

    fn into_any(self: Rc<Self>) -> Option<Rc<dyn Any>> {
        Some(self)
    }
}

impl DatagramEvents for Called {
    fn datagram_received(&self, data: &[u8], from: &Address) -> Result<()> {
        self.0.datagram_received(data, from)
    }

    fn error_received(&self, error: Error) -> Result<()> {
        self.0.error_received(error)
    }
}
