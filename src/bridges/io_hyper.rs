//! hyper's `Read` and `Write` for the streams of bytes of [`io`](crate::io).

use alloc::vec::Vec;
use core::cell::Cell;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::io::{self, IoSlice, Read};

use hyper::rt::{ReadBufCursor, Write};

use crate::io::TcpStream;
#[cfg(unix)]
use crate::io::UnixStream;
use crate::sync::thread_own;

/// So much is read at once.
const AT_ONCE: usize = 64 * 1024;

thread_own! {
    // Receives the bytes first. hyper's own buffer may be uninitialized, and without `unsafe` code
    // only its `put_slice` can fill it. The buffer is the thread's, since a stream needs it no
    // longer than a poll, and an idle one must not keep it. Taken out while it is used.
    static BYTES: Cell<Vec<u8>> = Cell::new(Vec::new());
}

/// Reads up to `room` bytes from `source`, and copies them into hyper's buffer.
fn read(mut source: impl Read, buffer: &mut ReadBufCursor<'_>, room: usize) -> io::Result<usize> {
    let mut bytes = BYTES.with(Cell::take);
    bytes.resize(AT_ONCE, 0);
    let outcome = source.read(&mut bytes[..room]);
    if let Ok(count) = outcome {
        buffer.put_slice(&bytes[..count]);
    }
    BYTES.with(|own| own.set(bytes));
    outcome
}

macro_rules! impl_socket {
    ($stream:ident) => {
        /// # Cancellation
        ///
        /// What awaits the connection gets a `hyper::Error` in which
        /// [`Error::find_in`](crate::Error::find_in) finds the cancellation. One that hits a
        /// server's connection between two requests is its orderly end, to hyper, and no error.
        impl hyper::rt::Read for $stream {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                mut buffer: ReadBufCursor<'_>,
            ) -> Poll<io::Result<()>> {
                let room = buffer.remaining().min(AT_ONCE);
                let read = |source: &_| read(source, &mut buffer, room);
                let polled = self.as_async().poll_read_by(cx, room, read);
                polled.map_ok(drop).map_err(Into::into)
            }
        }

        /// There is nothing to flush. A shutdown ends the direction of writing.
        ///
        /// # Cancellation
        ///
        /// As for `Read`.
        impl Write for $stream {
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bytes: &[u8],
            ) -> Poll<io::Result<usize>> {
                self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
            }

            fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }

            fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(self.end_writing())
            }

            fn is_write_vectored(&self) -> bool {
                true
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buffers: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                $stream::poll_write(&self, cx, buffers).map_err(Into::into)
            }
        }
    };
}

impl_socket!(TcpStream);
#[cfg(unix)]
impl_socket!(UnixStream);
