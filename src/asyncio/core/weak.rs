//! [`WeakErased`]: a handle that keeps no future alive.
//!
//! Weak handles share a cell that the future empties when its last handle is dropped. So a future
//! that has none needs no count for them.

use alloc::rc::Rc;
use core::cell::Cell;
use core::ptr::NonNull;

use super::header::Header;
use super::node::ErasedFuture;

/// **Weak Invariant**: the pointer is set for as long as the future has handles.
pub(crate) struct WeakCell(Cell<Option<NonNull<Header>>>);

impl WeakCell {
    pub(super) fn new(header: NonNull<Header>) -> Rc<WeakCell> {
        Rc::new(WeakCell(Cell::new(Some(header))))
    }

    /// The future has no handles any more.
    pub(super) fn clear(&self) {
        self.0.set(None);
    }
}

/// A handle of a future or task that doesn't keep it alive.
#[derive(Clone)]
pub(crate) struct WeakErased(pub(super) Rc<WeakCell>);

impl WeakErased {
    pub(crate) fn upgrade(&self) -> Option<ErasedFuture> {
        self.0.0.get().map(ErasedFuture::from_weak)
    }
}
