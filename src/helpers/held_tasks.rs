//! [`HeldTasks`]: which tasks a holder holds, in order, and which of them are done.
//!
//! The original keeps a list and goes through all of it whenever one task ends. Here each task
//! has a number, and a [`Watcher`](crate::Watcher) notes its end the moment it comes, so that
//! what is done can be taken out without looking at the rest. **Only** plain futures and tasks
//! can be watched; what stands on others has to be asked each time ([`HeldTasks::to_ask`]).
//!
//! A clean-up in the original is a list made before a wait and put in place after it. What the
//! wait saw come and go in between has to come out the same, so each [`Clean`] notes it.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::rc::Rc;
use alloc::vec::Vec;

use crate::{AnyFuture, FutureId};

/// A task's number in the order of adding.
pub(super) type Number = u64;

/// Tasks that were taken out, to be dropped where nothing is borrowed.
pub(super) type Removed = Vec<Rc<dyn AnyFuture>>;

#[derive(Default)]
pub(super) struct HeldTasks {
    tasks: BTreeMap<Number, Rc<dyn AnyFuture>>,
    numbers: BTreeSet<(FutureId, Number)>,
    /// Those that have told of their end.
    ended: BTreeSet<Number>,
    /// Those that can't tell.
    to_ask: BTreeSet<Number>,
    next: Number,
    cleans: BTreeMap<Number, Clean>,
}

/// A clean-up that is going on.
struct Clean {
    /// The first number that came after it began.
    start: Number,
    gone: BTreeSet<Number>,
    gone_ids: BTreeSet<FutureId>,
    /// What somebody else has taken out of the list since.
    taken: BTreeMap<Number, Rc<dyn AnyFuture>>,
}

impl HeldTasks {
    /// The number that the next task will have.
    pub(super) fn next(&self) -> Number {
        self.next
    }

    /// Holds `task`, which `tells` of its end or has to be asked.
    pub(super) fn add(&mut self, task: Rc<dyn AnyFuture>, tells: bool) {
        let number = self.next;
        self.next += 1;
        if !tells {
            self.to_ask.insert(number);
        }
        self.put(number, task);
    }

    fn put(&mut self, number: Number, task: Rc<dyn AnyFuture>) {
        self.numbers.insert((task.id(), number));
        self.tasks.insert(number, task);
    }

    /// Notes that a task has ended. One that is not held any more is none of ours.
    pub(super) fn note_end(&mut self, number: Number) {
        if self.tasks.contains_key(&number) {
            self.ended.insert(number);
        }
    }

    pub(super) fn get(&self, number: Number) -> Option<&Rc<dyn AnyFuture>> {
        self.tasks.get(&number)
    }

    pub(super) fn all(&self) -> Vec<Rc<dyn AnyFuture>> {
        self.tasks.values().cloned().collect()
    }

    /// Those that tell of their end.
    pub(super) fn watched(&self) -> Vec<Number> {
        self.tasks.keys().filter(|number| !self.to_ask.contains(number)).copied().collect()
    }

    pub(super) fn contains(&self, id: FutureId) -> bool {
        self.has_before(id, Number::MAX)
    }

    fn has_before(&self, id: FutureId, number: Number) -> bool {
        self.numbers.range((id, 0)..(id, number)).next().is_some()
    }

    /// Those that have to be asked whether they are done.
    pub(super) fn to_ask(&self) -> Vec<(Number, Rc<dyn AnyFuture>)> {
        self.to_ask.iter().map(|number| (*number, self.tasks[number].clone())).collect()
    }

    /// How many are not done, if so many of those that were asked are.
    pub(super) fn pending(&self, asked_done: usize) -> usize {
        self.tasks.len() - self.ended.len() - asked_done
    }

    /// Those that are done: those that told, and those that were asked.
    pub(super) fn done(&self, asked_done: &[Number]) -> BTreeSet<Number> {
        self.ended.iter().chain(asked_done).copied().collect()
    }

    /// Takes tasks out, and has the clean-ups that are going on know of it.
    pub(super) fn remove(&mut self, numbers: impl IntoIterator<Item = Number>) -> Removed {
        let mut removed = Removed::new();
        for number in numbers {
            let Some(task) = self.tasks.remove(&number) else { continue };
            self.numbers.remove(&(task.id(), number));
            self.ended.remove(&number);
            self.to_ask.remove(&number);
            for clean in self.cleans.values_mut().filter(|clean| number < clean.start) {
                clean.taken.insert(number, task.clone());
            }
            removed.push(task);
        }
        removed
    }

    /// Begins a clean-up of those that are done, which are returned with its name.
    pub(super) fn begin_clean(&mut self, done: BTreeSet<Number>) -> (Number, Removed) {
        let tasks: Removed = done.iter().map(|number| self.tasks[number].clone()).collect();
        let gone_ids = tasks.iter().map(AnyFuture::id).collect();
        let name = self.cleans.last_key_value().map_or(0, |(last, _)| last + 1);
        let taken = BTreeMap::new();
        self.cleans.insert(name, Clean { start: self.next, gone: done, gone_ids, taken });
        (name, tasks)
    }

    /// A clean-up ends. If it was `finished`, the list is what it was when it began, less what
    /// was done then, and with what is new since. What somebody else took out meanwhile is
    /// there again; it is done, and goes with the next clean-up.
    pub(super) fn end_clean(&mut self, name: Number, finished: bool) -> Removed {
        let Some(clean) = self.cleans.remove(&name).filter(|_| finished) else {
            return Removed::new();
        };
        let again: Vec<Number> = self
            .tasks
            .range(clean.start..)
            .filter(|(_, task)| self.was_there(task.id(), &clean))
            .map(|(number, _)| *number)
            .collect();
        let mut removed = self.remove(clean.gone.iter().copied().chain(again));
        for (number, task) in clean.taken {
            if clean.gone.contains(&number) || self.tasks.contains_key(&number) {
                removed.push(task);
            } else {
                self.ended.insert(number);
                self.put(number, task);
            }
        }
        removed
    }

    /// Whether a task was in the list when the clean-up began.
    fn was_there(&self, id: FutureId, clean: &Clean) -> bool {
        clean.gone_ids.contains(&id)
            || self.has_before(id, clean.start)
            || clean.taken.values().any(|task| task.id() == id)
    }
}
