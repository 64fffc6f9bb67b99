//! [`Inbox`]: the messages of other threads to the loop, and the wakeup of the loop.
//!
//! **Sleep protocol.** The loop's thread says that it will sleep (`sleeping`), *then* looks
//! into the queue once more; a sender pushes, *then* looks at `sleeping`. Between the two
//! steps of either stands a sequentially consistent fence, so at least one of them sees the
//! other: the loop finds the mail, or the sender finds the sleeper and notifies. Only the
//! sender that takes `sleeping` back notifies, so a burst costs one notification.
//!
//! The loop empties the queue after each wait whether it was notified or not: a notification
//! may be swallowed, mail never is.

use super::host::Notify;
use super::mail::{MailQueue, Message};
use crate::sync::{AtomicBool, AtomicUsize, Ordering, PlainArc, fence};

/// Mail of sort `M` from any thread to one reader, which sleeps when there is none.
pub(crate) struct Inbox<M: Message> {
    queue: MailQueue<M>,
    /// True from when the reader decides to sleep until it is woken or wakes itself.
    sleeping: AtomicBool,
    /// The number of outsiders that could still write: a loop without work waits only while there are some.
    writers: AtomicUsize,
    notifier: PlainArc<dyn Notify>,
}

impl<M: Message> Inbox<M> {
    pub(crate) fn new(notifier: PlainArc<dyn Notify>) -> Inbox<M> {
        Inbox {
            queue: MailQueue::unbounded(),
            sleeping: AtomicBool::new(false),
            writers: AtomicUsize::new(0),
            notifier,
        }
    }

    /// Leaves mail, and wakes the reader if it sleeps. Gives the mail back once the reader
    /// has closed.
    pub(crate) fn post(&self, mail: M) -> Result<(), M> {
        self.queue.push(mail).map_err(|refused| refused.into_inner())?;
        fence(Ordering::SeqCst);
        self.wake_reader();
        Ok(())
    }

    /// Notifies the reader if it sleeps.
    pub(crate) fn wake_reader(&self) {
        // Of an awake reader the flag is left alone: a write of ours could hide its next sleep.
        let wakes = self.sleeping.load(Ordering::Relaxed)
            && self
                .sleeping
                .compare_exchange(true, false, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok();
        if wakes {
            self.notifier.notify();
        }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(crate) fn take(&self) -> Option<M> {
        self.queue.pop().ok()
    }

    /// The reader is about to sleep. False: there is mail, don't.
    #[must_use]
    pub(crate) fn begin_sleep(&self) -> bool {
        self.arm();
        if self.queue.is_empty() {
            return true;
        }
        self.end_sleep();
        false
    }

    /// Has the next post notify, as if the reader slept. Mail that came before notifies nothing: it is
    /// seen from now on.
    pub(crate) fn arm(&self) {
        self.sleeping.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    pub(crate) fn end_sleep(&self) {
        self.sleeping.store(false, Ordering::Relaxed);
    }

    /// No more mail is taken. What was left before can still be read.
    pub(crate) fn close(&self) {
        self.queue.close();
    }

    pub(crate) fn has_writers(&self) -> bool {
        self.writers.load(Ordering::Acquire) != 0
    }

    pub(crate) fn add_writer(&self) {
        self.writers.fetch_add(1, Ordering::Relaxed);
    }

    /// Removes a writer. The last one wakes the reader, which may have waited for it alone.
    pub(crate) fn drop_writer(&self) {
        if self.writers.fetch_sub(1, Ordering::Release) == 1 {
            self.note_gone();
        }
    }

    /// Wakes a reader that may have waited for something that is gone now.
    pub(crate) fn note_gone(&self) {
        fence(Ordering::SeqCst);
        self.wake_reader();
    }
}
