//! [`DatagramEvents`]: the events of an endpoint, which stands below its protocols.

use crate::error::{Error, Result};
use crate::net::transport::{Address, BaseEvents};

/// The callbacks of an endpoint once it is made: see [`DatagramProtocol`](super::DatagramProtocol).
pub(super) trait DatagramEvents: BaseEvents {
    fn datagram_received(&self, data: &[u8], from: &Address) -> Result<()>;

    fn error_received(&self, error: Error) -> Result<()>;
}
