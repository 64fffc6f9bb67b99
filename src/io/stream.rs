//! The common part of all streams of bytes.

use core::future::Future;
use core::task::{Context, Poll};
use std::io::{self, IoSlice, Read, Write};

use super::async_source::Async;
use super::half::Half;
use super::system::{Fallback, FilePart, not_available};
use crate::error::{Error, ErrorKind, Result};
use crate::event_loop::{LoopRef, Source};

/// Reads what there is into a buffer that isn't empty. A read that didn't fill the buffer has emptied
/// the socket, so the next one asks the poller before the socket; what comes in between, the peer's end
/// included, the poller reports all the same.
#[inline]
pub(super) fn read_in_turn<'a, T>(
    half: Half<'a, T>,
    buffer: &'a mut [u8],
) -> impl Future<Output = Result<usize>> + use<'a, T>
where
    T: Source + 'static,
    for<'b> &'b T: Read,
{
    let room = buffer.len();
    let exhausts = move |count: &usize| (1..room).contains(count);
    half.operate(move |mut source: &T| source.read(buffer), exhausts)
}

/// Writes from a buffer that isn't empty. As for reads: a write of less than all bytes has filled the
/// socket.
#[inline]
pub(super) fn write_in_turn<'a, T>(
    half: Half<'a, T>,
    bytes: &'a [u8],
) -> impl Future<Output = Result<usize>> + use<'a, T>
where
    T: Source + 'static,
    for<'b> &'b T: Write,
{
    let exhausts = move |count: &usize| (1..bytes.len()).contains(count);
    half.operate(move |mut source: &T| source.write(bytes), exhausts)
}

/// The bytes that are read at once: asyncio's `SENDFILE_FALLBACK_READBUFFER_SIZE`.
const BLOCK: usize = 256 * 1024;

/// Sends `part` by the system's own call, or by blocks that are read, where that can't be and
/// `fallback` allows it. Returns how much was sent.
pub(super) async fn send_file<T>(
    half: Half<'_, T>,
    on: &LoopRef,
    mut part: FilePart,
    fallback: Fallback,
) -> Result<u64>
where
    T: Source + 'static,
    for<'a> &'a T: Write,
{
    loop {
        match half.operate(|socket: &T| part.send_to(socket), |_| false).await {
            Ok(0) => return Ok(part.sent()),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Io && part.sent() == 0 => break,
            Err(error) => return Err(error),
        }
    }
    if fallback == Fallback::Forbidden {
        return Err(not_available());
    }
    loop {
        let block = part.read(on, BLOCK).await?;
        let mut left = block.as_slice();
        if left.is_empty() {
            return Ok(part.sent());
        }
        while !left.is_empty() {
            match write_in_turn(half, left).await? {
                0 => return Err(io::Error::from(io::ErrorKind::WriteZero).into()),
                count => left = &left[count..],
            }
        }
        part.advance(block.len());
    }
}

/// The error of a stream that its peer has closed after `read` of `wanted` bytes.
#[cold]
pub(super) fn closed_early(read: usize, wanted: usize) -> Error {
    let message = format!("the peer closed after {read} of {wanted} bytes");
    io::Error::new(io::ErrorKind::UnexpectedEof, message).into()
}

impl<T: Source + 'static> Async<T> {
    /// Reads what there is into `buffer`, as much as fits, in a poll function written by hand:
    /// [`TcpStream::read`](super::TcpStream::read) as such. Has the task woken when it is worth
    /// another call.
    ///
    /// # Errors
    ///
    /// As [`read_with`](Async::read_with).
    ///
    /// # Cancellation
    ///
    /// As [`poll_read_with`](Async::poll_read_with).
    pub fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Result<usize>>
    where
        for<'a> &'a T: Read,
    {
        self.poll_read_by(cx, buffer.len(), |mut source| source.read(buffer))
    }

    /// [`poll_read`](Async::poll_read) into what only `read` can reach, where there is `room`: it
    /// is called when there should be something to read.
    pub(crate) fn poll_read_by(
        &self,
        cx: &mut Context<'_>,
        room: usize,
        read: impl FnMut(&T) -> io::Result<usize>,
    ) -> Poll<Result<usize>> {
        if room == 0 {
            return Poll::Ready(Ok(0));
        }
        self.poll_reader(cx, read, |count| (1..room).contains(count))
    }

    /// Writes as much of `buffers`, the first ones first, as there is room for, in a poll
    /// function written by hand. For the rest see [`poll_read`](Async::poll_read).
    ///
    /// # Errors
    ///
    /// As [`write_with`](Async::write_with).
    ///
    /// # Cancellation
    ///
    /// As [`poll_read_with`](Async::poll_read_with).
    pub fn poll_write(&self, cx: &mut Context<'_>, buffers: &[IoSlice<'_>]) -> Poll<Result<usize>>
    where
        for<'a> &'a T: Write,
    {
        let length = buffers.iter().map(|buffer| buffer.len()).sum();
        if length == 0 {
            return Poll::Ready(Ok(0));
        }
        let exhausts = |count: &usize| (1..length).contains(count);
        self.poll_writer(cx, |source| write_list(source, buffers, length), exhausts)
    }
}

