//! [`look_into`]: a look at what stands in a [`Cell`], or a change of it in its place.

use core::cell::Cell;
use core::mem;

/// Has `look` look at what stands in `cell`, where its default stands meanwhile. `look` doesn't
/// come to the cell by another way: it runs no code but the crate's own.
pub(super) fn look_into<T: Default, R>(cell: &Cell<T>, look: impl FnOnce(&mut T) -> R) -> R {
    let mut value = cell.take();
    let outcome = look(&mut value);
    // Only the default stands there, which holds nothing: dropping it would be a question more.
    mem::forget(cell.replace(value));
    outcome
}
