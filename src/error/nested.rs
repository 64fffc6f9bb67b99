//! Errors inside of errors, as deep as they may be: dropped and split without a stack as deep.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::{mem, slice};

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

    /// Returns the part of a group of which `matches` is true, and the rest: the `split` of Python's groups, by
    /// which `except*` goes. `matches` is asked of a group, and where it says no of the errors in it, so that groups
    /// inside are split too. A part has the structure and the messages of the whole. An error that is no group is one of
    /// both as it is.
    ///
    /// ```
    /// use callsoon::{Error, ErrorKind};
    ///
    /// let lost = Error::from(std::io::Error::other("lost"));
    /// let wrong = Error::new(ErrorKind::Value, "wrong");
    /// let group = Error::from_group("both", vec![lost, wrong.clone()]);
    /// let (of_system, rest) = group.split(Error::is_os_error);
    /// assert_eq!(of_system.unwrap().group().len(), 1);
    /// assert!(rest.unwrap().group()[0].ptr_eq(&wrong));
    /// ```
    pub fn split(&self, mut matches: impl FnMut(&Error) -> bool) -> (Option<Error>, Option<Error>) {
        let mut levels: Vec<Level<'_>> = Vec::new();
        let mut error = self;
        loop {
            let mut parts = (None, None);
            if matches(error) {
                parts.0 = Some(error.clone());
            } else if let Some(group) = error.as_group() {
                levels.push(Level { group, left: group.errors.iter(), parts: Default::default() });
            } else {
                parts.1 = Some(error.clone());
            }
            error = loop {
                let Some(level) = levels.last_mut() else { return parts };
                level.parts.0.extend(parts.0);
                level.parts.1.extend(parts.1);
                if let Some(next) = level.left.next() {
                    break next;
                }
                let (matched, rest) = mem::take(&mut level.parts);
                let part = |errors: Vec<Error>| {
                    (!errors.is_empty()).then(|| Error::from_group(&*level.group.message, errors))
                };
                parts = (part(matched), part(rest));
                levels.pop();
            };
        }
    }

    pub(super) fn as_group(&self) -> Option<&Group> {
        let Repr::Shared(shared) = &self.0 else { return None };
        let Detail::Group(group) = &shared.detail else { return None };
        Some(group)
    }
}

/// A group that is being split: the errors in it that are left, and both parts so far.
struct Level<'a> {
    group: &'a Group,
    left: slice::Iter<'a, Error>,
    parts: (Vec<Error>, Vec<Error>),
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
