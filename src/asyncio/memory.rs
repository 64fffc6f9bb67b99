//! The memory of a loop's tasks and futures: its size, and a limit on it.

use super::core::TaskRegistry;
use crate::event_loop::LoopRef;

impl LoopRef {
    /// Limits the memory that the loop's tasks and futures take from the allocator to `bytes`, which
    /// counts whole pages; `None`, as it is at first, for no limit. What is taken already stays.
    /// Callbacks and timers don't count.
    ///
    /// Where the limit is reached, [`create_task`](LoopRef::create_task) returns an error, and making
    /// a future, a sleep or a wait panics in the task that makes it, as an allocation that fails does.
    ///
    /// ```
    /// use callsoon::EventLoop;
    ///
    /// let event_loop = EventLoop::with_virtual_time();
    /// event_loop.set_memory_limit(Some(256 * 1024));
    /// let mut made = 0;
    /// while event_loop.create_task(async { Ok(()) }).is_ok() {
    ///     made += 1;
    /// }
    /// assert!(made > 100);
    /// assert!(event_loop.memory() <= 256 * 1024);
    /// ```
    pub fn set_memory_limit(&self, bytes: Option<usize>) {
        TaskRegistry::of(self).pages().set_limit(bytes);
    }

    /// Bytes that the loop's tasks, futures, and scheduled and done callbacks have taken from the allocator, in
    /// use or kept for the next. A loop that waits gives back what a burst has left, but for a few pages.
    #[must_use]
    pub fn memory(&self) -> usize {
        let registry = TaskRegistry::of(self);
        registry.pages().bytes() + registry.waiter_pages().bytes() + self.callback_memory()
    }
}
