//! [`SyncQueue`]: a queue for threads, which block until it has a value.

use core::fmt;

use crate::threads::{Arc, WorkQueue};
use crate::{AnyFuture, Callback, Flat};

/// A queue that threads iterate over, until its final future is done: `hp.SyncQueue`.
///
/// It may be sent to threads and shared by them; each value goes to one of those that iterate
/// it. They sleep while there is nothing, and never look at the future, which belongs to the
/// loop's thread: its end comes to them by a done callback. Clones are the same queue.
///
/// ```
/// use callsoon::{helpers as hp, run, sleep};
///
/// run(async {
///     let stop = hp::create_future::<()>();
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
pub struct SyncQueue<T: 'static>(Arc<Flat<WorkQueue<T>>>);

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
        let queue = WorkQueue::new(empty_on_finished);
        let parker = Arc::clone(queue.parker());
        final_future.add_callback(Callback::new(move |_: &dyn AnyFuture| parker.close()));
        SyncQueue(Arc::new(Flat::new(queue)))
    }
}

impl<T: 'static> SyncQueue<T> {
    /// Puts `value` at the end, and wakes a thread that waits for it. After the end it stays
    /// for [`remaining`](SyncQueue::remaining).
    pub fn append(&self, value: T) {
        self.0.push(value);
    }

    /// Ends it, for all its iterators, from any thread. Doing so again does nothing.
    pub fn finish(&self) {
        self.0.parker().close();
    }

    /// The values, one by one; between them the thread sleeps until there is one, or the end:
    /// `for value in queue`.
    pub fn iter(&self) -> impl Iterator<Item = T> + use<T> {
        let queue = Arc::clone(&self.0);
        core::iter::from_fn(move || queue.next())
    }

    /// Returns its values, each taken out as it is asked for, without waiting.
    pub fn remaining(&self) -> impl Iterator<Item = T> + use<T> {
        let queue = Arc::clone(&self.0);
        core::iter::from_fn(move || queue.take())
    }
}

impl<T: 'static> Clone for SyncQueue<T> {
    fn clone(&self) -> Self {
        SyncQueue(Arc::clone(&self.0))
    }
}

impl<T: 'static> fmt::Debug for SyncQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SyncQueue")
            .field("len", &self.0.len())
            .field("finished", &self.0.parker().is_closed())
            .finish_non_exhaustive()
    }
}
