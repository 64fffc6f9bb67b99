//! [`check_stream`]: the check of a socket that a program has made itself.

use core::fmt::Debug;

use crate::error::Result;
use crate::event_loop::Source;

/// Refuses `socket` unless it is one of streams, between Unix sockets if `is_unix`, or else of IP.
#[cfg(unix)]
pub(crate) fn check_stream<S: Source + Debug>(socket: &S, is_unix: bool) -> Result<()> {
    use crate::error::{Error, ErrorKind};
    use rustix::net::{AddressFamily, SocketType, getsockname, sockopt};
    let of_streams = sockopt::socket_type(socket).map(|kind| kind == SocketType::STREAM);
    let of_unix = getsockname(socket).map(|name| name.address_family() == AddressFamily::UNIX);
    if of_streams == Ok(true) && of_unix == Ok(is_unix) {
        return Ok(());
    }
    let kind = if is_unix { "UNIX Domain Stream" } else { "Stream" };
    let message = alloc::format!("A {kind} Socket was expected, got {socket:?}");
    Err(Error::new(ErrorKind::Value, message))
}

/// Here a socket has the kind that its type says.
#[cfg(not(unix))]
pub(crate) fn check_stream<S: Source + Debug>(_socket: &S, _is_unix: bool) -> Result<()> {
    Ok(())
}