/// So few bytes are put together before they are written.
const TOGETHER: usize = 1024;

/// Writes `buffers`, which have `length` bytes. A plain write is several hundred nanoseconds cheaper
/// to the system than one of a list: more than it takes to put a few bytes together.
fn write_list(mut sink: impl Write, buffers: &[IoSlice<'_>], length: usize) -> io::Result<usize> {
    if let [one] = buffers {
        return sink.write(one);
    }
    if length > TOGETHER {
        return sink.write_vectored(buffers);
    }
    let mut together = [0; TOGETHER];
    let mut room = &mut together[..];
    for buffer in buffers {
        room.write_all(buffer)?;
    }
    sink.write(&together[..length])
}

/// The methods that all streams have. Their `Async` is in field 0.
macro_rules! impl_stream {
    ($stream:ident, $std:ty) => {
        impl $stream {
            /// Takes over a stream of the standard library, on the loop that runs.
            ///
            /// # Errors
            ///
            /// As [`Async::new`](super::Async::new).
            pub fn from(stream: $std) -> Result<$stream> {
                Ok($stream(nonblocking!(stream)?))
            }

            /// Reads what there is into `buffer`, as much as fits, and returns the number of bytes;
            /// waits where there is nothing. 0 says that the peer has closed its side, or that
            /// `buffer` is empty.
            ///
            /// # Errors
            ///
            /// The system's; the cancellation; see
            /// [`Async::read_with`](super::Async::read_with).
            ///
            /// # Cancellation
            ///
            /// Cancelled or dropped, it has read nothing.
            pub async fn read(&self, buffer: &mut [u8]) -> Result<usize> {
                let half = self.0.half(Side::Reader);
                let _turn = take_turn!(half);
                if buffer.is_empty() {
                    // The system would wait for something to read none of.
                    return Ok(0);
                }
                stream::read_in_turn(half, buffer).await
            }

            /// Fills `buffer`, waiting as often as it takes. No other task reads in between.
            ///
            /// # Errors
            ///
            /// `UnexpectedEof` if the peer closes before; otherwise as [`read`](Self::read).
            ///
            /// # Cancellation
            ///
            /// Cancelled or dropped, it may have filled the front of `buffer`, and doesn't say
            /// how far. Where that matters, call [`read`](Self::read) by hand.
            pub async fn read_exact(&self, buffer: &mut [u8]) -> Result<()> {
                let half = self.0.half(Side::Reader);
                let _turn = take_turn!(half);
                let mut read = 0;
                while read < buffer.len() {
                    match stream::read_in_turn(half, &mut buffer[read..]).await? {
                        0 => return Err(stream::closed_early(read, buffer.len())),
                        count => read += count,
                    }
                }
                Ok(())
            }

            /// Writes as much of `bytes` as there is room for in the system's buffer, and returns
            /// the number of bytes; waits where there is none.
            ///
            /// # Errors
            ///
            /// The system's; the cancellation; see
            /// [`Async::write_with`](super::Async::write_with).
            ///
            /// # Cancellation
            ///
            /// Cancelled or dropped, it has written nothing.
            pub async fn write(&self, bytes: &[u8]) -> Result<usize> {
                let half = self.0.half(Side::Writer);
                let _turn = take_turn!(half);
                if bytes.is_empty() {
                    return Ok(0);
                }
                stream::write_in_turn(half, bytes).await
            }

            /// Writes all of `bytes`, waiting for room as often as it takes. No other task
            /// writes in between.
            ///
            /// # Errors
            ///
            /// As [`write`](Self::write).
            ///
            /// # Cancellation
            ///
            /// Cancelled or dropped, it may have written the front of `bytes`, and doesn't say
            /// how much. Where that matters, call [`write`](Self::write) by hand.
            pub async fn write_all(&self, bytes: &[u8]) -> Result<()> {
                let half = self.0.half(Side::Writer);
                let _turn = take_turn!(half);
                let mut left = bytes;
                while !left.is_empty() {
                    match stream::write_in_turn(half, left).await? {
                        0 => return Err(io::Error::from(io::ErrorKind::WriteZero).into()),
                        count => left = &left[count..],
                    }
                }
                Ok(())
            }

            /// Sends `file` from `offset` on, all of it or `count` bytes: `loop.sock_sendfile`.
            /// Returns the number of bytes. On Linux the system sends it; elsewhere, and
            /// where the file isn't one that it sends, blocks of it are read on the loop's own
            /// executor, unless `fallback` forbids it.
            ///
            /// # Errors
            ///
            /// As [`write`](Self::write); [`Value`](crate::ErrorKind::Value) if `count` is 0;
            /// [`Runtime`](crate::ErrorKind::Runtime) without the system's help if `fallback` is
            /// [`Forbidden`](super::Fallback::Forbidden) (asyncio's `SendfileNotAvailableError`).
            ///
            /// # Cancellation
            ///
            /// Cancelled or dropped, the file's position is behind what was sent.
            pub async fn sendfile(
                &self,
                file: &std::fs::File,
                offset: u64,
                count: Option<u64>,
                fallback: super::Fallback,
            ) -> Result<u64> {
                let part = super::system::FilePart::new(file, offset, count)?;
                let half = self.0.half(Side::Writer);
                let _turn = take_turn!(half);
                stream::send_file(half, self.0.get_loop(), part, fallback).await
            }

            /// [`read`](Self::read) for a poll function written by hand.
            ///
            /// # Errors
            ///
            /// As [`read`](Self::read).
            ///
            /// # Cancellation
            ///
            /// See [`Async::poll_read_with`](super::Async::poll_read_with).
            pub fn poll_read(
                &self,
                cx: &mut Context<'_>,
                buffer: &mut [u8],
            ) -> Poll<Result<usize>> {
                self.0.poll_read(cx, buffer)
            }

            /// [`write`](Self::write) for a poll function written by hand, from several buffers,
            /// the first ones first.
            ///
            /// # Errors
            ///
            /// As [`write`](Self::write).
            ///
            /// # Cancellation
            ///
            /// See [`Async::poll_read_with`](super::Async::poll_read_with).
            pub fn poll_write(
                &self,
                cx: &mut Context<'_>,
                buffers: &[IoSlice<'_>],
            ) -> Poll<Result<usize>> {
                self.0.poll_write(cx, buffers)
            }

            /// Reads what there is into `buffer` without waiting, and returns the number of bytes; 0 if the
            /// peer has closed.
            ///
            /// # Errors
            ///
            /// The system's: `WouldBlock` where there is nothing to read.
            pub fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
                io::Read::read(&mut self.get_ref(), buffer)
            }

            /// Writes as much of `bytes` as there is room for without waiting, and returns how many.
            ///
            /// # Errors
            ///
            /// The system's: `WouldBlock` where there is no room.
            pub fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
                io::Write::write(&mut self.get_ref(), bytes)
            }

            /// Ends one direction, or both. The peer reads the end once it has read what was
            /// written before.
            ///
            /// # Errors
            ///
            /// The system's.
            pub fn shutdown(&self, how: Shutdown) -> Result<()> {
                Ok(self.get_ref().shutdown(how)?)
            }

            #[cfg(feature = "hyper")]
            pub(crate) fn as_async(&self) -> &$crate::io::Async<$std> {
                &self.0
            }

            /// Ends the direction of writing, which a peer that is gone has ended already.
            #[cfg(any(feature = "futures-io", feature = "hyper"))]
            pub(crate) fn end_writing(&self) -> std::io::Result<()> {
                match self.get_ref().shutdown(Shutdown::Write) {
                    Err(error) if error.kind() == std::io::ErrorKind::NotConnected => Ok(()),
                    outcome => outcome,
                }
            }
        }
    };
}
pub(super) use impl_stream;

