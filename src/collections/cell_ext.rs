//! [`CellExt`]: access to the value of a [`Cell`] in place.

use core::cell::Cell;
use core::mem;

pub(crate) trait CellExt<T> {
    /// Calls `body` with the value, and leaves the default in its place meanwhile. `body` must not
    /// reach the cell by another way: it runs no code but the crate's own.
    fn with<R>(&self, body: impl FnOnce(&mut T) -> R) -> R;
}

impl<T: Default> CellExt<T> for Cell<T> {
    #[inline(always)]
    fn with<R>(&self, body: impl FnOnce(&mut T) -> R) -> R {
        let mut value = self.take();
        let outcome = body(&mut value);
        // The cell holds the default, which owns nothing: `forget` skips its drop check.
        mem::forget(self.replace(value));
        outcome
    }
}
