//! [`OwedAnswers`]: the receivers of the answers that threads owe a loop.

use alloc::rc::Rc;
use core::any::Any;
use core::cell::RefCell;

use slab::Slab;

/// A receiver for each answer that is not in yet, by the key that travels with the answer.
#[derive(Default)]
pub(super) struct OwedAnswers(RefCell<Slab<Rc<dyn Any>>>);

impl OwedAnswers {
    pub(super) fn insert(&self, receiver: Rc<dyn Any>) -> usize {
        self.0.borrow_mut().insert(receiver)
    }

    pub(super) fn take(&self, key: usize) -> Option<Rc<dyn Any>> {
        self.0.borrow_mut().try_remove(key)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// Takes all receivers out: an answer that comes from now on has none.
    pub(super) fn take_all(&self) -> impl Iterator<Item = Rc<dyn Any>> + use<> {
        self.0.take().into_iter().map(|(_key, receiver)| receiver)
    }
}
