//! [`SubprocessEvents`]: the events of a child process, which stands below its protocols.

use crate::error::{Error, Result};
use crate::net::BaseEvents;

/// The callbacks of a child once its pipes are connected: see
/// [`SubprocessProtocol`](super::SubprocessProtocol).
pub(super) trait SubprocessEvents: BaseEvents {
    fn pipe_data_received(&self, fd: usize, data: &[u8]) -> Result<()>;

    fn pipe_connection_lost(&self, fd: usize, error: Option<Error>) -> Result<()>;

    fn process_exited(&self) -> Result<()>;
}
