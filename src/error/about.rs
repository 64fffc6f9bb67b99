//! [`About`]: what an error is about, said before what the system says.
//!
//! "Too many open files" alone helps little where a program has sockets, threads and databases. The
//! error still counts as the system's: [`io_error`](Error::io_error) finds that.

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt::{self, Debug, Display, Formatter};

use super::{Detail, Error, ErrorKind, Result};

/// An error, and what it is about.
pub(super) struct About {
    what: Box<str>,
    pub(super) error: Error,
}

impl Error {
    /// The same error, with what it is about before its text. A cancellation is returned as it is,
    /// and so is everything that is no error of the system: its text says of what it is.
    pub(crate) fn about(self, what: impl FnOnce() -> String) -> Error {
        if self.kind() != ErrorKind::Io {
            return self;
        }
        let about = About { what: what().into_boxed_str(), error: self };
        Error::shared(ErrorKind::Io, Detail::Source(Box::new(about)))
    }
}

/// `outcome`, whose error says what it is about.
pub(crate) fn about<T, E: Into<Error>>(
    outcome: Result<T, E>,
    what: impl FnOnce() -> String,
) -> Result<T> {
    outcome.map_err(|error| error.into().about(what))
}

impl Display for About {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.error)
    }
}

impl Debug for About {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:?}", self.what, self.error)
    }
}

impl core::error::Error for About {}
