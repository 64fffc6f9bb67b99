//! Connecting without a thread: a non-blocking socket, and a wait until it can be written.

use alloc::format;
use core::fmt::Debug;
use core::time::Duration;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;

use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketAddrUnix, SocketType, sockopt};

use super::async_source::Async;
use crate::asyncio::sleep;
use crate::error::{Result, about};
use crate::event_loop::{Source, running_loop};

/// The first and the longest pause before the next attempt at a listener with a full queue.
const PAUSES: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(64));

/// Connects to `address`, from `local` if that is given. Dropping the wait closes the descriptor.
pub(super) async fn connect(
    address: SocketAddr,
    local: Option<SocketAddr>,
) -> Result<Async<TcpStream>> {
    let begin = || {
        let socket = tcp_socket(address)?;
        if let Some(local) = local {
            net::bind(&socket, &local)?;
        }
        Ok((net::connect(&socket, &address), socket))
    };
    let connecting = async {
        let (begun, socket) = begin().map_err(system)?;
        finish(begun, TcpStream::from(socket)).await
    };
    about(connecting.await, || format!("can't connect to {address}"))
}

/// Connects to the listener at `path`.
pub(super) async fn connect_unix(path: &Path) -> Result<Async<UnixStream>> {
    let connecting = async {
        let address = SocketAddrUnix::new(path).map_err(system)?;
        let (mut pause, longest) = PAUSES;
        loop {
            let socket = socket(AddressFamily::UNIX).map_err(system)?;
            match net::connect(&socket, &address) {
                // The listener's queue is full. No readiness is reported when it has room again.
                Err(Errno::AGAIN) => drop(socket),
                begun => return finish(begun, UnixStream::from(socket)).await,
            }
            sleep(pause).await?;
            pause = longest.min(2 * pause);
        }
    };
    about(connecting.await, || format!("can't connect to {path:?}"))
}

/// Waits until the connection that was begun is made or refused.
async fn finish<T>(begun: rustix::io::Result<()>, socket: T) -> Result<Async<T>>
where
    T: Source + Debug + std::os::fd::AsFd + 'static,
{
    let waits = match begun {
        Ok(()) => false,
        Err(Errno::INPROGRESS | Errno::INTR) => true,
        Err(error) => return Err(system(error).into()),
    };
    let stream = Async::of_nonblocking(&running_loop()?, socket)?;
    if waits {
        stream.writable().await?;
        sockopt::socket_error(stream.get_ref()).and_then(|outcome| outcome).map_err(system)?;
    }
    Ok(stream)
}

/// A non-blocking socket of the family of `address`.
pub(super) fn tcp_socket(address: SocketAddr) -> rustix::io::Result<OwnedFd> {
    socket(if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 })
}

/// A non-blocking stream socket, which child processes don't inherit.
#[cfg(not(target_vendor = "apple"))]
pub(super) fn socket(family: AddressFamily) -> rustix::io::Result<OwnedFd> {
    use rustix::net::SocketFlags;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    net::socket_with(family, SocketType::STREAM, flags, None)
}

/// A non-blocking stream socket, which child processes don't inherit, and which sends no signal.
#[cfg(target_vendor = "apple")]
pub(super) fn socket(family: AddressFamily) -> rustix::io::Result<OwnedFd> {
    let socket = net::socket(family, SocketType::STREAM, None)?;
    rustix::io::ioctl_fioclex(&socket)?;
    rustix::io::ioctl_fionbio(&socket, true)?;
    sockopt::set_socket_nosigpipe(&socket, true)?;
    Ok(socket)
}

fn system(error: Errno) -> io::Error {
    error.into()
}
