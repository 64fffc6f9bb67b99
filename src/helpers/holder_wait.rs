//! [`HolderWait`]: a holder's wait for the next of its tasks to end, again and again.
//!
//! The original puts a callback on every task for each round of the wait, and takes them all
//! off after it. Here a callback stays on its task from round to round. Three things make that
//! come to the same:
//!
//! - A callback counts only if its task ended in the round that is going on, as one of an earlier
//!   round would call for that round. Callbacks are called in the order of the ends, so it is
//!   enough to count how many are on their way, and how many of those are late.
//! - The callback of a round stands behind all that were added before the round. Where
//!   somebody joined a task since (`joined`), it is put at the end again.
//! - Tasks that were added since (`added`) get theirs at the beginning of the next round.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use super::held_tasks::{HeldTasks, Key, Number};
use super::waiting::Callbacks;
use crate::{AnyFuture, Callback, Result, ReusableSignal};

#[derive(Default)]
pub(super) struct HolderWait {
    /// Each is over when its round is.
    naps: ReusableSignal,
    /// How many rounds there were.
    rounds: Cell<u64>,
    /// The callbacks that are on their way: those of this round, and those of rounds before.
    on_time: Cell<usize>,
    late: Cell<usize>,
    /// The tasks before this number have the callback.
    called_before: Cell<Number>,
    added: RefCell<Vec<Key>>,
    joined: RefCell<Vec<Key>>,
}

impl HolderWait {
    /// A wait for tasks of which none has its callback yet.
    pub(super) fn new(added: Vec<Key>) -> Rc<HolderWait> {
        Rc::new(HolderWait { added: RefCell::new(added), ..HolderWait::default() })
    }

    pub(super) fn note_added(&self, key: Key) {
        self.added.borrow_mut().push(key);
    }

    pub(super) fn note_joined(&self, key: Key) {
        let mut joined = self.joined.borrow_mut();
        if joined.last() != Some(&key) {
            joined.push(key);
        }
    }

    /// A task has ended, and if it has the callback, that is on its way.
    pub(super) fn note_end(&self, key: Key) {
        if key.comes_before(self.called_before.get()) {
            self.on_time.set(self.on_time.get() + 1);
        }
    }

    /// The callback for the tasks.
    pub(super) fn callback(self: &Rc<Self>) -> Callback {
        let wait = self.clone();
        Callback::new(move |_: &dyn AnyFuture| wait.called())
    }

    fn called(&self) {
        if let Some(late) = self.late.get().checked_sub(1) {
            return self.late.set(late);
        }
        self.on_time.set(self.on_time.get().saturating_sub(1));
        self.end();
    }

    /// Ends the round.
    pub(super) fn end(&self) {
        self.naps.complete();
    }

    /// Waits until one of the tasks, by `callback`, or one of `others` has called back. The
    /// tasks are known by key; those that can't be watched stand among the others.
    pub(super) async fn next(
        self: &Rc<Self>,
        callback: &Callback,
        tasks: &RefCell<HeldTasks>,
        others: Vec<Rc<dyn AnyFuture>>,
    ) -> Result<()> {
        let over = self.naps.begin()?;
        self.rounds.set(self.rounds.get() + 1);
        self.late.set(self.late.get() + self.on_time.take());
        let _others = (!others.is_empty()).then(|| Callbacks::add(others, self.of_this_round()));
        self.put_last(callback, tasks);
        self.put_new(callback, tasks);
        // Adding the callbacks was joining, too.
        self.joined.borrow_mut().clear();
        over.await
    }

    fn of_this_round(self: &Rc<Self>) -> Callback {
        let (wait, round) = (self.clone(), self.rounds.get());
        Callback::new(move |_: &dyn AnyFuture| {
            if wait.rounds.get() == round {
                wait.end();
            }
        })
    }

    /// Puts the callback behind those that have come since it was added.
    fn put_last(&self, callback: &Callback, tasks: &RefCell<HeldTasks>) {
        if self.joined.borrow().is_empty() {
            return;
        }
        for key in self.joined.take() {
            let task = tasks.borrow().get(key).cloned();
            let Some(task) = task.filter(|task| !task.done()) else { continue };
            if task.remove_done_callback(callback) > 0 {
                task.add_callback(callback.clone());
            }
        }
    }

    fn put_new(&self, callback: &Callback, tasks: &RefCell<HeldTasks>) {
        self.called_before.set(tasks.borrow().next());
        for key in self.added.take() {
            let task = tasks.borrow().get(key).cloned();
            let Some(task) = task else { continue };
            if task.done() {
                // Called at once, in this round.
                self.on_time.set(self.on_time.get() + 1);
                task.add_callback(callback.clone());
            } else if !tasks.borrow().is_again(key) {
                task.add_callback(callback.clone());
            }
        }
    }
}
