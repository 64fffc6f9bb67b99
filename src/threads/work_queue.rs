//! [`WorkQueue`]: what threads take their work from, and sleep on while there is none.
//!
//! **Sleep protocol.** A thread that finds nothing takes the lock, counts itself among the
//! `sleepers`, *then* looks into the queue once more; whoever pushes does so and *then* looks
//! at `sleepers`. Between the two steps of either stands a sequentially consistent fence, so
//! that at least one of them sees the other.
//!
//! **One wake a sleeper.** Who wakes a sleeper takes it off the count and leaves it a `wake`,
//! both under the lock. A burst of pushes so rings for each sleeper once at most, and a thread
//! that wakes for no reason goes back to sleep.
//!
//! **The end** is a flag beside the queue, which itself is never closed: what was pushed before
//! it was said is seen by whoever sees the flag.

use crate::sync::{
    Arc, AtomicBool, AtomicUsize, ConcurrentQueue, Condvar, Mutex, MutexGuard, Ordering,
    PoisonError, fence,
};

/// Work of sort `T` from anybody to many threads, first in first out.
pub(crate) struct WorkQueue<T> {
    queue: ConcurrentQueue<T>,
    gate: Arc<Gate>,
    empty_on_finished: bool,
}

/// Where the threads sleep. Who only says the end holds this, and not the work.
pub(crate) struct Gate {
    /// How many threads sleep that nobody has woken yet. Changed under the lock only.
    sleepers: AtomicUsize,
    finished: AtomicBool,
    /// How many threads were woken and don't know it yet.
    wakes: Mutex<usize>,
    bell: Condvar,
}

impl<T> WorkQueue<T> {
    /// A queue that, once its end was said, gives what it holds first, or nothing more.
    pub(crate) fn new(empty_on_finished: bool) -> WorkQueue<T> {
        WorkQueue {
            queue: ConcurrentQueue::unbounded(),
            gate: Arc::new(Gate {
                sleepers: AtomicUsize::new(0),
                finished: AtomicBool::new(false),
                wakes: Mutex::new(0),
                bell: Condvar::new(),
            }),
            empty_on_finished,
        }
    }

    /// Puts `work` at the end, and wakes a thread for it if one sleeps. After the end it stays
    /// for whoever still looks.
    pub(crate) fn push(&self, work: T) {
        // It is never closed, and has no bound.
        let refused = self.queue.push(work);
        debug_assert!(refused.is_ok());
        fence(Ordering::SeqCst);
        self.gate.wake(1);
    }

    /// What says its end.
    pub(crate) fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    /// The first piece of work, if there is one.
    pub(crate) fn take(&self) -> Option<T> {
        self.queue.pop().ok()
    }

    /// The first piece of work; sleeps until there is one. `None` when the end was said and
    /// nothing is to be given any more.
    pub(crate) fn next(&self) -> Option<T> {
        loop {
            if self.gate.is_finished() {
                // What was pushed before the end was said is visible by now.
                return if self.empty_on_finished { self.take() } else { None };
            }
            if let Some(work) = self.take() {
                return Some(work);
            }
            self.gate.sleep(|| self.queue.is_empty());
        }
    }
}

impl Gate {
    /// Says the end, to all who sleep and will.
    pub(crate) fn finish(&self) {
        self.finished.store(true, Ordering::Release);
        fence(Ordering::SeqCst);
        self.wake(usize::MAX);
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.finished.load(Ordering::Acquire)
    }

    /// Whether a thread sleeps that nobody has woken yet. It may be untrue the moment after.
    pub(crate) fn has_sleeper(&self) -> bool {
        self.sleepers.load(Ordering::Relaxed) != 0
    }

    /// Sleeps until there may be something to see, which `nothing` says there isn't yet.
    fn sleep(&self, nothing: impl FnOnce() -> bool) {
        let mut wakes = self.lock();
        self.sleepers.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if !nothing() || self.is_finished() {
            // Nobody can have woken this thread meanwhile: that takes the lock.
            self.sleepers.fetch_sub(1, Ordering::Relaxed);
            return;
        }
        while *wakes == 0 {
            wakes = self.bell.wait(wakes).unwrap_or_else(PoisonError::into_inner);
        }
        *wakes -= 1;
    }

    /// Wakes up to `most` of those who sleep.
    fn wake(&self, most: usize) {
        if !self.has_sleeper() {
            return;
        }
        let mut wakes = self.lock();
        let woken = self.sleepers.load(Ordering::Relaxed).min(most);
        self.sleepers.fetch_sub(woken, Ordering::Relaxed);
        *wakes += woken;
        drop(wakes);
        match woken {
            0 => {}
            1 => self.bell.notify_one(),
            _ => self.bell.notify_all(),
        }
    }

    /// Nothing of the program's runs while the lock is held, so that a poisoned one is sound.
    fn lock(&self) -> MutexGuard<'_, usize> {
        self.wakes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
