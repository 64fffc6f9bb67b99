//! The ends of pipes, which call a protocol.

use alloc::rc::Rc;
use std::fs::File;
use std::os::fd::OwnedFd;

use super::protocol::{Protocol, callbacks_of};
use super::transport::{Transport, made_by};
use crate::error::Result;
use crate::event_loop::LoopRef;

impl LoopRef {
    /// Reads from `pipe`, and calls the protocol that `factory` makes:
    /// `loop.connect_read_pipe`. It returns after `connection_made`.
    ///
    /// The pipe may be a socket or a terminal too. It is set to non-blocking mode, and so is every
    /// other descriptor of the same open file, in whatever process. At its end the transport calls
    /// `eof_received`, the answer of which has no effect, and closes itself.
    ///
    /// An error of `data_received` is reported as that of any callback, and the transport reads on:
    /// so it is in asyncio.
    ///
    /// # Errors
    ///
    /// [`Value`](crate::ErrorKind::Value) if it is none of these, but a file for example; what the
    /// system says.
    ///
    /// # Cancellation
    ///
    /// Cancelled or dropped, the pipe is closed.
    pub async fn connect_read_pipe<P: Protocol + 'static>(
        &self,
        factory: impl FnOnce() -> P,
        pipe: impl Into<OwnedFd>,
    ) -> Result<(Transport, Rc<P>)> {
        let pipe = File::from(pipe.into());
        let make = |own, waiter| {
            let (events, made) = callbacks_of(own);
            Transport::of_read_pipe(self, pipe, events, made, waiter)
        };
        made_by(self, factory, |own, waiter| make(own, waiter)).await
    }

    /// Writes to `pipe`, and calls the protocol that `factory` makes:
    /// `loop.connect_write_pipe`. It returns after `connection_made`.
    ///
    /// For the kinds of pipes see [`connect_read_pipe`](LoopRef::connect_read_pipe). When the
    /// reading end of a pipe, or the other end of a socket, is closed, the transport closes itself.
    ///
    /// # Errors
    ///
    /// As [`connect_read_pipe`](LoopRef::connect_read_pipe).
    ///
    /// # Cancellation
    ///
    /// Cancelled or dropped, the pipe is closed.
    pub async fn connect_write_pipe<P: Protocol + 'static>(
        &self,
        factory: impl FnOnce() -> P,
        pipe: impl Into<OwnedFd>,
    ) -> Result<(Transport, Rc<P>)> {
        let pipe = File::from(pipe.into());
        let make = |own, waiter| {
            let (events, made) = callbacks_of(own);
            Transport::of_write_pipe(self, pipe, events, made, waiter)
        };
        made_by(self, factory, |own, waiter| make(own, waiter)).await
    }
}
