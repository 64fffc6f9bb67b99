//! [`Lasting`]: a value with a drop that is linked where it is asked for.
//!
//! **Lasting Invariant**: the value is dropped by the drop of what it stands in, behind which nothing reaches it, and
//! by nothing else.
#![allow(unsafe_code)]

use core::cell::Cell;
use core::mem::ManuallyDrop;
use core::ops::Deref;

/// A value that is leaked, unless [`end`](Lasting::end) was called: a program that never does is spared the
/// code of the value's drop.
pub(crate) struct Lasting<T> {
    value: ManuallyDrop<T>,
    drop_value: Cell<Option<unsafe fn(&mut ManuallyDrop<T>)>>,
}

impl<T> Lasting<T> {
    pub(crate) const fn new(value: T) -> Lasting<T> {
        Lasting { value: ManuallyDrop::new(value), drop_value: Cell::new(None) }
    }

    /// Has the value dropped together with this.
    pub(crate) fn end(&self) {
        self.drop_value.set(Some(ManuallyDrop::drop));
    }
}

impl<T> Deref for Lasting<T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> Drop for Lasting<T> {
    fn drop(&mut self) {
        if let Some(drop_value) = self.drop_value.get() {
            // SAFETY: By the Lasting Invariant.
            unsafe { drop_value(&mut self.value) }
        }
    }
}
