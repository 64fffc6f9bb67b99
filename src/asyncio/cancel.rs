//! [`cancel_task`]: how a cancellation goes from a task to what it awaits, and on down.

use alloc::collections::{BTreeSet, VecDeque};
use alloc::rc::Rc;
use core::cell::{Cell, RefCell};

use super::future_like::FutureId;
use super::node::Node;
use super::task_core::Parked;
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
    walk(first, error);
    if level.is_first() {
        while let Some((task, error)) = home.cancelling.next() {
            walk(task, &error);
        }
    }
    true
}

/// How many cancellations may be under way inside of each other: more than any program has that
/// Python could run, and few enough for a small stack.
const LEVELS: usize = 100;

/// The cancellations of a loop that are under way inside of each other.
#[derive(Default)]
pub(crate) struct Cancelling {
    levels: Cell<usize>,
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

struct Level<'a>(&'a Cell<usize>);

impl Level<'_> {
    fn is_first(&self) -> bool {
        self.0.get() == 1
    }
}

impl Drop for Level<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// What is left of a cancellation on its way down, which most have nothing of.
#[derive(Default)]
struct Below {
    /// Tasks that count the request already, and are to pass it on.
    further: VecDeque<Rc<dyn Node>>,
    /// Those that have passed it on to others.
    seen: BTreeSet<FutureId>,
}

/// From a task that counts the request already to all below it.
fn walk(first: Rc<dyn Node>, error: &Error) {
    let mut below = None;
    pass_on(&first, error, &mut below);
    while let Some(task) = below.as_mut().and_then(|below: &mut Below| below.further.pop_front()) {
        pass_on(&task, error, &mut below);
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
fn pass_on(node: &Rc<dyn Node>, error: &Error, below: &mut Option<Below>) {
    let Some(task) = node.task() else { return };
    let parked = task.parked.get();
    let running = parked == Parked::Running;
    // One that was woken already goes on with what woke it, unless it throws.
    let mut throws = parked != Parked::Waiting || task.scheduled.get();
    let mut accepted = false;
    let mut in_circle = false;
    let (first, more) = if running { Default::default() } else { task.waits() };
    for wait in first.into_iter().chain(more) {
        if wait.task().is_none() {
            accepted |= wait.cancel(error.clone());
        } else if request(&wait) {
            accepted = true;
            let below = below.get_or_insert_default();
            below.seen.insert(FutureId::of(node));
            if below.seen.contains(&FutureId::of(&wait)) {
                // Tasks that await each other: this one throws, which breaks the circle.
                in_circle = true;
            } else {
                below.further.push_back(wait);
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
