//! [`Protocol`] and [`BufferedProtocol`]: the callbacks of a transport.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::any::Any;

use super::transport::{BaseEvents, Events, Socket, Tls, Transport};
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
/// to the exception handler unless it is of kind [`Io`](crate::ErrorKind::Io) or
/// [`Timeout`](crate::ErrorKind::Timeout). One of any other callback is reported only.
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

    /// Returns itself if it receives into buffers of its own: then a connection calls
    /// [`BufferedProtocol`] in the place of [`data_received`](Protocol::data_received). The end of a
    /// pipe doesn't, as in asyncio.
    fn buffered(&self) -> Option<&dyn BufferedProtocol> {
        None
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

/// A factory may hand out a protocol that the program keeps, too.
impl<P: Protocol + ?Sized> Protocol for Rc<P> {
    fn connection_made(&self, transport: &Transport) -> Result<()> {
        (**self).connection_made(transport)
    }

    fn data_received(&self, data: &[u8]) -> Result<()> {
        (**self).data_received(data)
    }

    fn buffered(&self) -> Option<&dyn BufferedProtocol> {
        (**self).buffered()
    }

    fn eof_received(&self) -> Result<bool> {
        (**self).eof_received()
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

/// Receives into buffers of its own: `asyncio.BufferedProtocol`. A [`Protocol`] that is one returns
/// itself from [`buffered`](Protocol::buffered).
pub trait BufferedProtocol {
    /// Returns the buffer that the next read fills, from its front: `get_buffer(-1)`. Its length is
    /// what is read at most.
    ///
    /// # Errors
    ///
    /// An error, a panic or an empty buffer closes the connection, and is reported as one of
    /// [`data_received`](Protocol::data_received) is.
    fn get_buffer(&self) -> Result<Vec<u8>>;

    /// Takes the buffer back, of which the first `count` bytes were read: `buffer_updated`. A
    /// buffer into which nothing was read is dropped.
    ///
    /// # Errors
    ///
    /// See [`Protocol`].
    fn buffer_updated(&self, buffer: Vec<u8>, count: usize) -> Result<()>;
}

impl Transport {
    /// Calls `protocol` from the next event on, in the place of the protocol before: `set_protocol`.
    /// Its `connection_made` is not called. One that receives into buffers of its own may follow one that
    /// doesn't, and the reverse.
    ///
    /// Once the connection is lost it does nothing.
    ///
    /// ```
    /// use std::rc::Rc;
    /// use callsoon::net::{Protocol, Transport};
    /// use callsoon::{LoopFuture, Result, run, running_loop};
    ///
    /// /// Waits for the line by which the client says what it speaks.
    /// struct Hello(LoopFuture<Vec<u8>>, std::cell::OnceCell<Transport>);
    ///
    /// /// Takes all that comes after it.
    /// struct Chat(LoopFuture<Vec<u8>>);
    ///
    /// impl Protocol for Hello {
    ///     fn connection_made(&self, transport: &Transport) -> Result<()> {
    ///         let _ = self.1.set(transport.clone());
    ///         Ok(())
    ///     }
    ///
    ///     fn data_received(&self, hello: &[u8]) -> Result<()> {
    ///         assert_eq!(hello, b"chat\n");
    ///         let transport = self.1.get().expect("it is made");
    ///         transport.set_protocol(Rc::new(Chat(self.0.clone())));
    ///         transport.write(b"go on\n")
    ///     }
    /// }
    ///
    /// impl Protocol for Chat {
    ///     fn data_received(&self, data: &[u8]) -> Result<()> {
    ///         self.0.set_result(data.to_vec())
    ///     }
    /// }
    ///
    /// run(async {
    ///     let on = running_loop()?;
    ///     let said = on.create_future();
    ///     let hello = said.clone();
    ///     let factory = move || Hello(hello.clone(), Default::default());
    ///     let server = on.create_server(factory, Some("127.0.0.1"), 0).await?;
    ///     let port = server.addresses()[0].ip().map_or(0, |address| address.port());
    ///     let (reader, writer) = callsoon::net::open_connection("127.0.0.1", port, 100).await?;
    ///     writer.write(b"chat\n")?;
    ///     assert_eq!(reader.readline().await?, b"go on\n");
    ///     writer.write(b"hi")?;
    ///     assert_eq!((&said).await?, b"hi");
    ///     server.close();
    ///     Ok(())
    /// }).unwrap();
    /// ```
    pub fn set_protocol(&self, protocol: Rc<dyn Protocol>) {
        self.callbacks().set_protocol(Rc::new(Called(protocol)));
    }

    /// The protocol that it calls: `get_protocol`. There is none once the connection is lost, and none to see
    /// while streams, TLS or a file that is being sent stand in the place of the program's own.
    #[must_use]
    pub fn get_protocol(&self) -> Option<Rc<dyn Protocol>> {
        Some(Rc::clone(&self.callbacks().protocol_as::<Called>()?.0))
    }
}

/// The callbacks of `protocol` as transports call them: those of [`Events`], and
/// `connection_made`.
pub(super) fn callbacks_of(
    protocol: Rc<dyn Protocol>,
) -> (Rc<dyn Events>, impl FnOnce(&Transport) -> Result<()> + 'static) {
    let made = Rc::clone(&protocol);
    (Rc::new(Called(protocol)), move |transport: &Transport| made.connection_made(transport))
}

/// Makes a transport that calls `protocol`; `waiter` is done after `connection_made`.
pub(super) fn transport_of(
    on: &LoopRef,
    socket: Socket,
    tls: Option<&Tls>,
    protocol: Rc<dyn Protocol>,
    waiter: LoopFuture<()>,
) -> Result<Transport> {
    let (events, made) = callbacks_of(protocol);
    Transport::of_socket(on, socket, tls, events, made, waiter)
}

/// A protocol of the program's own as a transport calls it.
struct Called(Rc<dyn Protocol>);

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

impl Events for Called {
    fn data_received(&self, data: &[u8]) -> Result<()> {
        self.0.data_received(data)
    }

    fn may_have_buffers(&self) -> bool {
        true
    }

    fn get_buffer(&self) -> Option<Result<Vec<u8>>> {
        self.0.buffered().map(BufferedProtocol::get_buffer)
    }

    fn buffer_updated(&self, buffer: Vec<u8>, count: usize) -> Result<()> {
        match self.0.buffered() {
            Some(buffered) => buffered.buffer_updated(buffer, count),
            None => self.0.data_received(&buffer[..count]),
        }
    }

    fn eof_received(&self) -> Result<bool> {
        self.0.eof_received()
    }
}
