//! Readiness of anything that a loop watches.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::task::{Context, Poll};

use callsoon::Source;
use callsoon::io::Async;
use tokio_own::io::{Interest, Ready};

use super::to_io;
use crate::here::Here;

/// Waits for one direction, or returns at once what is ready of both.
pub(super) async fn ready<T: Source + 'static>(
    source: &Here<Async<T>>,
    interest: Interest,
) -> io::Result<Ready> {
    let (reads, writes) = (interest.is_readable(), interest.is_writable());
    let now = |is_wanted: bool, events| is_wanted && is_ready(source.get_ref(), events).is_ok();
    let mut readable = now(reads, libc::POLLIN);
    let mut writable = now(writes, libc::POLLOUT);
    if !readable && !writable {
        let ours = match (reads, writes) {
            (true, true) => callsoon::io::Interest::Either,
            (false, true) => callsoon::io::Interest::Writable,
            _ => callsoon::io::Interest::Readable,
        };
        let readiness = Here::new(source.ready(ours)).await.map_err(to_io)?;
        (readable, writable) = (readiness.readable, readiness.writable);
    }
    let mut ready = Ready::EMPTY;
    if readable {
        ready |= Ready::READABLE;
    }
    if writable {
        ready |= Ready::WRITABLE;
    }
    Ok(ready)
}

/// Succeeds if the descriptor is ready for `events` at this moment.
fn is_ready(fd: &impl AsFd, events: i16) -> io::Result<()> {
    let mut poll = libc::pollfd { fd: fd.as_fd().as_raw_fd(), events, revents: 0 };
    // SAFETY: It is one `pollfd`, and the call doesn't wait.
    match unsafe { libc::poll(&mut poll, 1, 0) } {
        0 => Err(io::ErrorKind::WouldBlock.into()),
        1 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

pub(super) fn poll_read_ready<T: Source + 'static>(
    source: &Async<T>,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    source.poll_read_with(cx, |source| is_ready(source, libc::POLLIN)).map_err(to_io)
}

pub(super) fn poll_write_ready<T: Source + 'static>(
    source: &Async<T>,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    source.poll_write_with(cx, |source| is_ready(source, libc::POLLOUT)).map_err(to_io)
}

/// Implements the methods that all kinds of sockets have.
macro_rules! common {
    ($socket:ident) => {
        impl $socket {
            pub async fn ready(
                &self,
                interest: tokio_own::io::Interest,
            ) -> std::io::Result<tokio_own::io::Ready> {
                crate::net::ready::ready(&self.io, interest).await
            }

            pub async fn readable(&self) -> std::io::Result<()> {
                self.ready(tokio_own::io::Interest::READABLE).await.map(drop)
            }

            pub async fn writable(&self) -> std::io::Result<()> {
                self.ready(tokio_own::io::Interest::WRITABLE).await.map(drop)
            }

            pub fn poll_read_ready(
                &self,
                cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                crate::net::ready::poll_read_ready(&self.io, cx)
            }

            pub fn poll_recv_ready(
                &self,
                cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                crate::net::ready::poll_read_ready(&self.io, cx)
            }

            pub fn poll_write_ready(
                &self,
                cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                crate::net::ready::poll_write_ready(&self.io, cx)
            }

            pub fn poll_send_ready(
                &self,
                cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                crate::net::ready::poll_write_ready(&self.io, cx)
            }

            pub fn try_io<R>(
                &self,
                _: tokio_own::io::Interest,
                work: impl FnOnce() -> std::io::Result<R>,
            ) -> std::io::Result<R> {
                work()
            }

            pub async fn async_io<R>(
                &self,
                interest: tokio_own::io::Interest,
                mut work: impl FnMut() -> std::io::Result<R>,
            ) -> std::io::Result<R> {
                let done = if interest.is_readable() {
                    crate::here::Here::new(self.io.read_with(|_| work())).await
                } else {
                    crate::here::Here::new(self.io.write_with(|_| work())).await
                };
                done.map_err(crate::net::to_io)
            }

            pub fn take_error(&self) -> std::io::Result<Option<std::io::Error>> {
                self.io.get_ref().take_error()
            }
        }

        impl std::os::fd::AsRawFd for $socket {
            fn as_raw_fd(&self) -> std::os::fd::RawFd {
                self.io.get_ref().as_raw_fd()
            }
        }

        impl std::os::fd::AsFd for $socket {
            fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
                self.io.get_ref().as_fd()
            }
        }

        impl std::fmt::Debug for $socket {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.io.get_ref().fmt(f)
            }
        }

        impl std::panic::UnwindSafe for $socket {}
        impl std::panic::RefUnwindSafe for $socket {}
    };
}
pub(super) use common;
