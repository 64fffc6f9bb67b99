//! [`bind`]: a socket at an address, or an error that names the address.

use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};

use crate::error::{Result, about};

/// Returns the result of `bind` for the addresses that `address` stands for. An error says `what` of
/// them was tried.
pub(super) fn bind<S>(
    what: &str,
    address: impl ToSocketAddrs,
    bind: impl FnOnce(&[SocketAddr]) -> io::Result<S>,
) -> Result<S> {
    let found = about(address.to_socket_addrs(), || format!("{what}: address lookup"))?;
    let all: Vec<SocketAddr> = found.collect();
    let shown = || all.iter().map(SocketAddr::to_string).collect::<Vec<_>>().join(", ");
    about(bind(&all), || format!("{what} {}", shown()))
}
