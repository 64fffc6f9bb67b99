//! Errors inside of errors, as deep as they may be: dropped without a stack as deep.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::mem;

use super::repr::{BoxedError, Detail, Error, Repr, Shared};

impl Drop for Shared {
    fn drop(&mut self) {
        if !matches!(self.detail, Detail::Source(_) | Detail::Group(..)) {
            return;
        }
        match mem::replace(&mut self.detail, Detail::Message(Box::default())) {
            Detail::Source(source) => drop_source(source),
            Detail::Group(_, errors) => drop_group(errors),
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
        if let Detail::Group(_, errors) = &mut shared.detail {
            left.extend(mem::take(errors).into_vec().into_iter().rev());
        }
    }
}

/// Drops an error of the program's own, which may hold an [`Error`] in turn, and so on.
#[cfg(feature = "std")]
fn drop_source(source: BoxedError) {
    use crate::flat_drops::FlatDrops;

    std::thread_local! {
        static DROPS: FlatDrops = const { FlatDrops::new() };
    }
    // While the thread's locals are taken down, the closure is dropped, and the error with it.
    let _ = DROPS.try_with(move |drops| drops.drop(source, drop));
}

/// Without std there is no place that belongs to a thread alone. The stack must be as deep as
/// errors of the program's own that hold an [`Error`] are nested.
#[cfg(not(feature = "std"))]
fn drop_source(source: BoxedError) {
    drop(source);
}
