//! Errors inside of errors, as deep as they may be: dropped without a stack as deep.

use alloc::boxed::Box;
use core::mem;

use super::repr::{Detail, Error, Repr, Shared};
use crate::flat_drops::drop_on_thread;
use crate::sync::PlainArc as Arc;

impl Drop for Shared {
    fn drop(&mut self) {
        if !matches!(self.detail, Detail::Source(_) | Detail::Group(..)) {
            return;
        }
        match mem::replace(&mut self.detail, Detail::Message(Box::default())) {
            // An error of the program's own may hold an `Error` in turn, and so on.
            Detail::Source(source) => drop_on_thread(source),
            Detail::Group(group) => drop_group(group.errors),
            _ => {}
        }
    }
}

/// Drops the errors of a group, and of the groups in it, depth first.
fn drop_group(errors: Box<[Error]>) {
    let mut left = errors.into_vec();
    left.reverse();
    while let Some(error) = left.pop() {
        let Repr::Shared(shared) = error.0 else { continue };
        // Others may hold the same error still.
        let Some(mut shared) = Arc::into_inner(shared) else { continue };
        if let Detail::Group(group) = &mut shared.detail {
            left.extend(mem::take(&mut group.errors).into_vec().into_iter().rev());
        }
    }
}
