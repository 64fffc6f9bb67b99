//! Tasks of tokio's interface as tasks of a loop.

mod body;
mod error;
mod id;
mod join_handle;
pub mod join_set;
mod local_set;
mod spawn;

pub use error::JoinError;
pub use id::{Id, id, try_id};
pub use join_handle::{AbortHandle, JoinHandle};
pub use join_set::JoinSet;
pub use local_set::{LocalEnterGuard, LocalSet};
pub use spawn::{block_in_place, spawn, spawn_blocking, spawn_local};
pub(crate) use spawn::{spawn_blocking_on, spawn_here, spawn_on};
pub use tokio_own::task::{LocalKey, consume_budget, coop, futures, unconstrained};

use std::task::Poll;

/// Gives the other tasks their turn.
pub async fn yield_now() {
    let mut has_yielded = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut has_yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
