//! [`ThreadToAsyncQueue`], and `thread_hooks`, the program's hooks for its threads.

#[cfg(feature = "std")]
mod thread_hooks;
#[cfg(feature = "std")]
mod thread_to_async_queue;

#[cfg(feature = "std")]
pub use thread_hooks::ThreadHooks;
#[cfg(feature = "std")]
pub use thread_to_async_queue::{ThreadToAsyncQueue, ThreadToAsyncQueueBuilder};
