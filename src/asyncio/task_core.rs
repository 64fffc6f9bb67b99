//! [`TaskCore`]: the part of a task that doesn't depend on its value.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::panic::Location;
use core::task::Waker;

use super::node::{Node, same};
use super::task_slab::TaskKey;
use crate::error::Error;

/// Why a task doesn't run at the moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Parked {
    /// Its first step is scheduled. Until then nothing of it has run.
    Unstarted,
    /// It doesn't: this is its step.
    Running,
    /// It gave way once, and its next step is scheduled.
    Yielding,
    /// It awaits futures of ours, which are in `waits`.
    Waiting,
    /// It awaits something that knows nothing of this loop but its waker.
    Foreign,
}

pub(crate) struct TaskCore {
    pub(crate) key: TaskKey,
    /// Its step is on the ready queue. The queue's next job of this task is that step.
    pub(crate) scheduled: Cell<bool>,
    pub(crate) parked: Cell<Parked>,
    /// The shared waker was woken during the step, so that another is to follow.
    pub(crate) woke_itself: Cell<bool>,
    /// A cancellation that nothing awaited has taken: the next step throws it.
    pub(crate) must_cancel: Cell<bool>,
    /// What the last such cancellation says. It stays when it was thrown: see `gather`.
    pub(crate) cancellation: Cell<Option<Error>>,
    /// How often `cancel` was asked, less the `uncancel`s.
    pub(crate) cancels: Cell<usize>,
    /// An error other than a cancellation that the next step throws.
    pub(crate) throw_next: Cell<Option<Error>>,
    /// What it awaits of ours: one, mostly; several inside a join or a select.
    pub(crate) waits: RefCell<Waits>,
    /// Its own waker, once a foreign future has asked for one.
    pub(crate) waker: RefCell<Option<Waker>>,
    /// It is no loss if the loop closes before it is over.
    pub(crate) expendable: Cell<bool>,
    /// Where it was made.
    pub(crate) spawned_at: &'static Location<'static>,
}

impl TaskCore {
    pub(crate) fn new(key: TaskKey, spawned_at: &'static Location<'static>) -> TaskCore {
        TaskCore {
            key,
            scheduled: Cell::new(false),
            parked: Cell::new(Parked::Unstarted),
            woke_itself: Cell::new(false),
            must_cancel: Cell::new(false),
            cancellation: Cell::new(None),
            cancels: Cell::new(0),
            throw_next: Cell::new(None),
            waits: RefCell::default(),
            waker: RefCell::new(None),
            expendable: Cell::new(false),
            spawned_at,
        }
    }

    /// Notes a cancellation for the next step to throw.
    pub(crate) fn must_cancel(&self, error: Error) {
        self.must_cancel.set(true);
        self.cancellation.set(Some(error));
    }

    /// What the cancellation says that is to be thrown, or was the last to be.
    pub(crate) fn cancellation(&self) -> Error {
        let error = self.cancellation.take().unwrap_or(Error::cancelled());
        self.cancellation.set(Some(error.clone()));
        error
    }

    /// asyncio's `uncancel`: a pending cancellation that nobody asks for any more is off.
    pub(crate) fn uncancel(&self) -> usize {
        let left = self.cancels.get().saturating_sub(1);
        if self.cancels.replace(left) == 1 {
            self.must_cancel.set(false);
        }
        left
    }

    pub(crate) fn is_own_waker(&self, waker: &Waker) -> bool {
        self.waker.borrow().as_ref().is_some_and(|own| own.will_wake(waker))
    }
}

/// The futures that a task awaits at once.
#[derive(Default)]
pub(crate) enum Waits {
    #[default]
    None,
    One(Rc<dyn Node>),
    Many(Vec<Rc<dyn Node>>),
}

impl Waits {
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Waits::None)
    }

    pub(crate) fn push(&mut self, node: Rc<dyn Node>) {
        *self = match core::mem::take(self) {
            Waits::None => Waits::One(node),
            Waits::One(first) => Waits::Many(Vec::from([first, node])),
            Waits::Many(mut all) => {
                all.push(node);
                Waits::Many(all)
            }
        };
    }

    /// Takes out `node`, once, to be dropped where nothing is borrowed.
    pub(crate) fn remove(&mut self, node: &Rc<dyn Node>) -> Option<Rc<dyn Node>> {
        match core::mem::take(self) {
            Waits::One(own) if same(&own, node) => Some(own),
            Waits::Many(mut all) => {
                let at = all.iter().position(|own| same(own, node));
                let removed = at.map(|at| all.remove(at));
                *self = match all.len() {
                    1 => all.pop().map_or(Waits::None, Waits::One),
                    _ => Waits::Many(all),
                };
                removed
            }
            other => {
                *self = other;
                None
            }
        }
    }

    pub(crate) fn snapshot(&self) -> Vec<Rc<dyn Node>> {
        match self {
            Waits::None => Vec::new(),
            Waits::One(node) => Vec::from([node.clone()]),
            Waits::Many(all) => all.clone(),
        }
    }
}
