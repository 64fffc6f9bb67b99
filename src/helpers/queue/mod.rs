//! Queues: `queue`, with `reader` (its waits), and `sync_queue`, for threads.

#[expect(clippy::module_inception, reason = "a file has the name of its type")]
mod queue;
mod reader;
#[cfg(feature = "std")]
mod sync_queue;

pub use queue::{Queue, QueueEntry, QueueIter};
#[cfg(feature = "std")]
pub use sync_queue::SyncQueue;
