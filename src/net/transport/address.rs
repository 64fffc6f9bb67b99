//! [`Address`]: the address of one end of a connection; [`Ends`], those of both.

use alloc::boxed::Box;
#[cfg(unix)]
use alloc::format;
use std::net::{self, SocketAddr, SocketAddrV4};
#[cfg(unix)]
use std::os::unix::net as unix;

/// The address of one end of a connection.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Address {
    /// An address and port.
    Ip(net::SocketAddr),
    /// A path, or no name.
    #[cfg(unix)]
    Unix(unix::SocketAddr),
}

impl Address {
    /// The address and port, if it has them.
    #[must_use]
    pub fn ip(&self) -> Option<net::SocketAddr> {
        match self {
            Address::Ip(address) => Some(*address),
            #[cfg(unix)]
            Address::Unix(_) => None,
        }
    }
}

impl PartialEq for Address {
    fn eq(&self, other: &Address) -> bool {
        match (self, other) {
            (Address::Ip(own), Address::Ip(other)) => own == other,
            #[cfg(unix)]
            (Address::Unix(own), Address::Unix(other)) => {
                let (path, of_other) = (own.as_pathname(), other.as_pathname());
                // Names without a path can't be compared but by their text.
                path == of_other && (path.is_some() || format!("{own:?}") == format!("{other:?}"))
            }
            #[cfg(unix)]
            _ => false,
        }
    }
}

impl From<net::SocketAddr> for Address {
    fn from(address: net::SocketAddr) -> Address {
        Address::Ip(address)
    }
}

/// The addresses of both ends of a connection, own and peer's, as they were when it was made. It has
/// them for as long as its transport lives, so that they take little room.
#[derive(Clone)]
pub(crate) enum Ends {
    V4(SocketAddrV4, SocketAddrV4),
    Ip(Box<[Option<SocketAddr>; 2]>),
    #[cfg(unix)]
    Unix(Box<[Option<unix::SocketAddr>; 2]>),
}

impl Ends {
    pub(crate) fn of_ip(own: Option<SocketAddr>, peer: Option<SocketAddr>) -> Ends {
        match (own, peer) {
            (Some(SocketAddr::V4(own)), Some(SocketAddr::V4(peer))) => Ends::V4(own, peer),
            ends => Ends::Ip(Box::new(ends.into())),
        }
    }

    /// The address of this end, if it was known.
    pub(crate) fn own(&self) -> Option<Address> {
        match self {
            Ends::V4(own, _) => Some(Address::Ip((*own).into())),
            Ends::Ip(ends) => ends[0].map(Address::Ip),
            #[cfg(unix)]
            Ends::Unix(ends) => ends[0].clone().map(Address::Unix),
        }
    }

    /// The address of the other end, if it was known.
    pub(crate) fn peer(&self) -> Option<Address> {
        match self {
            Ends::V4(_, peer) => Some(Address::Ip((*peer).into())),
            Ends::Ip(ends) => ends[1].map(Address::Ip),
            #[cfg(unix)]
            Ends::Unix(ends) => ends[1].clone().map(Address::Unix),
        }
    }
}
