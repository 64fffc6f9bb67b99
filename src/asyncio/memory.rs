//! The memory of a loop's tasks and futures: its size, a limit on it, and where it is.

use core::mem::MaybeUninit;

use super::core::TaskRegistry;
use crate::blocks::Region;
use crate::error::{Error, ErrorKind, Result};
use crate::event_loop::LoopRef;

impl LoopRef {
    /// Limits the memory that the loop's tasks and futures take from the allocator to `bytes`, which
    /// counts whole pages; `None`, as it is at first, for no limit. What is taken already stays.
    /// Callbacks and timers don't count.
    ///
    /// Where the limit is reached, [`create_task`](LoopRef::create_task) and awaits return an error of
    /// the kind [`Runtime`](crate::ErrorKind::Runtime), and
    /// [`create_future`](LoopRef::create_future) panics, as an allocation that fails does.
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

    /// Has the loop's tasks, futures, and scheduled and done callbacks be in `region` and nowhere else,
    /// in pages of 32 KiB, or of 512 bytes on 32-bit targets without an operating system. It is the
    /// loop's for good, also when the loop has closed.
    ///
    /// Where the region is full, the functions that make a task or schedule a callback return an error of
    /// the kind [`Runtime`](crate::ErrorKind::Runtime), and so do awaits that need memory, as that of a
    /// lock beside another await of the task; [`create_future`](LoopRef::create_future), and adding a second waiter
    /// to a future, panic, as do functions that stand on these. What has ended makes room.
    ///
    /// The ready queue and the timers of sleeps have memory of the allocator: see [`reserve`](LoopRef::reserve).
    ///
    /// # Errors
    ///
    /// [`Runtime`](crate::ErrorKind::Runtime) where the loop has had memory before;
    /// [`Value`](crate::ErrorKind::Value) where `region` has no room for a page.
    ///
    /// ```
    /// use std::mem::MaybeUninit;
    /// use std::time::Duration;
    /// use callsoon::{ErrorKind, EventLoop, sleep};
    ///
    /// // On a board a `static` array.
    /// let region = Box::leak(Box::new([const { MaybeUninit::uninit() }; 200 * 1024]));
    /// let event_loop = EventLoop::with_virtual_time();
    /// event_loop.set_memory_region(region)?;
    /// event_loop.reserve(1024, 256)?;
    /// let full = loop {
    ///     if let Err(error) = event_loop.create_task(sleep(Duration::from_secs(1))) {
    ///         break error;
    ///     }
    /// };
    /// assert_eq!(full.kind(), ErrorKind::Runtime);
    /// assert!(event_loop.memory() <= 200 * 1024);
    /// # Ok::<(), callsoon::Error>(())
    /// ```
    pub fn set_memory_region(&self, region: &'static mut [MaybeUninit<u8>]) -> Result<()> {
        if self.memory() > 0 {
            return Err(Error::runtime("a loop gets its region before it has memory"));
        }
        let Some(region) = Region::new(region) else {
            return Err(Error::new(ErrorKind::Value, "a region has room for a page, at least"));
        };
        let registry = TaskRegistry::of(self);
        registry.pages().set_region(region);
        registry.waiter_pages().set_region(region);
        self.set_callback_region(region);
        Ok(())
    }

    /// Makes room for `ready` callbacks that are ready at once, and for `timers` that are pending at
    /// once, whenever they are due. The loop gives no memory of these back any more, and allocates for
    /// more of them alone, which ends the program where the allocator has none. A task
    /// counts as one callback while it is ready, and a done callback from the end of its future on. A
    /// sleep is a timer; that of [`call_later`](LoopRef::call_later) is not, as it is part of its callback.
    ///
    /// A timer takes 20 bytes on 32-bit targets and 32 on others, a ready callback a word, to the next
    /// power of two, and the levels of the timer wheel all together 2 KiB without an operating
    /// system, and 17 KiB elsewhere. There, each of more than 8,192 timers takes another 32 bytes, in which
    /// they are sorted.
    ///
    /// # Errors
    ///
    /// [`Runtime`](crate::ErrorKind::Runtime) where the allocator has no memory.
    pub fn reserve(&self, ready: usize, timers: usize) -> Result<()> {
        self.reserve_entries(ready, timers)
    }

    /// Bytes that the loop's tasks, futures, and scheduled and done callbacks have taken from the allocator,
    /// or from the loop's [region](LoopRef::set_memory_region), in use or kept for the next. A loop that
    /// waits gives back what a burst has left, but for a few pages.
    #[must_use]
    pub fn memory(&self) -> usize {
        let registry = TaskRegistry::of(self);
        let waiters = registry.used_waiter_pages().map_or(0, |pages| pages.bytes());
        registry.pages().bytes() + waiters + self.callback_memory()
    }
}
