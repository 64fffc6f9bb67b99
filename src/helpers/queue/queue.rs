//! [`Queue`]: passes values to its iterators, until its final future is done.

use alloc::collections::VecDeque;
use alloc::rc::Rc;
use core::fmt;

use super::reader::{Reader, Readers};
use crate::collections::RefCell;
use crate::helpers::futures::ChildOfFuture;
use crate::{AnyFuture, Flat, Result};

/// A queue without a limit, to iterate over: `hp.Queue`.
///
/// Iterating ends when the final future is done, at once, or, with `empty_on_finished`, when
/// nothing is left; or at a [`Done`](Queue::append_done), which one reader takes for itself.
/// Clones are the same queue; several may read, and each value goes to one of them.
///
/// ```
/// use callsoon::{helpers as hp, run};
///
/// run(async {
///     let stop = hp::create_future::<()>();
///     let queue = hp::Queue::new(&stop);
///     queue.append("red");
///     queue.append("green");
///     queue.append_done();
///     let mut seen = Vec::new();
///     let mut colours = queue.iter();
///     while let Some(colour) = colours.next().await? {
///         seen.push(colour);
///     }
///     assert_eq!(seen, ["red", "green"]);
///     Ok(())
/// }).unwrap();
/// ```
pub struct Queue<T: 'static>(Rc<Inner<T>>);

struct Inner<T: 'static> {
    collection: Flat<RefCell<VecDeque<QueueEntry<T>>>>,
    readers: Rc<Readers>,
    final_future: ChildOfFuture<()>,
    empty_on_finished: bool,
}

/// An item of a queue, as [`remaining`](Queue::remaining) returns it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum QueueEntry<T> {
    /// A value.
    Value(T),
    /// The end for one reader: `hp.Queue.Done`.
    Done,
}

impl<T: 'static> Queue<T> {
    /// A queue that ends, whatever it holds, when `final_future` is done.
    ///
    /// # Panics
    ///
    /// Where no loop runs.
    #[must_use]
    #[track_caller]
    pub fn new(final_future: &dyn AnyFuture) -> Queue<T> {
        Queue::made(final_future, false)
    }

    /// A queue that gives what it holds before it ends: `empty_on_finished=True`.
    ///
    /// # Panics
    ///
    /// Where no loop runs.
    #[must_use]
    #[track_caller]
    pub fn emptied_on_finished(final_future: &dyn AnyFuture) -> Queue<T> {
        Queue::made(final_future, true)
    }

    #[track_caller]
    fn made(final_future: &dyn AnyFuture, empty_on_finished: bool) -> Queue<T> {
        let final_future: ChildOfFuture<()> = ChildOfFuture::new(final_future);
        let readers = Rc::<Readers>::default();
        let called = readers.clone();
        final_future.add_done_callback(move |_: &dyn AnyFuture| called.call());
        let collection = Flat::new(RefCell::default());
        Queue(Rc::new(Inner { collection, readers, final_future, empty_on_finished }))
    }

    /// Puts `value` at the end.
    #[inline]
    pub fn append(&self, value: T) {
        self.push(QueueEntry::Value(value));
    }

    /// Puts the end at the end: `queue.append(hp.Queue.Done)`. The reader that comes to it is
    /// over.
    pub fn append_done(&self) {
        self.push(QueueEntry::Done);
    }

    #[cfg_attr(feature = "std", inline(always))]
    fn push(&self, entry: QueueEntry<T>) {
        self.0.collection.borrow_mut().push_back(entry);
        self.0.readers.call();
    }

    /// The values, one by one, as they come: `async for value in queue`. An iteration that is
    /// left can be taken up by another.
    #[must_use]
    pub fn iter(&self) -> QueueIter<T> {
        QueueIter { queue: self.clone(), stage: Stage::Fresh, reader: None }
    }

    /// Returns its items, each taken out as it is asked for. A reader that was woken for it
    /// finds nothing and waits again.
    pub fn remaining(&self) -> impl Iterator<Item = QueueEntry<T>> + use<T> {
        let queue = self.clone();
        core::iter::from_fn(move || queue.pop())
    }

    fn pop(&self) -> Option<QueueEntry<T>> {
        self.take(VecDeque::pop_front)
    }

    fn take(&self, take: Take<T>) -> Option<QueueEntry<T>> {
        take(&mut self.0.collection.borrow_mut())
    }

    /// Returns the number of values and ends in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.collection.borrow().len()
    }

    /// Returns true if it is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Ends it, as if its final future were cancelled.
    #[expect(clippy::unused_async, reason = "Photons' own is awaited")]
    pub async fn finish(&self) {
        self.0.final_future.cancel();
    }
}

