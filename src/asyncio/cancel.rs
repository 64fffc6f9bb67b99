//! [`cancel_task`]: how a cancellation goes from a task to what it awaits, and on down.

use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::mem;

use super::node::Node;
use super::task_core::{Parked, TaskCore};
use crate::error::Error;

/// Cancels a task by cancelling what it awaits, and so on down. Says whether it was in time.
///
/// A loop, not a recursion: a chain of tasks may be longer than the stack is deep. It need not
/// come back up, because a task that is not over always accepts. Only what a future does when it
/// is cancelled, as `gather`'s does, comes back in here; and where that happens inside of itself
/// too often, the task is put off until the others are through.
pub(crate) fn cancel_task(first: Rc<dyn Node>, error: &Error) -> bool {
    if !request(&first) {
        return false;
    }
    let home = first.core().home().clone();
    let Some(level) = home.cancelling.enter() else {
        home.cancelling.put_off(first, error.clone());
        return true;
    };
    walk(first, error, level.number());
    if level.number() == 1 {
        while let Some((task, error)) = home.cancelling.next() {
            walk(task, &error, level.number());
        }
    }
    true
}

/// How many cancellations may be under way inside of each other: more than any program has that
/// Python could run, and few enough for a small stack.
const LEVELS: u8 = 100;

/// The cancellations of a loop that are under way inside of each other.
#[derive(Default)]
pub(crate) struct Cancelling {
    levels: Cell<u8>,
    /// Tasks that are to be cancelled when the others are through, and that count as asked.
    put_off: RefCell<VecDeque<(Rc<dyn Node>, Error)>>,
}

impl Cancelling {
    /// One level deeper, until what this gives is dropped; none where that is too deep.
    fn enter(&self) -> Option<Level<'_>> {
        let level = self.levels.get();
        (level < LEVELS).then(|| {
            self.levels.set(level + 1);
            Level(&self.levels)
        })
    }

    fn put_off(&self, task: Rc<dyn Node>, error: Error) {
        self.put_off.borrow_mut().push_back((task, error));
    }

    fn next(&self) -> Option<(Rc<dyn Node>, Error)> {
        self.put_off.borrow_mut().pop_front()
    }
}

struct Level<'a>(&'a Cell<u8>);

impl Level<'_> {
    /// Counted from 1 on.
    fn number(&self) -> u8 {
        self.0.get()
    }
}

impl Drop for Level<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// What is left of a cancellation on its way down, which most have nothing of.
struct Below {
    level: u8,
    /// Tasks that count the request already, and are to pass it on.
    further: Vec<Rc<dyn Node>>,
    /// Those that have passed it on to others, and the mark of each from before that, which may be
    /// of a cancellation inside of which this one is.
    passed: Vec<(Rc<dyn Node>, u8)>,
}

impl Below {
    fn new(level: u8) -> Below {
        Below { level, further: Vec::new(), passed: Vec::new() }
    }

    /// Marks `node`, whose `task` passes the request on.
    fn note(&mut self, node: &Rc<dyn Node>, task: &TaskCore) {
        if !self.has_noted(task) {
            self.passed.push((node.clone(), task.passed_on.replace(self.level)));
        }
    }

    /// Those who are to pass it on next, if there are any.
    fn take_further(&mut self) -> Option<Vec<Rc<dyn Node>>> {
        Some(mem::take(&mut self.further)).filter(|tasks| !tasks.is_empty())
    }

    fn has_noted(&self, task: &TaskCore) -> bool {
        task.passed_on.get() == self.level
    }
}

impl Drop for Below {
    fn drop(&mut self) {
        for (node, before) in &self.passed {
            if let Some(task) = node.task() {
                task.passed_on.set(*before);
            }
        }
    }
}

/// From a task that counts the request already to all below it.
fn walk(first: Rc<dyn Node>, error: &Error, level: u8) {
    let mut below = None;
    pass_on(&first, error, level, &mut below);
    while let Some(tasks) = below.as_mut().and_then(Below::take_further) {
        for task in tasks {
            pass_on(&task, error, level, &mut below);
        }
    }
}

/// Counts a request to cancel, if the task is not over.
fn request(node: &Rc<dyn Node>) -> bool {
    node.core().mark_read();
    let Some(task) = node.task().filter(|_| !node.core().done()) else { return false };
    task.count_cancel();
    true
}

/// Cancels what a task awaits, but for the tasks among that, which are left `below`. Where
/// nothing accepts, the task itself is to throw.
fn pass_on(node: &Rc<dyn Node>, error: &Error, level: u8, below: &mut Option<Below>) {
    let Some(task) = node.task() else { return };
    let parked = task.parked.get();
    let running = parked == Parked::Running;
    // One that was woken already goes on with what woke it, unless it throws.
    let mut throws = parked != Parked::Waiting || task.scheduled.get();
    let mut accepted = false;
    let mut in_circle = false;
    let (first, more) = if running { Default::default() } else { task.waits() };
    for wait in first.into_iter().chain(more) {
        let Some(awaited) = wait.task() else {
            accepted |= wait.cancel(error.clone());
            continue;
        };
        if request(&wait) {
            accepted = true;
            let below = below.get_or_insert_with(|| Below::new(level));
            below.note(node, task);
            if below.has_noted(awaited) {
                // Tasks that await each other: this one throws, which breaks the circle.
                in_circle = true;
            } else {
                below.further.push(wait);
            }
        }
    }
    throws |= !accepted || in_circle;
    if throws {
        task.must_cancel(error.clone());
    }
    if parked == Parked::Foreign || in_circle {
        node.clone().schedule_step();
    }
}
