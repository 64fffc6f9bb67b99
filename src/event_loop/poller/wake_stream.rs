//! [`WakeStream`]: the socket into which a signal writes a byte, by its own handler.
#![allow(unsafe_code)]

use std::io;

use signal_hook::{SigId, low_level};

/// A Unix socket. Windows has pairs of these only as connections of TCP.
#[cfg(unix)]
pub(crate) use std::os::unix::net::UnixStream as WakeStream;

#[cfg(windows)]
pub(crate) use std::net::TcpStream as WakeStream;

/// Two ends, the first of them in non-blocking mode, to be read by the loop.
#[cfg(unix)]
pub(crate) fn wake_pair() -> io::Result<(WakeStream, WakeStream)> {
    let (reads, writes) = WakeStream::pair()?;
    reads.set_nonblocking(true)?;
    Ok((reads, writes))
}

/// Two ends, in non-blocking mode, the first to be read by the loop.
#[cfg(windows)]
pub(crate) fn wake_pair() -> io::Result<(WakeStream, WakeStream)> {
    let (reads, writes) = super::tcp_pair()?;
    writes.set_nonblocking(true)?;
    Ok((reads, writes))
}

/// Has `signal` write a byte to `socket`, and to nothing once that is full.
#[cfg(unix)]
pub(super) fn write_byte_on(signal: i32, socket: WakeStream) -> io::Result<SigId> {
    low_level::pipe::register(signal, socket)
}

/// Has `signal` write a byte to `socket`, and to nothing once that is full.
#[cfg(windows)]
pub(super) fn write_byte_on(signal: i32, socket: WakeStream) -> io::Result<SigId> {
    let write = move || _ = io::Write::write(&mut &socket, &[0]);
    // SAFETY: The write is one system call: it takes no lock, doesn't allocate and doesn't panic. The
    // handlers of Windows interrupt no code anyway: Ctrl-C has one run on a thread of its own, and
    // `raise` calls it.
    unsafe { low_level::register(signal, write) }
}
