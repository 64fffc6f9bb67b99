//! Files that are sent over the connections of transports.

use alloc::format;
use alloc::rc::Rc;
use core::cell::Cell;
use std::fs::File;
use std::io;

use super::settle::settle;
use super::transport::{BaseEvents, Events, Socket, SocketTransport, Transport, is_passing};
use crate::asyncio::LoopFuture;
use crate::collections::RefCell;
use crate::error::{Error, ErrorKind, Result};
use crate::event_loop::LoopRef;
use crate::io::{Fallback, FilePart, not_available};
use crate::panics::caught;

/// The bytes that are read at once.
const BLOCK: usize = 16 * 1024;

impl LoopRef {
    /// Sends `file` over `transport` from `offset` on, all of it or `count` bytes: `loop.sendfile`.
    /// Returns the number of bytes. What was written before is sent before; meanwhile nothing can be
    /// written, and nothing is read.
    ///
    /// On Linux the system sends it. Elsewhere, over TLS, and where the file isn't one that it sends,
    /// blocks of it are read on the loop's own executor, unless `fallback` forbids it.
    ///
    /// # Errors
    ///
    /// [`Runtime`](ErrorKind::Runtime) if `transport` is closing, or no connection, and without the
    /// system's help if `fallback` is [`Forbidden`](Fallback::Forbidden) (asyncio's `SendfileNotAvailableError`);
    /// [`Value`](ErrorKind::Value) if `count` is 0; the error of the connection.
    ///
    /// # Cancellation
    ///
    /// Cancelled or dropped, the file's position is behind what was sent.
    pub async fn sendfile(
        &self,
        transport: &Transport,
        file: &File,
        offset: u64,
        count: Option<u64>,
        fallback: Fallback,
    ) -> Result<u64> {
        if transport.is_closing() {
            return Err(Error::runtime("Transport is closing"));
        }
        if transport.flow().is_none() {
            let message = format!("sendfile is not supported for transport {transport:?}");
            return Err(Error::runtime(message));
        }
        if let Some(connection) = transport.connection() {
            let part = FilePart::new(file, offset, count)?;
            match send_natively(self, connection, part).await? {
                Some(sent) => return Ok(sent),
                None if fallback == Fallback::Allowed => {}
                None => return Err(not_available()),
            }
        } else if fallback == Fallback::Forbidden {
            let message = format!(
                "fallback is disabled and native sendfile is not supported for transport {transport:?}"
            );
            return Err(Error::runtime(message));
        }
        send_by_blocks(self, transport, FilePart::new(file, offset, count)?).await
    }
}

/// Has the system send `part`. Returns nothing where it can't: asyncio's `_sendfile_native`.
async fn send_natively(
    on: &LoopRef,
    connection: &SocketTransport,
    part: FilePart,
) -> Result<Option<u64>> {
    let resumes = connection.is_reading();
    connection.pause_reading();
    let emptied = LoopFuture::new(on);
    let begun = connection.begin_file(&emptied);
    let done = LoopFuture::new(on);
    let ending = Ending { connection, resumes, sending: RefCell::default(), begun: begun.is_ok() };
    let socket = begun?;
    emptied.await?;
    connection.go_on_with_file(&done);
    let sending = Rc::new(Sending {
        on: on.clone(),
        socket,
        part: RefCell::new(part),
        done: done.clone(),
        waits: Cell::new(false),
    });
    ending.sending.replace(Some(Rc::clone(&sending)));
    sending.step();
    let outcome = done.await;
    let sent = sending.part.borrow().sent();
    match outcome {
        Ok(()) => Ok(Some(sent)),
        Err(error) if sent == 0 && error.kind() == ErrorKind::Io && !connection.is_closing() => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Has the transport write and read again when a file was sent, or is sent no more.
struct Ending<'a> {
    connection: &'a SocketTransport,
    resumes: bool,
    sending: RefCell<Option<Rc<Sending>>>,
    begun: bool,
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        if self.begun {
            self.connection.end_file();
        }
        if let Some(sending) = self.sending.take() {
            sending.stop();
        }
        if self.resumes {
            // A socket that can't be watched shows that at the next operation.
            let _ = self.connection.resume_reading();
        }
    }
}

