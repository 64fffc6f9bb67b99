//! The ready queue: first in, first out, and a turn's round is frozen before it runs.
//!
//! **Round Invariant**: what a turn runs was on the queue when the turn froze its length.
//! What those jobs schedule stands behind them and waits for the next turn, so that no job
//! can keep the loop from looking at its timers and its sockets.

use alloc::collections::VecDeque;
use alloc::rc::Rc;
use core::cell::RefCell;

use super::handle::Job;

/// Beyond this room an empty queue gives its memory back.
pub(super) const KEPT: usize = 1024;

#[derive(Default)]
pub(crate) struct ReadyQueue {
    jobs: RefCell<VecDeque<Rc<dyn Job>>>,
}

impl ReadyQueue {
    pub(crate) fn push(&self, job: Rc<dyn Job>) {
        self.jobs.borrow_mut().push_back(job);
    }

    pub(crate) fn extend(&self, jobs: impl Iterator<Item = Rc<dyn Job>>) {
        self.jobs.borrow_mut().extend(jobs);
    }

    pub(crate) fn pop(&self) -> Option<Rc<dyn Job>> {
        self.jobs.borrow_mut().pop_front()
    }

    pub(crate) fn len(&self) -> usize {
        self.jobs.borrow().len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.jobs.borrow().is_empty()
    }

    /// Gives back what a burst has left behind, once it is over.
    pub(crate) fn shrink(&self) {
        let mut jobs = self.jobs.borrow_mut();
        if jobs.is_empty() && jobs.capacity() > KEPT {
            *jobs = VecDeque::new();
        }
    }

    /// Everything on the queue, to be dropped where no borrow is held.
    pub(crate) fn take_all(&self) -> VecDeque<Rc<dyn Job>> {
        self.jobs.take()
    }
}
