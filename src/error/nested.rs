//! Errors inside of errors, as deep as they may be: dropped and shown without a stack as deep.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::{self, Formatter};
use core::mem;
use core::slice;

use super::{Detail, Error, Repr, Shared};
use crate::flat_drops::drop_on_thread;

impl Drop for Shared {
    fn drop(&mut self) {
        if matches!(self.detail, Detail::Message(_)) {
            return;
        }
        match mem::replace(&mut self.detail, Detail::Message(Box::default())) {
            Detail::Message(_) => {}
            // An error of the program's own may hold an `Error` in turn, and so on.
            Detail::Source(source) => drop_on_thread(source),
            Detail::Group(_, errors) => drop_group(errors),
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

/// Shows a group as `Display` does: `ExceptionGroup: message [first, second]`.
pub(super) fn show(group: &Error, f: &mut Formatter<'_>) -> fmt::Result {
    let begin = |message: &str, name, f: &mut Formatter<'_>| write!(f, "{name}: {message} [");
    write_group(group, f, begin, "]", |error, f| write!(f, "{error}"))
}

/// Shows a group as `Debug` does: `ExceptionGroup("message", [first, second])`.
pub(super) fn debug(group: &Error, f: &mut Formatter<'_>) -> fmt::Result {
    let begin = |message: &str, name, f: &mut Formatter<'_>| write!(f, "{name}({message:?}, [");
    write_group(group, f, begin, "])", |error, f| write!(f, "{error:?}"))
}

/// Writes the beginning and the end of each group, with its errors between these.
fn write_group(
    group: &Error,
    f: &mut Formatter<'_>,
    begin: fn(&str, &'static str, &mut Formatter<'_>) -> fmt::Result,
    end: &str,
    leaf: fn(&Error, &mut Formatter<'_>) -> fmt::Result,
) -> fmt::Result {
    // The errors that are left to be written, of the outermost group first.
    let mut open: Vec<slice::Iter<'_, Error>> = vec![slice::from_ref(group).iter()];
    let mut comma = "";
    while let Some(errors) = open.last_mut() {
        let Some(error) = errors.next() else {
            open.pop();
            // The bottom is no group.
            f.write_str(if open.is_empty() { "" } else { end })?;
            comma = ", ";
            continue;
        };
        f.write_str(mem::replace(&mut comma, ", "))?;
        match error.as_group() {
            Some((message, errors)) => {
                begin(message, error.kind().name(), f)?;
                open.push(errors.iter());
                comma = "";
            }
            None => leaf(error, f)?,
        }
    }
    Ok(())
}

impl Error {
    pub(super) fn as_group(&self) -> Option<(&str, &[Error])> {
        let Repr::Shared(shared) = &self.0 else { return None };
        match &shared.detail {
            Detail::Group(message, errors) => Some((message, errors)),
            Detail::Message(_) | Detail::Source(_) => None,
        }
    }
}
