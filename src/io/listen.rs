//! Listening sockets that listen later.

use std::io;
use std::net::{SocketAddr, TcpListener};
#[cfg(unix)]
use std::os::unix::net::UnixListener;
#[cfg(unix)]
use std::path::Path;

/// A socket bound to `address`, of its own family only, which doesn't listen before
/// [`listen`] is called.
#[cfg(unix)]
pub(crate) fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    use rustix::net::{self, sockopt};
    let socket = super::connect::tcp_socket(address)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    net::bind(&socket, &address)?;
    Ok(socket.into())
}

/// A Unix socket bound to `path`.
#[cfg(unix)]
pub(crate) fn bind_unix(path: &Path) -> io::Result<UnixListener> {
    use rustix::net::{self, AddressFamily, SocketType};
    let socket = super::connect::socket(AddressFamily::UNIX, SocketType::STREAM)?;
    net::bind(&socket, &super::system::system_address(path)?)?;
    Ok(socket.into())
}

/// Begins to listen, with room for `backlog` connections that are not accepted yet.
#[cfg(unix)]
pub(crate) fn listen(socket: impl std::os::fd::AsFd, backlog: i32) -> io::Result<()> {
    Ok(rustix::net::listen(socket, backlog)?)
}

/// Here a socket listens as soon as it is bound.
#[cfg(not(unix))]
pub(crate) fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

#[cfg(not(unix))]
pub(crate) fn listen(_socket: &TcpListener, _backlog: i32) -> io::Result<()> {
    Ok(())
}

/// Returns whether the address that an error of [`bind_tcp`] is about is of no interface, or of a
/// family that the system is without.
pub(crate) fn is_missing(error: &io::Error) -> bool {
    let is_without =
        |kind| matches!(kind, io::ErrorKind::AddrNotAvailable | io::ErrorKind::Unsupported);
    is_without(error.kind()) || error.raw_os_error() == Some(NO_SUCH_FAMILY)
}

/// `EAFNOSUPPORT`, of which the standard library makes no kind.
#[cfg(unix)]
const NO_SUCH_FAMILY: i32 = rustix::io::Errno::AFNOSUPPORT.raw_os_error();
/// `WSAEAFNOSUPPORT`.
#[cfg(not(unix))]
const NO_SUCH_FAMILY: i32 = 10047;

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn address_of_a_family_without_support_is_missing() {
        assert!(is_missing(&io::Error::from_raw_os_error(NO_SUCH_FAMILY)));
        assert!(is_missing(&io::ErrorKind::AddrNotAvailable.into()));
        assert!(!is_missing(&io::ErrorKind::AddrInUse.into()));
    }
}
