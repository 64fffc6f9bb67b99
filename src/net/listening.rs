//! [`Listening`]: a socket that listens, of any family.

use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
#[cfg(unix)]
use std::fs;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
#[cfg(unix)]
use std::os::unix::fs::{FileTypeExt, MetadataExt};
#[cfg(unix)]
use std::os::unix::net::UnixListener;
#[cfg(unix)]
use std::path::{Path, PathBuf};

use super::serve_at::Place;
use super::server_options::ServerOptions;
use super::transport::{Address, Socket, TransportSocket};
use crate::asyncio::gather;
#[cfg(unix)]
use crate::error::Error;
use crate::error::{Result, about};
use crate::event_loop::{CallbackOutput, LoopRef};
use crate::io::{BindOptions, Family, bind_tcp, check_stream, is_missing, listen};
use crate::logging::say;

#[derive(Debug)]
pub(super) enum Listening {
    Tcp(Rc<TcpListener>),
    /// With its path and the number of its file, which is removed at the end; an abstract name has none.
    #[cfg(unix)]
    Unix(Rc<UnixListener>, Option<(PathBuf, u64)>),
}

impl Listening {
    fn tcp(address: SocketAddr, options: BindOptions) -> Result<Listening> {
        let failed = || format!("error while attempting to bind on address {address}");
        Ok(Listening::Tcp(Rc::new(about(bind_tcp(address, options), failed)?)))
    }

    /// Takes a socket that is bound already.
    fn given_tcp(socket: TcpListener) -> Result<Listening> {
        check_stream(&socket, false)?;
        socket.set_nonblocking(true)?;
        Ok(Listening::Tcp(Rc::new(socket)))
    }

    /// Binds to `path`. A socket that is left there is removed.
    #[cfg(unix)]
    fn unix(path: &Path, cleans: bool) -> Result<Listening> {
        let is_named = crate::io::abstract_name(path).is_some();
        let left = match fs::metadata(path) {
            Ok(found) if found.file_type().is_socket() => fs::remove_file(path),
            Err(error) if !is_named => Err(error),
            _ => Ok(()),
        };
        // The folder may have permissions to make sockets only.
        log_unless_missing("check or remove stale", path, left);
        let socket = crate::io::bind_unix(path).map_err(|error| match error.kind() {
            io::ErrorKind::AddrInUse => {
                Error::from(error).about(|| format!("Address {path:?} is already in use"))
            }
            _ => Error::from(error).about(|| format!("can't listen at {path:?}")),
        })?;
        Ok(Listening::of_unix(socket, cleans.then_some(path)))
    }

    /// Takes a socket that is bound already, the path of which is removed at the end if it `cleans`.
    #[cfg(unix)]
    fn given_unix(socket: UnixListener, cleans: bool) -> Result<Listening> {
        check_stream(&socket, true)?;
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        Ok(Listening::of_unix(socket, address.as_pathname().filter(|_| cleans)))
    }

    /// A listener that removes `path` at its end, if there is a file.
    #[cfg(unix)]
    fn of_unix(socket: UnixListener, path: Option<&Path>) -> Listening {
        let file = path.and_then(|path| Some((path.to_owned(), fs::metadata(path).ok()?.ino())));
        Listening::Unix(Rc::new(socket), file)
    }

    pub(super) fn listen(&self, backlog: i32) -> Result<()> {
        match self {
            Listening::Tcp(socket) => listen(&**socket, backlog)?,
            #[cfg(unix)]
            Listening::Unix(socket, ..) => listen(&**socket, backlog)?,
        }
        Ok(())
    }

    /// Accepts a connection, in non-blocking mode.
    pub(super) fn accept(&self) -> io::Result<Socket> {
        Ok(match self {
            Listening::Tcp(socket) => {
                let (accepted, _) = socket.accept()?;
                accepted.set_nonblocking(true)?;
                Socket::Tcp(Rc::new(accepted))
            }
            #[cfg(unix)]
            Listening::Unix(socket, ..) => {
                let (accepted, _) = socket.accept()?;
                accepted.set_nonblocking(true)?;
                Socket::Unix(Rc::new(accepted))
            }
        })
    }

    pub(super) fn source(&self) -> TransportSocket {
        match self {
            Listening::Tcp(socket) => TransportSocket::new(socket),
            #[cfg(unix)]
            Listening::Unix(socket, ..) => TransportSocket::new(socket),
        }
    }

    pub(super) fn address(&self) -> Option<Address> {
        match self {
            Listening::Tcp(socket) => socket.local_addr().ok().map(Address::Ip),
            #[cfg(unix)]
            Listening::Unix(socket, ..) => socket.local_addr().ok().map(Address::Unix),
        }
    }

