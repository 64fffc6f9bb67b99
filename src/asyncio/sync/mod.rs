//! Primitives that tasks share: `wait_queue`, on it `lock`, `event`, `condition`, `semaphore`,
//! `barrier` and `queue`; `heap` holds the items of a priority queue.

mod barrier;
mod condition;
mod event;
mod heap;
mod lock;
mod queue;
mod semaphore;
mod wait_queue;

pub use barrier::Barrier;
pub use condition::Condition;
pub use event::Event;
pub use lock::{Lock, LockGuard};
pub use queue::Queue;
pub use semaphore::{BoundedSemaphore, Permit, Semaphore};
#[cfg(feature = "std")]
pub(crate) use wait_queue::{LoopBinding, WaitQueue};
