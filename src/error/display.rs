//! The text of an [`Error`]. Groups inside of groups are shown without a stack as deep.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt::{self, Formatter};
use core::mem;
use core::slice;

use super::repr::{Detail, Error, Group, Repr};

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for Repr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name();
        match self {
            Repr::Cancelled => f.write_str(name),
            Repr::Shared(shared) => match &shared.detail {
                Detail::Source(source) => fmt::Display::fmt(source, f),
                #[cfg(feature = "std")]
                Detail::About(what, error) => write!(f, "{what}: {error}"),
                Detail::Group(group) => (group.write)(self, f, false),
                own => match own.text() {
                    "" => f.write_str(name),
                    message => write!(f, "{name}: {message}"),
                },
            },
        }
    }
}

impl fmt::Debug for Repr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Repr::Shared(shared) => match &shared.detail {
                Detail::Source(source) => fmt::Debug::fmt(source, f),
                #[cfg(feature = "std")]
                Detail::About(what, error) => write!(f, "{what}: {error:?}"),
                Detail::Group(group) => (group.write)(self, f, true),
                own => write!(f, "{}({:?})", self.kind().name(), own.text()),
            },
            Repr::Cancelled => write!(f, "{}()", self.kind().name()),
        }
    }
}

/// Writes a group as `Display` does, `ExceptionGroup: message [first, second]`, or as `Debug` does,
/// `ExceptionGroup("message", [first, second])`.
pub(super) fn write(group: &Repr, f: &mut Formatter<'_>, debugs: bool) -> fmt::Result {
    let group = Error(group.clone());
    // The errors that are left to be written, of the outermost group first.
    let mut open: Vec<slice::Iter<'_, Error>> = vec![slice::from_ref(&group).iter()];
    let mut comma = "";
    while let Some(errors) = open.last_mut() {
        let Some(error) = errors.next() else {
            open.pop();
            // The bottom is no group.
            let end = if debugs { "])" } else { "]" };
            f.write_str(if open.is_empty() { "" } else { end })?;
            comma = ", ";
            continue;
        };
        f.write_str(mem::replace(&mut comma, ", "))?;
        match as_group(error) {
            Some(group) => {
                let (name, message) = (error.0.name(), &group.message);
                if debugs {
                    write!(f, "{name}({message:?}, [")?;
                } else {
                    write!(f, "{name}: {message} [")?;
                }
                open.push(group.errors.iter());
                comma = "";
            }
            None if debugs => write!(f, "{error:?}")?,
            None => write!(f, "{error}")?,
        }
    }
    Ok(())
}

fn as_group(error: &Error) -> Option<&Group> {
    let Repr::Shared(shared) = &error.0 else { return None };
    match &shared.detail {
        Detail::Group(group) => Some(group),
        _ => None,
    }
}
