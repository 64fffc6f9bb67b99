//! `FusedFuture` of futures-core.

use futures_core::future::FusedFuture;

use crate::asyncio::Sleep;

/// It is terminated when it has returned; polled again, it returns at once.
impl FusedFuture for Sleep {
    fn is_terminated(&self) -> bool {
        self.is_over()
    }
}
