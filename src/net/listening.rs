//! [`Listening`]: a socket that listens, of any family.

use alloc::format;
use alloc::rc::Rc;
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

use super::transport::{Address, Socket, TransportSocket};
use crate::error::{Result, about};
use crate::event_loop::{CallbackOutput, LoopRef};
use crate::io::{bind_tcp, is_missing, listen};

#[derive(Debug)]
pub(super) enum Listening {
    Tcp(Rc<TcpListener>),
    /// With its path and the number of its file, which is removed at the end; an abstract name has none.
    #[cfg(unix)]
    Unix(Rc<UnixListener>, Option<(PathBuf, u64)>),
}

impl Listening {
    pub(super) fn tcp(address: SocketAddr) -> Result<Listening> {
        let failed = || format!("error while attempting to bind on address {address}");
        Ok(Listening::Tcp(Rc::new(about(bind_tcp(address), failed)?)))
    }

    /// Binds to `path`. A socket that is left there is removed.
    #[cfg(unix)]
    pub(super) fn unix(path: &Path) -> Result<Listening> {
        let bind = || {
            if fs::metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
                fs::remove_file(path)?;
            }
            let socket = crate::io::bind_unix(path)?;
            let has_file = crate::io::abstract_name(path).is_none();
            let number = if has_file { Some(fs::metadata(path)?.ino()) } else { None };
            Ok::<_, io::Error>((socket, number))
        };
        let (socket, number) = about(bind(), || format!("can't listen at {path:?}"))?;
        Ok(Listening::Unix(Rc::new(socket), number.map(|number| (path.to_owned(), number))))
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
            if fs::metadata(path).is_ok_and(|found| found.ino() == *number) {
                let _ = fs::remove_file(path);
            }
        }
    }
}

/// The sockets of a server at `port` of `host`, or, without one or with an empty one, of all interfaces
/// of either family. An address of no interface here is passed over, unless there is no other.
pub(super) async fn listening_at(
    on: &LoopRef,
    host: Option<&str>,
    port: u16,
) -> Result<Vec<Listening>> {
    let addresses = match host {
        Some(host) if !host.is_empty() => on.addresses_of(host, port).await?,
        _ => {
            let all = [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()];
            all.map(|address| SocketAddr::new(address, port)).to_vec()
        }
    };
    bound_to(addresses)
}

fn bound_to(addresses: Vec<SocketAddr>) -> Result<Vec<Listening>> {
    let mut sockets = Vec::new();
    let mut missing = None;
    for (place, &address) in addresses.iter().enumerate() {
        if addresses[..place].contains(&address) {
            // A name may have an address twice.
            continue;
        }
        match Listening::tcp(address) {
            Ok(socket) => sockets.push(socket),
            Err(error) if error.io_error().is_some_and(is_missing) => missing = Some(error),
            Err(error) => return Err(error),
        }
    }
    match missing {
        Some(error) if sockets.is_empty() => Err(error),
        _ => Ok(sockets),
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn address_of_no_interface_is_passed_over_beside_another() {
        // A network for documentation, and the address of this machine.
        let [missing, own] = [[192, 0, 2, 1], [127, 0, 0, 1]].map(|ip| SocketAddr::from((ip, 0)));
        let bound = bound_to(vec![own, missing]).unwrap();
        assert_eq!(bound.len(), 1);
        bound[0].listen(1).unwrap();
        let error = bound_to(vec![missing]).unwrap_err();
        assert_eq!(error.io_error().map(io::Error::kind), Some(io::ErrorKind::AddrNotAvailable));
        assert_eq!(bound_to(vec![own, missing, own]).unwrap().len(), 1);
        let taken = bound[0].address().unwrap().ip().unwrap();
        let error = bound_to(vec![own, taken]).unwrap_err();
        assert_eq!(error.io_error().map(io::Error::kind), Some(io::ErrorKind::AddrInUse));
    }
}
