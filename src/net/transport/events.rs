//! [`Events`]: the events of a transport, which stands below its protocols.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::any::Any;

use crate::error::{Error, Result};

/// The callbacks of every transport: asyncio's `BaseProtocol`.
pub(crate) trait BaseEvents {
    fn connection_lost(&self, error: Option<Error>) -> Result<()>;

    fn pause_writing(&self) -> Result<()>;

    fn resume_writing(&self) -> Result<()>;

    /// Itself, if it stands for a protocol of the program, which is found by this.
    fn into_any(self: Rc<Self>) -> Option<Rc<dyn Any>> {
        None
    }
}

/// The callbacks of a transport once the connection is made: see [`Protocol`](super::super::Protocol).
pub(crate) trait Events: BaseEvents {
    fn data_received(&self, data: &[u8]) -> Result<()>;

    /// The message of a report that [`data_received`](Events::data_received) has failed.
    fn read_failure(&self) -> &'static str {
        "Fatal error: protocol.data_received() call failed."
    }

    /// Returns whether it may have buffers of its own: [`get_buffer`](Events::get_buffer) is asked then.
    fn may_have_buffers(&self) -> bool {
        false
    }

    /// The buffer that the next read is to fill, if the protocol has its own.
    fn get_buffer(&self) -> Option<Result<Vec<u8>>> {
        None
    }

    /// Gives the buffer back, of which `count` bytes are filled.
    fn buffer_updated(&self, buffer: Vec<u8>, count: usize) -> Result<()> {
        self.data_received(&buffer[..count])
    }

    fn eof_received(&self) -> Result<bool>;
}