/// Implements the methods and traits that all sockets have, from the standard library's. Their
/// `Async` is in field 0.
macro_rules! impl_socket {
    ($socket:ident, $std:ty, $address:ty) => {
        impl $socket {
            /// Returns the address of this end.
            ///
            /// # Errors
            ///
            /// The system's.
            pub fn local_addr(&self) -> Result<$address> {
                Ok(self.get_ref().local_addr()?)
            }

            /// Returns the standard library's socket, for its own getters and setters.
            #[must_use]
            pub fn get_ref(&self) -> &$std {
                self.0.get_ref()
            }

            /// Returns the standard library's socket, in non-blocking mode.
            #[must_use]
            pub fn into_inner(self) -> $std {
                self.0.into_inner()
            }
        }

        impl TryFrom<$std> for $socket {
            type Error = $crate::error::Error;

            fn try_from(socket: $std) -> Result<$socket> {
                $socket::from(socket)
            }
        }

        $crate::io::impl_descriptor!([] $socket);
    };
}
pub(super) use impl_socket;

/// Makes a socket of the standard library non-blocking, by its own method, and awaited on the
/// loop that runs.
macro_rules! nonblocking {
    ($socket:expr) => {{
        let socket = $socket;
        match socket.set_nonblocking(true) {
            Ok(()) => $crate::event_loop::running_loop()
                .and_then(|on| $crate::io::Async::of_nonblocking(&on, socket)),
            Err(refused) => Err(refused.into()),
        }
    }};
}
pub(super) use nonblocking;
