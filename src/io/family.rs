//! [`Family`]: the addresses of IPv4 or those of IPv6.

use core::net::SocketAddr;

/// A family of addresses, for the options of connections and servers: asyncio's `family`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Family {
    /// IPv4: `socket.AF_INET`.
    V4,
    /// IPv6: `socket.AF_INET6`.
    V6,
}

impl Family {
    /// Returns whether `address` is one of the family.
    pub(super) fn has(self, address: &SocketAddr) -> bool {
        address.is_ipv4() == (self == Family::V4)
    }
}
