//! [`WorkQueue`]: threads take their work from it, and sleep on it while there is none.
//!
//! **Sleep protocol.** A thread that finds nothing takes the lock, adds itself to `sleepers`, *then*
//! looks into the queue once more; a push adds its work and *then* looks at `sleepers`. A sequentially
//! consistent fence stands between the two steps of either side, so that at least one of them sees the
//! other.
//!
//! **One wake a sleeper.** A wake takes a sleeper off the count and adds one to `permits`, both under
//! the lock. So a burst of pushes signals each sleeper once at most, and a thread that wakes without a
//! permit goes back to sleep.
//!
//! **Closing** sets a flag beside the queue, which itself is never closed: work pushed before the close
//! is seen by every thread that sees the flag.

use crate::sync::{
    Arc, AtomicBool, AtomicUsize, ConcurrentQueue, Condvar, Mutex, MutexGuard, Ordering,
    PoisonError, fence,
};

/// Work of type `T` from any thread to many threads, first in, first out.
pub(crate) struct WorkQueue<T> {
    queue: ConcurrentQueue<T>,
    parker: Arc<Parker>,
    drain_on_close: bool,
}

/// The sleep of the threads. A handle that only closes the queue holds this, and not the work.
pub(crate) struct Parker {
    /// Threads that sleep and were not woken yet. Changed under the lock only.
    sleepers: AtomicUsize,
    closed: AtomicBool,
    /// Threads that were woken and have not run since.
    permits: Mutex<usize>,
    condvar: Condvar,
}

impl<T> WorkQueue<T> {
    /// Returns an empty queue. After its close it gives its work first where `drain_on_close` is set,
    /// and nothing more otherwise.
    pub(crate) fn new(drain_on_close: bool) -> WorkQueue<T> {
        WorkQueue {
            queue: ConcurrentQueue::unbounded(),
            parker: Arc::new(Parker {
                sleepers: AtomicUsize::new(0),
                closed: AtomicBool::new(false),
                permits: Mutex::new(0),
                condvar: Condvar::new(),
            }),
            drain_on_close,
        }
    }

    /// Puts `work` at the end, and wakes a thread for it if one sleeps. After the close it stays for
    /// [`take`](WorkQueue::take).
    pub(crate) fn push(&self, work: T) {
        // It is never closed, and has no bound.
        let refused = self.queue.push(work);
        debug_assert!(refused.is_ok());
        fence(Ordering::SeqCst);
        self.parker.wake(1);
    }

    /// Returns the part that closes the queue.
    pub(crate) fn parker(&self) -> &Arc<Parker> {
        &self.parker
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    /// Takes the first piece of work, if there is one.
    pub(crate) fn take(&self) -> Option<T> {
        self.queue.pop().ok()
    }

    /// Takes the first piece of work; sleeps until there is one. `None` after the close, when there is
    /// nothing more to give.
    pub(crate) fn next(&self) -> Option<T> {
        loop {
            if self.parker.is_closed() {
                // Work that was pushed before the close is visible by now.
                return if self.drain_on_close { self.take() } else { None };
            }
            if let Some(work) = self.take() {
                return Some(work);
            }
            self.parker.sleep(|| self.queue.is_empty());
        }
    }
}

impl Parker {
    /// Closes the queue: for the threads that sleep, and for those that would.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        fence(Ordering::SeqCst);
        self.wake(usize::MAX);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Returns whether a thread sleeps that was not woken yet. It may be untrue the moment after.
    pub(crate) fn has_sleeper(&self) -> bool {
        self.sleepers.load(Ordering::Relaxed) != 0
    }

    /// Sleeps until woken, unless `is_empty` denies that there is nothing to do.
    fn sleep(&self, is_empty: impl FnOnce() -> bool) {
        let mut permits = self.lock();
        self.sleepers.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if !is_empty() || self.is_closed() {
            // This thread can't have been woken meanwhile: that takes the lock.
            self.sleepers.fetch_sub(1, Ordering::Relaxed);
            return;
        }
        while *permits == 0 {
            permits = self.condvar.wait(permits).unwrap_or_else(PoisonError::into_inner);
        }
        *permits -= 1;
    }

    /// Wakes up to `most` of the threads that sleep.
    fn wake(&self, most: usize) {
        if !self.has_sleeper() {
            return;
        }
        let mut permits = self.lock();
        let woken = self.sleepers.load(Ordering::Relaxed).min(most);
        self.sleepers.fetch_sub(woken, Ordering::Relaxed);
        *permits += woken;
        drop(permits);
        match woken {
            0 => {}
            1 => self.condvar.notify_one(),
            _ => self.condvar.notify_all(),
        }
    }

    /// No code of the program runs while the lock is held, so that a poisoned one is sound.
    fn lock(&self) -> MutexGuard<'_, usize> {
        self.permits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
