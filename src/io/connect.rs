//! Connecting without a thread: a non-blocking socket, and a wait until it can be written.

use alloc::format;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::fmt::Debug;
use core::time::Duration;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;

use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketType, sockopt};

use super::async_source::Async;
use super::system::system_address;
use crate::asyncio::{LoopFuture, WaitReason, sleep};
use crate::error::{Error, Result, about};
use crate::event_loop::{LoopRef, Source, running_loop};

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

/// Waits until the connection that was begun is made or refused: asyncio's `sock_connect`.
async fn finish<T>(begun: rustix::io::Result<()>, socket: T) -> Result<Async<T>>
where
    T: Source + Debug + AsFd + 'static,
{
    let on = running_loop()?;
    let socket = match begun {
        Ok(()) => socket,
        Err(Errno::INPROGRESS | Errno::INTR) => connected(&on, socket).await?,
        Err(error) => return Err(system(error).into()),
    };
    Async::of_nonblocking(&on, socket)
}

/// Waits, by a callback and a future: the task goes on in the turn behind that of the report, and the
/// transport of a client is made behind that of a server which accepts it in one turn with the report.
async fn connected<T: Source + AsFd + 'static>(on: &LoopRef, socket: T) -> Result<T> {
    let socket = Rc::new(socket);
    let made = LoopFuture::with_reason(on, WaitReason::Connect);
    let (reported, ends) = (Rc::clone(&socket), made.clone());
    on.add_writer(Rc::clone(&socket), move || {
        // A second report, or one behind a cancellation, finds it done.
        let _ = match sockopt::socket_error(&reported).and_then(|outcome| outcome) {
            Ok(()) => ends.set_result(()),
            Err(error) => ends.set_exception(system(error).into()),
        };
    })?;
    let watched = Watched { on, socket: &socket };
    made.await?;
    drop(watched);
    // The loop has let go of it, unless the system couldn't take it out of its poller.
    Rc::into_inner(socket).ok_or_else(|| Error::runtime("the socket is still watched"))
}

/// Has the loop watch a socket for writing until this is dropped.
struct Watched<'a, T: Source> {
    on: &'a LoopRef,
    socket: &'a Rc<T>,
}

impl<T: Source> Drop for Watched<'_, T> {
    fn drop(&mut self) {
        // A loop that has closed watches nothing.
        let _ = self.on.remove_writer(self.socket);
    }
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
