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
    use rustix::net::{self, AddressFamily, SocketAddrUnix, SocketType};
    let socket = super::connect::socket(AddressFamily::UNIX, SocketType::STREAM)?;
    net::bind(&socket, &SocketAddrUnix::new(path)?)?;
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
