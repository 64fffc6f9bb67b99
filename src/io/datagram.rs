//! [`Datagram`]: a received datagram, its length, address and truncation; and the sockets of endpoints.

#[cfg(unix)]
use std::io;
use std::net::{SocketAddr, UdpSocket};

use crate::error::Result;

/// A datagram that was received into a buffer.
#[cfg(unix)]
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Datagram {
    /// The number of its bytes that are in the buffer.
    pub count: usize,
    /// The address that it is from.
    pub from: SocketAddr,
    /// It was longer than the buffer, and the rest of it is lost.
    pub truncated: bool,
}

/// Receives a datagram, and notes whether it was truncated.
#[cfg(unix)]
pub(super) fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<Datagram> {
    use rustix::net::{RecvAncillaryBuffer, RecvFlags, ReturnFlags, recvmsg};
    let mut parts = [io::IoSliceMut::new(buffer)];
    let mut rest = RecvAncillaryBuffer::default();
    let received = recvmsg(socket, &mut parts, &mut rest, RecvFlags::empty())?;
    let from = received.address.and_then(|from| SocketAddr::try_from(from).ok());
    let from = from.ok_or_else(|| io::Error::other("a datagram without an address"))?;
    let truncated = received.flags.contains(ReturnFlags::TRUNC);
    Ok(Datagram { count: received.bytes, from, truncated })
}

/// A non-blocking UDP socket of the family of `family`, bound to `local` if that is given.
#[cfg(unix)]
pub(crate) fn udp_socket(
    family: SocketAddr,
    local: Option<SocketAddr>,
    reuse_port: bool,
) -> Result<UdpSocket> {
    use rustix::net::{AddressFamily, SocketType, bind};
    let family = if family.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = super::connect::socket(family, SocketType::DGRAM).map_err(io::Error::from)?;
    if reuse_port {
        super::listen::set_reuse_port(&socket)?;
    }
    if let Some(local) = local {
        bind(&socket, &local).map_err(io::Error::from)?;
    }
    Ok(socket.into())
}

/// A non-blocking UDP socket, bound to `local`, or to any address of the family of `family`.
#[cfg(not(unix))]
pub(crate) fn udp_socket(
    family: SocketAddr,
    local: Option<SocketAddr>,
    reuse_port: bool,
) -> Result<UdpSocket> {
    use std::net::{Ipv4Addr, Ipv6Addr};
    if reuse_port {
        return Err(super::listen::not_supported("reuse_port"));
    }
    let any = if family.is_ipv4() {
        SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0)
    } else {
        SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 0)
    };
    let socket = UdpSocket::bind(local.unwrap_or(any))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}
