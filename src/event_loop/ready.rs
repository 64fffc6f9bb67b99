//! The ready queue: first in, first out, and a turn's round is frozen before it runs.
//!
//! **Round Invariant**: what a turn runs was on the queue when the turn froze its length.
//! What that schedules stands behind them and waits for the next turn, so that nobody
//! can keep the loop from looking at its timers and its sockets.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::rc::Rc;
use core::cell::RefCell;
use core::task::Waker;

use super::handle::Job;
use super::loop_handle::Parcel;

/// Beyond this room an empty queue gives its memory back.
pub(super) const KEPT: usize = 1024;

/// What a callback from another thread is called.
pub(super) const SENT: &str = "<Handle from another thread>";

/// What is to be done, without an allocation of its own.
pub(crate) enum Ready {
    Job(Rc<dyn Job>),
    /// Somebody waits behind a waker for something that has come.
    Wake(Waker),
    /// What another thread has sent.
    Sent(Box<dyn Parcel>),
}

impl Ready {
    /// The job, or else what it is called.
    pub(super) fn job(&self) -> Result<&Rc<dyn Job>, &'static str> {
        match self {
            Ready::Job(job) => Ok(job),
            Ready::Wake(_) => Err("<wake of a waker>"),
            Ready::Sent(_) => Err(SENT),
        }
    }
}

#[cold]
fn push_growing(entries: &mut VecDeque<Ready>, job: Rc<dyn Job>) {
    entries.push_back(Ready::Job(job));
}

#[derive(Default)]
pub(crate) struct ReadyQueue {
    entries: RefCell<VecDeque<Ready>>,
}

impl ReadyQueue {
    #[inline]
    pub(crate) fn push(&self, entry: Ready) {
        self.entries.borrow_mut().push_back(entry);
    }

    /// As `push`, of what is put there most. Where there is room it becomes an entry in its place,
    /// stored as the two words that it came as. An entry that is made before is copied in one
    /// piece, for which a processor waits if its words were stored just now.
    #[inline]
    pub(crate) fn push_job(&self, job: Rc<dyn Job>) {
        let mut entries = self.entries.borrow_mut();
        if entries.len() == entries.capacity() {
            return push_growing(&mut entries, job);
        }
        entries.push_back(Ready::Job(job));
    }

    pub(crate) fn extend(&self, jobs: impl Iterator<Item = Rc<dyn Job>>) {
        let mut entries = self.entries.borrow_mut();
        // Mostly it is one job, for which `VecDeque::extend` would take three times as long.
        jobs.for_each(|job| entries.push_back(Ready::Job(job)));
    }

    pub(crate) fn pop(&self) -> Option<Ready> {
        self.entries.borrow_mut().pop_front()
    }

    /// Changes the order of the first `count` entries.
    pub(super) fn with_first(&self, count: usize, change: impl FnOnce(&mut [Ready])) {
        change(&mut self.entries.borrow_mut().make_contiguous()[..count]);
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.borrow().len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.borrow().is_empty()
    }

    /// Gives back what a burst has left behind, once it is over.
    pub(crate) fn shrink(&self) {
        let mut entries = self.entries.borrow_mut();
        if entries.is_empty() && entries.capacity() > KEPT {
            *entries = VecDeque::new();
        }
    }

    /// Everything on the queue, to be dropped where no borrow is held.
    pub(crate) fn take_all(&self) -> VecDeque<Ready> {
        self.entries.take()
    }
}
