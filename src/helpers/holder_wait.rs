//! [`HolderWait`]: a holder's wait for the next of its tasks to end, again and again.
//!
//! The original puts a callback on every task for each round of the wait, and takes them all
//! off after it. Here a callback stays on its task from round to round. Three things make that
//! come to the same:
//!
//! - A callback counts only if its task ended in the round that is going on (`ends`), as one
//!   of an earlier round would call for that round.
//! - The callback of a round stands behind all that were added before the round. Where
//!   somebody joined a task since (`joined`), it is put at the end again.
//! - Tasks that were added since (`added`) get theirs at the beginning of the next round.

use alloc::collections::BTreeSet;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;

use super::held_tasks::Number;
use super::waiting::Callbacks;
use crate::{AnyFuture, Callback, FutureId, LoopFuture, Result, running_loop};

#[derive(Default)]
pub(super) struct HolderWait {
    round: RefCell<Round>,
    added: RefCell<Vec<Number>>,
    joined: RefCell<BTreeSet<Number>>,
    /// The tasks that have the callback.
    called_by: RefCell<BTreeSet<FutureId>>,
}

/// One round of the wait.
#[derive(Default)]
struct Round {
    waiter: Option<LoopFuture<()>>,
    ends: BTreeSet<FutureId>,
}

impl HolderWait {
    /// A wait for tasks of which none has its callback yet.
    pub(super) fn new(added: Vec<Number>) -> Rc<HolderWait> {
        Rc::new(HolderWait { added: RefCell::new(added), ..HolderWait::default() })
    }

    pub(super) fn note_added(&self, number: Number) {
        self.added.borrow_mut().push(number);
    }

    pub(super) fn note_joined(&self, number: Number) {
        self.joined.borrow_mut().insert(number);
    }

    pub(super) fn note_end(&self, id: FutureId) {
        self.round.borrow_mut().ends.insert(id);
        // A task to come may have the identity of one that is gone.
        self.called_by.borrow_mut().remove(&id);
    }

    /// The callback for the tasks.
    pub(super) fn callback(self: &Rc<Self>) -> Callback {
        let wait = self.clone();
        Callback::new(move |task: &dyn AnyFuture| wait.called(task.id()))
    }

    fn called(&self, id: FutureId) -> Result<()> {
        let waiter = {
            let round = self.round.borrow();
            round.waiter.clone().filter(|waiter| round.ends.contains(&id) && !waiter.done())
        };
        waiter.map_or(Ok(()), |waiter| waiter.set_result(()))
    }

    /// Waits until one of the tasks, by `callback`, or one of `others` has called back. The
    /// tasks are known by number; those that can't be watched stand among the others.
    pub(super) async fn next(
        &self,
        callback: &Callback,
        task: impl Fn(Number) -> Option<Rc<dyn AnyFuture>>,
        others: Vec<Rc<dyn AnyFuture>>,
    ) -> Result<()> {
        let waiter: LoopFuture<()> = running_loop()?.create_future();
        self.round.replace(Round { waiter: Some(waiter.clone()), ends: BTreeSet::new() });
        let called = waiter.clone();
        let other_called =
            Callback::new(
                move |_: &dyn AnyFuture| {
                    if called.done() { Ok(()) } else { called.set_result(()) }
                },
            );
        let _others = Callbacks::add(others, other_called);
        self.put_last(callback, &task);
        self.put_new(callback, &task);
        // Adding the callbacks was joining, too.
        self.joined.take();
        let waited = waiter.await;
        self.round.take();
        waited
    }

    /// Puts the callback behind those that have come since it was added.
    fn put_last(&self, callback: &Callback, task: &impl Fn(Number) -> Option<Rc<dyn AnyFuture>>) {
        for number in self.joined.take() {
            let Some(task) = task(number).filter(|task| !task.done()) else { continue };
            if task.remove_done_callback(callback) > 0 {
                task.add_callback(callback.clone());
            }
        }
    }

    fn put_new(&self, callback: &Callback, task: &impl Fn(Number) -> Option<Rc<dyn AnyFuture>>) {
        for number in self.added.take() {
            let Some(task) = task(number) else { continue };
            if task.done() {
                // Called at once, in this round.
                self.note_end(task.id());
                task.add_callback(callback.clone());
            } else if self.called_by.borrow_mut().insert(task.id()) {
                task.add_callback(callback.clone());
            }
        }
    }
}
