//! [`Held`]: a task of a holder; and [`Removed`], the tasks that were removed from it.

use alloc::rc::Rc;
use alloc::vec::Vec;

use crate::{AnyFuture, ErasedFuture, FutureId};

/// A task that is held.
#[derive(Clone)]
pub(super) enum Held {
    /// A plain future or a task.
    Own(ErasedFuture),
    /// A future-like thing that stands on others.
    Other(Rc<Other>),
}

pub(super) struct Other {
    future: Rc<dyn AnyFuture>,
    /// Asked once: that may be the program's own code.
    id: FutureId,
}

impl Other {
    pub(super) fn to_any(&self) -> Rc<dyn AnyFuture> {
        self.future.clone()
    }
}

impl Held {
    pub(super) fn new(task: &dyn AnyFuture) -> Held {
        match task.erased() {
            Some(own) => Held::Own(own.clone()),
            None => Held::Other(Rc::new(Other { future: task.to_any(), id: task.id() })),
        }
    }

    pub(super) fn id(&self) -> FutureId {
        match self {
            Held::Own(own) => own.id(),
            Held::Other(other) => other.id,
        }
    }

    pub(super) fn to_any(&self) -> Rc<dyn AnyFuture> {
        match self {
            Held::Own(own) => own.to_any(),
            Held::Other(other) => other.to_any(),
        }
    }
}

/// Tasks that were taken out, mostly one, to be dropped where nothing is borrowed.
#[derive(Default)]
pub(super) struct Removed {
    first: Option<Held>,
    more: Option<Vec<Held>>,
}

impl Removed {
    #[inline(always)]
    pub(super) fn push(&mut self, task: Held) {
        match &self.first {
            None => self.first = Some(task),
            Some(_) => self.more.get_or_insert_default().push(task),
        }
    }
}