/// A file that the system sends, whenever the socket takes more: asyncio's `_sock_sendfile_native_impl`.
struct Sending {
    on: LoopRef,
    socket: Socket,
    part: RefCell<FilePart>,
    done: LoopFuture<()>,
    /// The socket is watched.
    waits: Cell<bool>,
}

impl Sending {
    fn stop(&self) {
        if self.waits.replace(false) {
            self.socket.remove_writer(&self.on);
        }
    }

    fn step(self: &Rc<Self>) {
        self.stop();
        if self.done.done() {
            return;
        }
        let sent = self.part.borrow_mut().send_to(self.socket.source());
        let error = match sent {
            Ok(0) => return settle(&self.done, None),
            Ok(_) => None,
            Err(error) if is_passing(&error) => None,
            Err(error) => Some(Error::from(error)),
        };
        let own = Rc::clone(self);
        let waits = match error {
            Some(error) => Err(error),
            None => self.socket.add_writer(&self.on, move || own.step()),
        };
        match waits {
            Ok(()) => self.waits.set(true),
            Err(error) => settle(&self.done, Some(&error)),
        }
    }
}

/// Writes `part` by blocks: asyncio's `_sendfile_fallback`.
async fn send_by_blocks(on: &LoopRef, transport: &Transport, mut part: FilePart) -> Result<u64> {
    let Some(flow) = transport.flow() else { return Err(not_available()) };
    let callbacks = transport.callbacks();
    let Some(own) = callbacks.protocol() else { return Err(closed()) };
    let (resumes_reading, resumes_writing) = (transport.is_reading(), flow.is_paused());
    transport.pause_reading();
    let room = RefCell::new(resumes_writing.then(|| LoopFuture::new(on)));
    let pausing = Rc::new(Pausing { on: on.clone(), own, room });
    callbacks.set_protocol(Rc::<Pausing>::clone(&pausing));
    let _restoring = Restoring { transport, pausing: &pausing, resumes_reading, resumes_writing };
    loop {
        let block = part.read(on, BLOCK).await?;
        if block.is_empty() {
            return Ok(part.sent());
        }
        transport.write(&block)?;
        if transport.is_closing() {
            return Err(closed());
        }
        let room = pausing.room.borrow().clone();
        if let Some(room) = room {
            room.await?;
        }
        part.advance(block.len());
    }
}

fn closed() -> Error {
    io::Error::new(io::ErrorKind::ConnectionReset, "Connection is closed by peer").into()
}

/// Stands before the protocol of a transport while a file is written by blocks: asyncio's
/// `_SendfileFallbackProtocol`.
struct Pausing {
    on: LoopRef,
    own: Rc<dyn Events>,
    /// Done when there is room again; there while there is none.
    room: RefCell<Option<LoopFuture<()>>>,
}

impl BaseEvents for Pausing {
    fn connection_lost(&self, error: Option<Error>) -> Result<()> {
        if let Some(room) = self.room.take() {
            settle(&room, Some(&error.clone().unwrap_or_else(closed)));
        }
        self.own.connection_lost(error)
    }

    fn pause_writing(&self) -> Result<()> {
        if self.room.borrow().is_none() {
            self.room.replace(Some(LoopFuture::new(&self.on)));
        }
        Ok(())
    }

    fn resume_writing(&self) -> Result<()> {
        if let Some(room) = self.room.take() {
            settle(&room, None);
        }
        Ok(())
    }
}

impl Events for Pausing {
    fn data_received(&self, _data: &[u8]) -> Result<()> {
        Err(Error::runtime("Invalid state: reading should be paused"))
    }

    fn eof_received(&self) -> Result<bool> {
        Err(Error::runtime("Invalid state: reading should be paused"))
    }
}

/// Gives a transport its protocol back.
struct Restoring<'a> {
    transport: &'a Transport,
    pausing: &'a Rc<Pausing>,
    resumes_reading: bool,
    resumes_writing: bool,
}

impl Drop for Restoring<'_> {
    fn drop(&mut self) {
        let own = &self.pausing.own;
        if !self.transport.callbacks().set_protocol(Rc::clone(own)) {
            // It was lost.
            return;
        }
        if self.resumes_reading {
            // A socket that can't be watched shows that at the next operation.
            let _ = self.transport.resume_reading();
        }
        if self.resumes_writing {
            if let Err(error) = caught(|| own.resume_writing()).and_then(|resumed| resumed) {
                self.transport.report("protocol.resume_writing() failed", Some(error));
            }
        }
    }
}
