//! Errors inside of errors, as deep as they may be: dropped without a stack as deep.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::mem;

use super::display::write;
use super::kind::ErrorKind;
use super::repr::{Detail, Error, Group, Repr, Shared};
use crate::flat_drops::drop_on_thread;
use crate::sync::PlainArc as Arc;

impl Drop for Shared {
    fn drop(&mut self) {
        if !matches!(self.detail, Detail::Source(_) | Detail::Group(..)) {
            return;
        }
        match mem::replace(&mut self.detail, Detail::Words("")) {
            // An error of the program's own may hold an `Error` in turn, and so on.
            Detail::Source(source) => drop_on_thread(source),
            Detail::Group(group) => (group.drop_errors)(group.errors),
            _ => {}
        }
    }
}

impl Error {
    /// Several errors in one, as `BaseExceptionGroup(message, errors)`: an `ExceptionGroup` if all of them
    /// are [exceptions](Error::is_exception).
    #[must_use]
    pub fn from_group(message: impl Into<String>, errors: Vec<Error>) -> Error {
        let is_exception = errors.iter().all(Error::is_exception);
        let (message, errors) = (message.into().into_boxed_str(), errors.into_boxed_slice());
        let group = Group { message, errors, is_exception, drop_errors, write };
        Error::shared(ErrorKind::Group, Detail::Group(Box::new(group)))
    }
}

/// Drops the errors of a group, and of the groups in it, depth first.
fn drop_errors(errors: Box<[Error]>) {
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
