//! [`OwedAnswers`]: the receivers of the answers that threads owe a loop.

use alloc::rc::Rc;
use core::any::Any;

use slab::Slab;

use crate::collections::RefCell;

/// A receiver of an answer; `E` is the sort of entries that are held.
pub(crate) enum Owed<E> {
    Receiver(Rc<dyn Any>),
    /// A future of the layer above.
    Future(E),
}

/// A receiver for each answer that is not in yet, by the key that travels with the answer.
pub(super) struct OwedAnswers<E>(RefCell<Slab<Owed<E>>>);

impl<E> OwedAnswers<E> {
    pub(super) fn new() -> OwedAnswers<E> {
        OwedAnswers(RefCell::default())
    }

    pub(super) fn insert(&self, receiver: Owed<E>) -> usize {
        self.0.borrow_mut().insert(receiver)
    }

    pub(super) fn take(&self, key: usize) -> Option<Owed<E>> {
        self.0.borrow_mut().try_remove(key)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// Takes all receivers out: an answer that comes from now on has none.
    pub(super) fn take_all(&self) -> impl Iterator<Item = Owed<E>> + use<E> {
        self.0.take().into_iter().map(|(_key, receiver)| receiver)
    }
}
