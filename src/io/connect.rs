//! Connecting without a thread: a non-blocking socket, and a wait until it can be written.

use alloc::format;
use alloc::vec::Vec;
use core::fmt::Debug;
use core::time::Duration;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;

use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketType, sockopt};

use super::async_source::Async;
use super::system::system_address;
use crate::asyncio::{WaitReason, sleep};
use crate::error::{Error, Result, about};
use crate::event_loop::{Side, Source, running_loop};

/// The first and the longest pause before the next attempt at a listener with a full queue.
const PAUSES: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(64));

/// Connects to `address`, from the first of `locals` that can be bound, if they are given. The
/// addresses that can't be are in `errors`, all but the last where none can. Dropping the wait
/// closes the descriptor.
pub(super) async fn connect(
    address: SocketAddr,
    locals: Option<&[SocketAddr]>,
    errors: &mut Vec<Error>,
) -> Result<Async<TcpStream>> {
    let to_peer = || format!("can't connect to {address}");
    let socket = about(tcp_socket(address).map_err(system), to_peer)?;
    if let Some(locals) = locals {
        bind_first(&socket, address, locals, errors)?;
    }
    let connecting = async {
        let begun = net::connect(&socket, &address);
        finish(begun, TcpStream::from(socket)).await
    };
    about(connecting.await, to_peer)
}

/// Binds `socket` to the first of `locals` that has the family of `address` and can be bound.
fn bind_first(
    socket: &OwnedFd,
    address: SocketAddr,
    locals: &[SocketAddr],
    errors: &mut Vec<Error>,
) -> Result<()> {
    let before = errors.len();
    for local in locals.iter().filter(|local| local.is_ipv4() == address.is_ipv4()) {
        let Err(error) = net::bind(socket, local) else { return Ok(()) };
        let failed = || format!("error while attempting to bind on address {local}");
        errors.push(Error::from(system(error)).about(failed));
    }
    let family = if address.is_ipv4() { "IPv4" } else { "IPv6" };
    let missing = || io::Error::other(format!("no matching local address of {family} found"));
    let last = if errors.len() > before { errors.pop() } else { None };
    Err(last.unwrap_or_else(|| missing().into()))
}

/// Connects to the listener at `path`.
pub(super) async fn connect_unix(path: &Path) -> Result<Async<UnixStream>> {
    let connecting = async {
        let address = system_address(path).map_err(system)?;
        let (mut pause, longest) = PAUSES;
        loop {
            let socket = socket(AddressFamily::UNIX, SocketType::STREAM).map_err(system)?;
            match net::connect(&socket, &address) {
                // The listener's queue is full (other systems than Linux refuse). No readiness is
                // reported when it has room again.
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
        stream.half(Side::Writer).ready(WaitReason::Connect).await?;
        sockopt::socket_error(stream.get_ref()).and_then(|outcome| outcome).map_err(system)?;
    }
    Ok(stream)
}

/// A non-blocking socket of the family of `address`.
pub(super) fn tcp_socket(address: SocketAddr) -> rustix::io::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    socket(family, SocketType::STREAM)
}

/// A non-blocking socket, which child processes don't inherit.
#[cfg(not(target_vendor = "apple"))]
pub(super) fn socket(family: AddressFamily, kind: SocketType) -> rustix::io::Result<OwnedFd> {
    use rustix::net::SocketFlags;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    net::socket_with(family, kind, flags, None)
}

/// A non-blocking socket, which child processes don't inherit, and which sends no signal.
#[cfg(target_vendor = "apple")]
pub(super) fn socket(family: AddressFamily, kind: SocketType) -> rustix::io::Result<OwnedFd> {
    let socket = net::socket(family, kind, None)?;
    rustix::io::ioctl_fioclex(&socket)?;
    rustix::io::ioctl_fionbio(&socket, true)?;
    sockopt::set_socket_nosigpipe(&socket, true)?;
    Ok(socket)
}

fn system(error: Errno) -> io::Error {
    error.into()
}
