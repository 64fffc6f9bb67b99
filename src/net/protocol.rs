//! [`Protocol`]: the callbacks of a transport.

use alloc::rc::Rc;

use super::events::Events;
use super::socket::Socket;
use super::transport::Transport;
use crate::asyncio::LoopFuture;
use crate::error::{Error, Result};
use crate::event_loop::LoopRef;

/// The callbacks of a connection: `asyncio.Protocol`.
///
/// They come in this order: [`connection_made`](Protocol::connection_made) once;
/// [`data_received`](Protocol::data_received) any number of times;
/// [`eof_received`](Protocol::eof_received) at most once;
/// [`connection_lost`](Protocol::connection_lost) once.
/// [`pause_writing`](Protocol::pause_writing) and [`resume_writing`](Protocol::resume_writing) come
/// in pairs in between.
///
/// # Errors
///
/// An error or a panic of `data_received` or `eof_received` closes the connection, and is reported
/// to the exception handler unless it is of kind [`Io`](crate::ErrorKind::Io). One of any other
/// callback is reported only.
pub trait Protocol {
    /// Called when the connection is made: `connection_made`.
    ///
    /// # Errors
    ///
    /// See [`Protocol`].
    fn connection_made(&self, transport: &Transport) -> Result<()> {
        let _ = transport;
        Ok(())
    }

    /// Called with each chunk that arrives, of at most 256 KiB: `data_received`.
    ///
    /// # Errors
    ///
    /// See [`Protocol`].
    fn data_received(&self, data: &[u8]) -> Result<()> {
        let _ = data;
        Ok(())
    }

    /// Called when the peer has ended its direction: `eof_received`. Returns whether the transport
    /// stays open for writing; it is closed otherwise.
    ///
    /// # Errors
    ///
    /// See [`Protocol`].
    fn eof_received(&self) -> Result<bool> {
        Ok(false)
    }

    /// Called when the connection is closed, with the error that closed it: `connection_lost`. The
    /// socket is closed after it returns.
    ///
    /// # Errors
    ///
    /// See [`Protocol`].
    fn connection_lost(&self, error: Option<Error>) -> Result<()> {
        let _ = error;
        Ok(())
    }

    /// Called when the write buffer grows beyond its high-water mark: `pause_writing`.
    ///
    /// # Errors
    ///
    /// See [`Protocol`].
    fn pause_writing(&self) -> Result<()> {
        Ok(())
    }

    /// Called when the write buffer has shrunk to its low-water mark: `resume_writing`.
    ///
    /// # Errors
    ///
    /// See [`Protocol`].
    fn resume_writing(&self) -> Result<()> {
        Ok(())
    }
}

/// Makes a transport that calls `protocol`; `waiter` is done after `connection_made`.
pub(super) fn transport_of(
    on: &LoopRef,
    socket: Socket,
    protocol: Rc<dyn Protocol>,
    waiter: LoopFuture<()>,
) -> Result<Transport> {
    let made = Rc::clone(&protocol);
    let connection_made = move |transport: &Transport| made.connection_made(transport);
    Transport::new(on, socket, Rc::new(Called(protocol)), connection_made, waiter)
}

/// A protocol of the program's own as a transport calls it.
struct Called(Rc<dyn Protocol>);

impl Events for Called {
    fn data_received(&self, data: &[u8]) -> Result<()> {
        self.0.data_received(data)
    }

    fn eof_received(&self) -> Result<bool> {
        self.0.eof_received()
    }

    fn connection_lost(&self, error: Option<Error>) -> Result<()> {
        self.0.connection_lost(error)
    }

    fn pause_writing(&self) -> Result<()> {
        self.0.pause_writing()
    }

    fn resume_writing(&self) -> Result<()> {
        self.0.resume_writing()
    }
}
