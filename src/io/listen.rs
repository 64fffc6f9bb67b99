//! Listening sockets that listen later.

use std::io;
use std::net::{SocketAddr, TcpListener};
#[cfg(unix)]
use std::os::fd::AsFd;
#[cfg(unix)]
use std::os::unix::net::UnixListener;
#[cfg(unix)]
use std::path::Path;

use crate::error::{Error, ErrorKind, Result};

/// The options of a socket that is to be bound.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BindOptions {
    pub(crate) reuse_address: bool,
    pub(crate) reuse_port: bool,
    pub(crate) keep_alive: bool,
}

impl Default for BindOptions {
    /// The options without a word, as in asyncio.
    fn default() -> BindOptions {
        BindOptions { reuse_address: cfg!(unix), reuse_port: false, keep_alive: false }
    }
}

/// A socket bound to `address`, of its own family only, which doesn't listen before
/// [`listen`] is called.
#[cfg(unix)]
pub(crate) fn bind_tcp(address: SocketAddr, options: BindOptions) -> Result<TcpListener> {
    use rustix::net::{self, sockopt};
    let socket = super::connect::tcp_socket(address).map_err(io::Error::from)?;
    if options.reuse_port {
        set_reuse_port(&socket)?;
    }
    let bind = || {
        if options.reuse_address {
            sockopt::set_socket_reuseaddr(&socket, true)?;
        }
        if options.keep_alive {
            sockopt::set_socket_keepalive(&socket, true)?;
        }
        if address.is_ipv6() {
            sockopt::set_ipv6_v6only(&socket, true)?;
        }
        net::bind(&socket, &address)
    };
    bind().map_err(io::Error::from)?;
    Ok(socket.into())
}

/// Lets other sockets be bound to the same port, if they have this option too: asyncio's
/// `_set_reuseport`.
#[cfg(unix)]
pub(super) fn set_reuse_port(socket: impl AsFd) -> Result<()> {
    #[cfg(any(target_os = "solaris", target_os = "illumos"))]
    return Err(not_supported("reuse_port"));
    #[cfg(not(any(target_os = "solaris", target_os = "illumos")))]
    rustix::net::sockopt::set_socket_reuseport(socket, true).map_err(|_| {
        let why =
            "reuse_port not supported by socket module, SO_REUSEPORT defined but not implemented.";
        Error::new(ErrorKind::Value, why)
    })
}

/// The error of an option that the system is without.
#[cfg(any(not(unix), target_os = "solaris", target_os = "illumos"))]
pub(super) fn not_supported(option: &str) -> Error {
    Error::new(ErrorKind::Value, alloc::format!("{option} not supported by socket module"))
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
pub(crate) fn listen(socket: impl AsFd, backlog: i32) -> io::Result<()> {
    Ok(rustix::net::listen(socket, backlog)?)
}

/// Here a socket listens as soon as it is bound, and takes no options.
#[cfg(not(unix))]
pub(crate) fn bind_tcp(address: SocketAddr, options: BindOptions) -> Result<TcpListener> {
    let BindOptions { reuse_address, reuse_port, keep_alive } = options;
    let all =
        [(reuse_address, "reuse_address"), (reuse_port, "reuse_port"), (keep_alive, "keep_alive")];
    if let Some((_, option)) = all.iter().find(|(is_set, _)| *is_set) {
        return Err(not_supported(option));
    }
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
