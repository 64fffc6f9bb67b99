//! [`HolderWait`]: the wait of a `finish` for the next task of its holder to end, again and again.
//!
//! The original puts a callback on every task for each round of the wait, and removes them all
//! after it. Here the holder's watch on a task does the same for every wait (see
//! [`End`](super::held_tasks::End)), where that callback would stand right behind the watch.
//! Where another waiter stands between, the wait adds a callback of its own, and puts it at the end
//! again in each round before which another waiter was added.

use alloc::collections::BTreeSet;
use alloc::rc::Rc;
use core::cell::Cell;
use core::future::Future;

use super::held_tasks::{End, HeldTasks, Round};
use crate::collections::{Key, RefCell};
use crate::{AnyFuture, Callback, Result, ReusableSignal};

#[derive(Default)]
pub(crate) struct HolderWait {
    /// Each is completed at the end of its round.
    ends: ReusableSignal,
    /// The round that goes on, and the key of the next task when it began.
    round: Cell<Round>,
    next_key: Cell<Key>,
    /// The round in which the task ended that has its callbacks called now.
    ended: Cell<Round>,
    /// The tasks to which waiters were added since the round began, each once: waits side by side add
    /// theirs again and again.
    joined: RefCell<BTreeSet<Key>>,
}

impl HolderWait {
    /// A wait that has not begun. Waiters were added to the tasks `joined` behind their watches.
    pub(crate) fn new(joined: BTreeSet<Key>) -> Rc<HolderWait> {
        Rc::new(HolderWait { joined: RefCell::new(joined), ..HolderWait::default() })
    }

    pub(crate) fn note_joined(&self, key: Key) {
        self.joined.borrow_mut().insert(key);
    }

    /// The watch on a task that has ended was called.
    pub(crate) fn called(&self, end: End) {
        self.ended.set(end.round);
        if end.count_for(self.round.get(), self.next_key.get()) {
            self.end();
        }
    }

    /// The callback for tasks that have other waiters. It is called soon after their watches.
    pub(crate) fn callback(self: &Rc<Self>) -> Callback {
        let wait = self.clone();
        Callback::new(move |_: &dyn AnyFuture| {
            if wait.round.get() <= wait.ended.get() {
                wait.end();
            }
        })
    }

    /// A callback that counts for this round only.
    pub(crate) fn callback_of_this_round(self: &Rc<Self>) -> Callback {
        let (wait, round) = (self.clone(), self.round.get());
        Callback::new(move |_: &dyn AnyFuture| {
            if wait.round.get() == round {
                wait.end();
            }
        })
    }

    /// Ends the round.
    pub(crate) fn end(&self) {
        self.ends.complete();
    }

    /// Waits for the end of a round, which `begin` begins.
    #[inline]
    pub(crate) fn round(&self, begin: impl FnOnce() + Unpin) -> impl Future<Output = Result<()>> {
        self.ends.wait_with(begin)
    }

    /// Begins a round.
    pub(crate) fn begin_round(&self, tasks: &RefCell<HeldTasks>) {
        let mut tasks = tasks.borrow_mut();
        let (round, next_key) = tasks.begin_round();
        self.round.set(round);
        self.next_key.set(next_key);
        if tasks.any_ended() {
            // A task that is done calls back in the next turn.
            self.ends.complete_soon();
        }
    }

    /// Puts `callback` behind the waiters that were added since the last round began.
    pub(crate) fn put_last(&self, callback: &Callback, tasks: &RefCell<HeldTasks>) {
        if self.joined.borrow().is_empty() {
            return;
        }
        for key in self.joined.take() {
            let task = tasks.borrow().to_follow(key);
            if let Some(task) = task.map(|task| task.to_any()) {
                task.remove_done_callback(callback);
                task.add_callback(callback.clone());
            }
        }
        // These callbacks are no reason to do it again.
        self.joined.borrow_mut().clear();
    }
}
