//! [`Events`]: the events of a transport, which stands below its protocols.

use crate::error::{Error, Result};

/// The callbacks of a transport once the connection is made: see [`Protocol`](super::Protocol).
pub(super) trait Events {
    fn data_received(&self, data: &[u8]) -> Result<()>;

    fn eof_received(&self) -> Result<bool>;

    fn connection_lost(&self, error: Option<Error>) -> Result<()>;

    fn pause_writing(&self) -> Result<()>;

    fn resume_writing(&self) -> Result<()>;
}