    pub(super) fn add_reader<R: CallbackOutput + 'static>(
        &self,
        on: &LoopRef,
        callback: impl FnMut() -> R + 'static,
    ) -> Result<()> {
        match self {
            Listening::Tcp(socket) => on.add_reader(Rc::clone(socket), callback),
            #[cfg(unix)]
            Listening::Unix(socket, ..) => on.add_reader(Rc::clone(socket), callback),
        }
    }

    pub(super) fn remove_reader(&self, on: &LoopRef) {
        // One that can't be changed is gone with its descriptor.
        let _ = match self {
            Listening::Tcp(socket) => on.remove_reader(socket),
            #[cfg(unix)]
            Listening::Unix(socket, ..) => on.remove_reader(socket),
        };
    }

    /// Stops serving: asyncio's `_stop_serving`. The path of a Unix socket is removed, unless
    /// another socket has taken it.
    pub(super) fn stop(&self, on: &LoopRef) {
        self.remove_reader(on);
        #[cfg(unix)]
        if let Listening::Unix(_, Some((path, number))) = self {
            let found = fs::metadata(path).map(|found| found.ino() == *number);
            let is_own = found.as_ref().is_ok_and(|is_own| *is_own);
            let removed = if is_own { fs::remove_file(path) } else { found.map(drop) };
            log_unless_missing("clean up listening", path, removed);
        }
    }
}

/// Logs that a socket at `path` was not removed, unless it isn't there.
#[cfg(unix)]
fn log_unless_missing(what: &str, path: &Path, outcome: io::Result<()>) {
    if let Some(error) = outcome.err().filter(|error| error.kind() != io::ErrorKind::NotFound) {
        say!(Error, "Unable to {what} UNIX socket {path:?}: {error}");
    }
}

/// The sockets of a server at `place`, which don't listen yet, unless it is a listener.
pub(super) async fn listening_at(
    on: &LoopRef,
    place: Place,
    options: &ServerOptions,
) -> Result<Vec<Listening>> {
    match place {
        Place::Hosts(hosts, port) => {
            let look_up = |host| addresses_of(on.clone(), host, port, options.family);
            let found = gather(hosts.into_iter().map(look_up)).await?;
            bound_to(on, found.concat(), options.bind)
        }
        Place::Tcp(socket) => Ok(vec![Listening::given_tcp(socket)?]),
        #[cfg(unix)]
        Place::Unix(socket, cleans) => {
            Ok(vec![Listening::given_unix(socket, cleans && options.cleanup_socket)?])
        }
        #[cfg(unix)]
        Place::Path(path) => Ok(vec![Listening::unix(&path, options.cleanup_socket)?]),
    }
}

/// The addresses of `host`, or those of all interfaces of either family.
async fn addresses_of(
    on: LoopRef,
    host: Option<String>,
    port: u16,
    family: Option<Family>,
) -> Result<Vec<SocketAddr>> {
    match host {
        Some(host) => on.addresses_of(&host, port, family).await,
        None => {
            let all = [
                (Family::V4, Ipv4Addr::UNSPECIFIED.into()),
                (Family::V6, Ipv6Addr::UNSPECIFIED.into()),
            ];
            let all = all.into_iter().filter(|(of, _)| family.is_none_or(|family| family == *of));
            Ok(all.map(|(_, address)| SocketAddr::new(address, port)).collect())
        }
    }
}

/// Sockets bound to each of `addresses`, once to one that a name has twice, or several hosts. One of no
/// interface here is passed over, unless there is no other.
fn bound_to(
    on: &LoopRef,
    mut addresses: Vec<SocketAddr>,
    options: BindOptions,
) -> Result<Vec<Listening>> {
    let mut seen = Vec::new();
    addresses.retain(|address| {
        let is_new = !seen.contains(address);
        seen.push(*address);
        is_new
    });
    let mut sockets = Vec::new();
    let mut missing = io::ErrorKind::Other;
    for &address in &addresses {
        match Listening::tcp(address, options) {
            Ok(socket) => sockets.push(socket),
            Err(error) => match error.io_error().filter(|error| is_missing(error)) {
                Some(system) => {
                    missing = system.kind();
                    if on.debug() {
                        say!(Warn, "{error}");
                    }
                }
                None => return Err(error),
            },
        }
    }
    if sockets.is_empty() {
        let message = format!("could not bind on any address out of {addresses:?}");
        return Err(io::Error::new(missing, message).into());
    }
    Ok(sockets)
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;
    use crate::event_loop::EventLoop;

    #[test]
    fn address_of_no_interface_is_passed_over_beside_another() {
        let event_loop = EventLoop::new();
        let bound = |addresses: &[SocketAddr]| {
            bound_to(&event_loop, addresses.to_vec(), BindOptions::default())
        };
        // A network for documentation, and the address of this machine.
        let [missing, own] = [[192, 0, 2, 1], [127, 0, 0, 1]].map(|ip| SocketAddr::from((ip, 0)));
        let one = bound(&[own, missing]).unwrap();
        assert_eq!(one.len(), 1);
        one[0].listen(1).unwrap();
        let error = bound(&[missing]).unwrap_err();
        assert_eq!(error.io_error().map(io::Error::kind), Some(io::ErrorKind::AddrNotAvailable));
        assert_eq!(error.message(), "could not bind on any address out of [192.0.2.1:0]");
        assert_eq!(bound(&[own, missing, own]).unwrap().len(), 1);
        let taken = one[0].address().unwrap().ip().unwrap();
        let error = bound(&[own, taken]).unwrap_err();
        assert_eq!(error.io_error().map(io::Error::kind), Some(io::ErrorKind::AddrInUse));
    }
}
