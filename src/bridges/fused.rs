//! `FusedFuture` of futures-core.

use futures_core::future::FusedFuture;

use crate::asyncio::{Await, Sleep};

/// It is terminated when it has returned; polled again, it returns at once.
impl FusedFuture for Sleep {
    fn is_terminated(&self) -> bool {
        self.is_over()
    }
}

/// It is terminated when it has returned; polled again, it returns what its future has then.
impl<T: Clone + 'static> FusedFuture for Await<T> {
    fn is_terminated(&self) -> bool {
        self.has_returned()
    }
}
