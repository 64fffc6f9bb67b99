//! `AsyncRead` and `AsyncWrite` of `futures-io` for the streams of bytes of [`io`](crate::io).

use core::pin::Pin;
use core::task::{Context, Poll};
use std::io::{self, IoSlice, Read, Write};

use futures_io::{AsyncRead, AsyncWrite};

use crate::event_loop::Source;
#[cfg(unix)]
use crate::io::UnixStream;
use crate::io::{Async, TcpStream};

macro_rules! impl_async {
    ([$($generics:tt)*] $handle:ty) => {
        /// Any source that can be read.
        ///
        /// # Cancellation
        ///
        /// See [`Async::poll_read_with`].
        impl<$($generics)*> AsyncRead for $handle
        where
            for<'b> &'b T: Read,
        {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buffer: &mut [u8],
            ) -> Poll<io::Result<usize>> {
                Async::poll_read(&self, cx, buffer).map_err(Into::into)
            }
        }

        /// Any source that can be written. Closing it flushes it and nothing more: its own type alone
        /// knows what else there is to be done.
        ///
        /// # Cancellation
        ///
        /// See [`Async::poll_read_with`].
        impl<$($generics)*> AsyncWrite for $handle
        where
            for<'b> &'b T: Write,
        {
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bytes: &[u8],
            ) -> Poll<io::Result<usize>> {
                self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buffers: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                Async::poll_write(&self, cx, buffers).map_err(Into::into)
            }

            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.poll_write_with(cx, |mut source| source.flush()).map_err(Into::into)
            }

            fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.poll_flush(cx)
            }
        }
    };
}

impl_async!([T: Source + 'static] Async<T>);
impl_async!([T: Source + 'static] &Async<T>);

macro_rules! impl_socket {
    ($stream:ident for $handle:ty) => {
        /// # Cancellation
        ///
        /// See [`Async::poll_read_with`].
        impl AsyncRead for $handle {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buffer: &mut [u8],
            ) -> Poll<io::Result<usize>> {
                $stream::poll_read(&self, cx, buffer).map_err(Into::into)
            }
        }

        /// There is nothing to flush. Closing it ends the direction of writing.
        ///
        /// # Cancellation
        ///
        /// See [`Async::poll_read_with`].
        impl AsyncWrite for $handle {
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bytes: &[u8],
            ) -> Poll<io::Result<usize>> {
                self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buffers: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                $stream::poll_write(&self, cx, buffers).map_err(Into::into)
            }

            fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }

            fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(self.end_writing())
            }
        }
    };
}

impl_socket!(TcpStream for TcpStream);
impl_socket!(TcpStream for &TcpStream);
#[cfg(unix)]
impl_socket!(UnixStream for UnixStream);
#[cfg(unix)]
impl_socket!(UnixStream for &UnixStream);
