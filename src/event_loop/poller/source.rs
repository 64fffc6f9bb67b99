//! [`Source`]: something with a file descriptor that a loop may watch.
#![allow(unsafe_code)]

use alloc::rc::Rc;
use core::mem::ManuallyDrop;
use std::io;

#[cfg(unix)]
use std::os::fd::AsFd;
#[cfg(windows)]
use std::os::windows::io::AsSocket as AsFd;

use super::fd_table::RawKey;

pub(crate) fn raw_key<T: AsFd + ?Sized>(source: &T) -> RawKey {
    #[cfg(unix)]
    return std::os::fd::AsRawFd::as_raw_fd(&source.as_fd());
    #[cfg(windows)]
    return std::os::windows::io::AsRawSocket::as_raw_socket(&source.as_socket());
}

/// Something with a file descriptor (on Windows with a socket: `AsSocket`) that the loop may watch.
///
/// # Safety
///
/// The descriptor must stay open, and the same, for as long as the value lives, whichever code has
/// a shared reference to it. Every standard type with a descriptor is like that.
pub unsafe trait Source: AsFd {}

macro_rules! sources {
    ($($source:ty),* $(,)?) => {$(
        // SAFETY: It owns its descriptor, gives it up only by value, and closes it when dropped.
        unsafe impl Source for $source {}
    )*};
}

sources!(std::net::TcpStream, std::net::TcpListener, std::net::UdpSocket);
#[cfg(windows)]
sources!(std::os::windows::io::OwnedSocket);
#[cfg(unix)]
sources!(
    std::os::fd::OwnedFd,
    std::os::unix::net::UnixStream,
    std::os::unix::net::UnixListener,
    std::os::unix::net::UnixDatagram,
    std::fs::File,
    std::io::Stdin,
    std::io::Stdout,
    std::io::Stderr,
    std::process::ChildStdin,
    std::process::ChildStdout,
    std::process::ChildStderr,
);

// SAFETY: What it points to is a source, and lives at least as long.
unsafe impl<T: Source> Source for Rc<T> {}
// SAFETY: As for `Rc`.
unsafe impl<T: Source> Source for std::sync::Arc<T> {}

/// A source and its listener, in one block.
pub(crate) struct Listening<T, L> {
    source: T,
    listener: L,
}

impl<T: Source, L> Listening<T, L> {
    pub(crate) fn new(source: T, listener: L) -> Listening<T, L> {
        Listening { source, listener }
    }

    #[inline]
    pub(crate) fn source(&self) -> &T {
        &self.source
    }

    #[inline]
    pub(crate) fn listener(&self) -> &L {
        &self.listener
    }

    pub(crate) fn into_source(self) -> T {
        self.source
    }
}

#[cfg(unix)]
impl<T: Source, L> std::os::fd::AsFd for Listening<T, L> {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.source.as_fd()
    }
}

#[cfg(windows)]
impl<T: Source, L> std::os::windows::io::AsSocket for Listening<T, L> {
    fn as_socket(&self) -> std::os::windows::io::BorrowedSocket<'_> {
        self.source.as_socket()
    }
}

// SAFETY: The source in it lives as long as it does, and is given up only by value.
unsafe impl<T: Source, L> Source for Listening<T, L> {}

/// Sets `source` to non-blocking mode. The standard library does so for sockets only, but by a call
/// that serves for any descriptor.
pub(crate) fn set_nonblocking(source: &impl Source) -> io::Result<()> {
    let raw = raw_key(source);
    // SAFETY: The descriptor is the source's, and open, by the contract of `Source`. What is made of it
    // here is never dropped, so that it closes nothing.
    #[cfg(unix)]
    let any =
        unsafe { <std::os::unix::net::UnixStream as std::os::fd::FromRawFd>::from_raw_fd(raw) };
    // SAFETY: As above.
    #[cfg(windows)]
    let any = unsafe {
        <std::net::TcpStream as std::os::windows::io::FromRawSocket>::from_raw_socket(raw)
    };
    ManuallyDrop::new(any).set_nonblocking(true)
}
