//! [`SyncQueue`]: a queue for threads, which block until there is something.

use alloc::collections::VecDeque;
use core::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::{AnyFuture, Callback};

/// A queue that threads iterate, until its final future is done: `hp.SyncQueue`.
///
/// It may be sent to threads and shared by them; each value goes to one of those that iterate
/// it. They sleep while there is nothing, and never look at the future, which belongs to the
/// loop's thread: its end comes to them by a done callback. Clones are the same queue.
///
/// ```
/// use callsoon::{helpers as hp, run, sleep};
///
/// run(async {
///     let stop = hp::create_future::<()>()?;
///     let queue = hp::SyncQueue::emptied_on_finished(&stop);
///     let theirs = queue.clone();
///     let thread = std::thread::spawn(move || theirs.iter().sum::<u32>());
///     for value in [1, 2, 3] {
///         queue.append(value);
///     }
///     queue.finish();
///     assert_eq!(thread.join().unwrap(), 6);
///     Ok(())
/// }).unwrap();
/// ```
pub struct SyncQueue<T>(Arc<Shared<T>>);

struct Shared<T> {
    state: Mutex<State<T>>,
    /// Told of each value, and of the end.
    changed: Condvar,
    empty_on_finished: bool,
}

struct State<T> {
    collection: VecDeque<T>,
    finished: bool,
}

impl<T> Shared<T> {
    /// Nothing of the program's runs while the lock is held, so that a poisoned one is sound.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn finish(&self) {
        self.lock().finished = true;
        self.changed.notify_all();
    }
}

impl<T: Send + 'static> SyncQueue<T> {
    /// A queue that ends, whatever it holds, when `final_future` is done.
    #[must_use]
    pub fn new(final_future: &dyn AnyFuture) -> SyncQueue<T> {
        SyncQueue::made(final_future, false)
    }

    /// A queue that gives what it holds before it ends: `empty_on_finished=True`.
    #[must_use]
    pub fn emptied_on_finished(final_future: &dyn AnyFuture) -> SyncQueue<T> {
        SyncQueue::made(final_future, true)
    }

    fn made(final_future: &dyn AnyFuture, empty_on_finished: bool) -> SyncQueue<T> {
        let state = Mutex::new(State { collection: VecDeque::new(), finished: false });
        let shared = Arc::new(Shared { state, changed: Condvar::new(), empty_on_finished });
        let ended = Arc::downgrade(&shared);
        final_future.add_callback(Callback::new(move |_: &dyn AnyFuture| {
            if let Some(shared) = ended.upgrade() {
                shared.finish();
            }
        }));
        SyncQueue(shared)
    }
}

impl<T> SyncQueue<T> {
    /// Puts `value` at the end, and wakes a thread that waits for it. After the end it stays
    /// for [`remaining`](SyncQueue::remaining).
    pub fn append(&self, value: T) {
        self.0.lock().collection.push_back(value);
        self.0.changed.notify_one();
    }

    /// Ends it, for all who iterate it, from any thread. Doing so again does nothing.
    pub fn finish(&self) {
        self.0.finish();
    }

    /// The values, one by one; between them the thread sleeps until there is one, or the end:
    /// `for value in queue`.
    pub fn iter(&self) -> impl Iterator<Item = T> + use<T> {
        let shared = self.0.clone();
        core::iter::from_fn(move || {
            let idle = |state: &mut State<T>| !state.finished && state.collection.is_empty();
            let waited = shared.changed.wait_while(shared.lock(), idle);
            let mut state = waited.unwrap_or_else(PoisonError::into_inner);
            if state.finished && !shared.empty_on_finished {
                return None;
            }
            state.collection.pop_front()
        })
    }

    /// What it holds, each taken out as it is asked for, without waiting.
    pub fn remaining(&self) -> impl Iterator<Item = T> + use<T> {
        let shared = self.0.clone();
        core::iter::from_fn(move || shared.lock().collection.pop_front())
    }
}

impl<T> Clone for SyncQueue<T> {
    fn clone(&self) -> Self {
        SyncQueue(self.0.clone())
    }
}

impl<T> fmt::Debug for SyncQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.lock();
        f.debug_struct("SyncQueue")
            .field("len", &state.collection.len())
            .field("finished", &state.finished)
            .finish_non_exhaustive()
    }
}
