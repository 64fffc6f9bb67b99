//! Other threads: `executor` calls functions there, and `concurrent_future` gives them the result of a
//! task.

mod concurrent_future;
mod executor;

pub use concurrent_future::ConcurrentFuture;
pub use executor::{ThreadPoolExecutor, to_thread};
