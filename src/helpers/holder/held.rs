//! [`Held`]: a task that is held.

use alloc::rc::Rc;

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