/// An iteration over a [`Queue`].
pub struct QueueIter<T: 'static> {
    queue: Queue<T>,
    stage: Stage,
    /// The reader, once it has begun.
    reader: Option<Reader>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Fresh,
    Going,
    Over,
}

/// The number of times that a called reader that finds nothing looks again before it waits to
/// be called anew. The original never stops looking, and keeps its loop from ever going on in
/// time. Looking for a while gives whatever comes at the same instant to the same reader as
/// there, at the same turn.
const PATIENCE: usize = 1_000;

/// Takes the first item out, or what comes first of it.
type Take<T> = fn(&mut VecDeque<QueueEntry<T>>) -> Option<QueueEntry<T>>;

impl<T: 'static> QueueIter<T> {
    /// The next value, or `None` at the end, and from then on.
    ///
    /// # Errors
    ///
    /// The cancellation of the task that waits, after which the iteration is over.
    ///
    /// # Cancellation
    ///
    /// No value is lost: it is taken out and returned in one go. Dropped half-way it ends the
    /// iteration, too; another [`iter`](Queue::iter) takes what comes.
    pub async fn next(&mut self) -> Result<Option<T>> {
        self.next_by(VecDeque::pop_front).await
    }

    /// Does as [`next`](QueueIter::next), with what `take` takes.
    #[inline]
    pub(crate) async fn next_by(&mut self, take: Take<T>) -> Result<Option<T>> {
        match self.stage {
            Stage::Over => return Ok(None),
            Stage::Fresh if self.queue.is_empty() => self.queue.0.readers.reset(),
            Stage::Fresh | Stage::Going => {}
        }
        // Until a value is there to be returned: an error, too, ends the iteration.
        self.stage = Stage::Over;
        let Inner { readers, final_future, empty_on_finished, .. } = &*self.queue.0;
        let reader = self.reader.get_or_insert_with(|| readers.add());
        let mut in_vain = 0;
        loop {
            readers.wait(reader, final_future).await?;
            if (!empty_on_finished || self.queue.is_empty()) && final_future.done() {
                return Ok(None);
            }
            match self.queue.take(take) {
                Some(QueueEntry::Value(value)) => {
                    if self.queue.is_empty() {
                        readers.reset();
                    }
                    self.stage = Stage::Going;
                    return Ok(Some(value));
                }
                Some(QueueEntry::Done) => return Ok(None),
                // Another reader took it, and left the readers called.
                None if in_vain < PATIENCE => in_vain += 1,
                None => readers.reset(),
            }
        }
    }
}

impl<T: 'static> Drop for QueueIter<T> {
    fn drop(&mut self) {
        if let Some(reader) = &self.reader {
            reader.leave(&self.queue.0.final_future);
        }
    }
}

impl<T: 'static> Clone for Queue<T> {
    fn clone(&self) -> Self {
        Queue(self.0.clone())
    }
}

impl<T: 'static> fmt::Debug for Queue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl<T: 'static> fmt::Debug for QueueIter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueueIter").field("queue", &self.queue).finish_non_exhaustive()
    }
}
