//! hyper's `Read` and `Write` for the streams of bytes of [`io`](crate::io).

use alloc::vec::Vec;
use core::cell::Cell;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::io::{self, IoSlice};

use hyper::rt::{Read, ReadBufCursor, Write};

use crate::error::Result;
use crate::io::TcpStream;
#[cfg(unix)]
use crate::io::UnixStream;
use crate::sync::thread_own;

/// So much is read at once.
const AT_ONCE: usize = 64 * 1024;

thread_own! {
    // Where bytes go first. hyper's own buffer may be uninitialized, and only `unsafe` code can
    // have it filled by anybody else than its `put_slice`. It is the thread's, since a stream
    // needs it no longer than a poll, and an idle one must not keep it. Away while it is used.
    static BYTES: Cell<Vec<u8>> = Cell::new(Vec::new());
}

/// Has `read` fill a buffer, and copies what came into hyper's.
fn read(
    mut buffer: ReadBufCursor<'_>,
    read: impl FnOnce(&mut [u8]) -> Poll<Result<usize>>,
) -> Poll<io::Result<()>> {
    let mut bytes = BYTES.with(Cell::take);
    bytes.resize(AT_ONCE, 0);
    let outcome = read(&mut bytes[..buffer.remaining().min(AT_ONCE)]);
    if let Poll::Ready(Ok(count)) = outcome {
        buffer.put_slice(&bytes[..count]);
    }
    BYTES.with(|own| own.set(bytes));
    outcome.map_ok(drop).map_err(Into::into)
}

macro_rules! impl_socket {
    ($stream:ident) => {
        /// # Cancellation
        ///
        /// What awaits the connection gets a `hyper::Error` in which
        /// [`Error::within`](crate::Error::within) finds the cancellation. One that hits a
        /// server's connection between two requests is its orderly end, to hyper, and no error.
        impl Read for $stream {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buffer: ReadBufCursor<'_>,
            ) -> Poll<io::Result<()>> {
                read(buffer, |bytes| $stream::poll_read(self.get_mut(), cx, bytes))
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
                $stream::poll_write(self.get_mut(), cx, buffers).map_err(Into::into)
            }
        }
    };
}

impl_socket!(TcpStream);
#[cfg(unix)]
impl_socket!(UnixStream);
