//! [`SubprocessProtocol`]: the callbacks of a child process.

use alloc::rc::Rc;
use core::any::Any;

use super::events::SubprocessEvents;
use super::started::Started;
use super::transport::SubprocessTransport;
use crate::asyncio::LoopFuture;
use crate::error::{Error, Result};
use crate::event_loop::LoopRef;
use crate::net::BaseEvents;

/// The callbacks of a child process: `asyncio.SubprocessProtocol`.
///
/// [`connection_made`](SubprocessProtocol::connection_made) comes first. When the process has ended
/// and all its pipes are closed, [`connection_lost`](SubprocessProtocol::connection_lost) is the
/// last.
///
/// # Errors
///
/// An error or a panic of a callback is reported to the exception handler.
pub trait SubprocessProtocol {
    /// Called when the process runs and its pipes are connected: `connection_made`.
    ///
    /// # Errors
    ///
    /// See [`SubprocessProtocol`].
    fn connection_made(&self, transport: &SubprocessTransport) -> Result<()> {
        let _ = transport;
        Ok(())
    }

    /// Called with what the process has written to its descriptor `fd`, 1 or 2:
    /// `pipe_data_received`.
    ///
    /// # Errors
    ///
    /// See [`SubprocessProtocol`].
    fn pipe_data_received(&self, fd: usize, data: &[u8]) -> Result<()> {
        let _ = (fd, data);
        Ok(())
    }

    /// Called when the pipe of the descriptor `fd` is closed: `pipe_connection_lost`.
    ///
    /// # Errors
    ///
    /// See [`SubprocessProtocol`].
    fn pipe_connection_lost(&self, fd: usize, error: Option<Error>) -> Result<()> {
        let _ = (fd, error);
        Ok(())
    }

    /// Called when the process has ended: `process_exited`. Its pipes may be open.
    ///
    /// # Errors
    ///
    /// See [`SubprocessProtocol`].
    fn process_exited(&self) -> Result<()> {
        Ok(())
    }

    /// Called when the process has ended and its pipes are closed: `connection_lost`.
    ///
    /// # Errors
    ///
    /// See [`SubprocessProtocol`].
    fn connection_lost(&self, error: Option<Error>) -> Result<()> {
        let _ = error;
        Ok(())
    }

    /// Called when the write buffer of the standard input grows beyond its high-water mark:
    /// `pause_writing`.
    ///
    /// # Errors
    ///
    /// See [`SubprocessProtocol`].
    fn pause_writing(&self) -> Result<()> {
        Ok(())
    }

    /// Called when that buffer has shrunk to its low-water mark: `resume_writing`.
    ///
    /// # Errors
    ///
    /// See [`SubprocessProtocol`].
    fn resume_writing(&self) -> Result<()> {
        Ok(())
    }
}

/// A factory may hand out a protocol that the program keeps, too.
impl<P: SubprocessProtocol + ?Sized> SubprocessProtocol for Rc<P> {
    fn connection_made(&self, transport: &SubprocessTransport) -> Result<()> {
        (**self).connection_made(transport)
    }

    fn pipe_data_received(&self, fd: usize, data: &[u8]) -> Result<()> {
        (**self).pipe_data_received(fd, data)
    }

    fn pipe_connection_lost(&self, fd: usize, error: Option<Error>) -> Result<()> {
        (**self).pipe_connection_lost(fd, error)
    }

    fn process_exited(&self) -> Result<()> {
        (**self).process_exited()
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

impl SubprocessTransport {
    /// Calls `protocol` from the next event on, in the place of the protocol before: `set_protocol`.
    /// Its `connection_made` is not called, and a call that is scheduled already is the old one's. Once
    /// the process and its pipes have ended it does nothing.
    pub fn set_protocol(&self, protocol: Rc<dyn SubprocessProtocol>) {
        self.callbacks().set_protocol(Rc::new(Called(protocol)));
    }

    /// The protocol that it calls, until the process and its pipes have ended: `get_protocol`.
    #[must_use]
    pub fn get_protocol(&self) -> Option<Rc<dyn SubprocessProtocol>> {
        Some(Rc::clone(&self.callbacks().protocol_as::<Called>()?.0))
    }
}

/// Makes a transport that calls `protocol`; `waiter` is done when the pipes are connected.
pub(super) fn transport_of(
    on: &LoopRef,
    started: Started,
    protocol: Rc<dyn SubprocessProtocol>,
    waiter: LoopFuture<()>,
) -> Result<SubprocessTransport> {
    let made = Rc::clone(&protocol);
    let connection_made = move |transport: &SubprocessTransport| made.connection_made(transport);
    SubprocessTransport::new(on, started, Rc::new(Called(protocol)), connection_made, waiter)
}

/// A protocol of the program's own as a transport calls it.
struct Called(Rc<dyn SubprocessProtocol>);

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

impl SubprocessEvents for Called {
    fn pipe_data_received(&self, fd: usize, data: &[u8]) -> Result<()> {
        self.0.pipe_data_received(fd, data)
    }

    fn pipe_connection_lost(&self, fd: usize, error: Option<Error>) -> Result<()> {
        self.0.pipe_connection_lost(fd, error)
    }

    fn process_exited(&self) -> Result<()> {
        self.0.process_exited()
    }
}
