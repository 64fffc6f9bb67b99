//! [`DatagramEvents`]: the events of an endpoint, which stands below its protocols.

use crate::error::{Error, Result};
use crate::net::transport::Address;

/// The callbacks of an endpoint once it is made: see [`DatagramProtocol`](super::DatagramProtocol).
pub(super) trait DatagramEvents {
    fn datagram_received(&self, data: &[u8], from: &Address) -> Result<()>;

    fn error_received(&self, error: Error) -> Result<()>;

    fn connection_lost(&self, error: Option<Error>) -> Result<()>;

    fn pause_writing(&self) -> Result<()>;

    fn resume_writing(&self) -> Result<()>;
}
