//! Other threads: `executor` calls functions there, `concurrent_future` is a task as they see it.

mod concurrent_future;
mod executor;

pub use concurrent_future::ConcurrentFuture;
pub use executor::{ThreadPoolExecutor, to_thread};
