//! [`Held`]: a task of a holder; and [`Removed`], the tasks that were removed from it.

use alloc::rc::Rc;
use alloc::vec::Vec;

use crate::{AnyFuture, ErasedFuture, FutureId};

/// A task that is held.
#[derive(Clone)]
pub(super) enum Held {
    /// A plain future or a task.
    Own(ErasedFuture),
    /// A future-like thing that stands on others. Its identity was asked once: that may be the
    /// program's own code.
    Other(Rc<dyn AnyFuture>, FutureId),
}

impl Held {
    pub(super) fn new(task: &dyn AnyFuture) -> Held {
        match task.erased() {
            Some(own) => Held::Own(own.clone()),
            None => Held::Other(task.to_any(), task.id()),
        }
    }

    pub(super) fn id(&self) -> FutureId {
        match self {
            Held::Own(own) => own.id(),
            Held::Other(_, id) => *id,
        }
    }

    pub(super) fn to_any(&self) -> Rc<dyn AnyFuture> {
        match self {
            Held::Own(own) => own.to_any(),
            Held::Other(other, _) => other.clone(),
        }
    }
}

/// Tasks that were taken out, mostly one, to be dropped where nothing is borrowed.
#[derive(Default)]
pub(super) struct Removed {
    first: Option<Held>,
    more: Vec<Held>,
}

impl Removed {
    #[inline(always)]
    pub(super) fn push(&mut self, task: Held) {
        match &self.first {
            None => self.first = Some(task),
            Some(_) => self.more.push(task),
        }
    }
}
