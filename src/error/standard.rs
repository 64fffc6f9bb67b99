//! [`Error`] and the errors of other crates, which turn into each other by `?` and `into`.

use alloc::boxed::Box;
#[cfg(feature = "std")]
use core::any::TypeId;

#[cfg(feature = "std")]
use super::kind::ErrorKind;
#[cfg(feature = "std")]
use super::repr::Detail;
use super::repr::{BoxedError, Error, Repr};

impl Error {
    /// The error of this crate that `foreign` was made of, or its source, or the source of that.
    ///
    /// What passes through another crate comes back as an error of that crate. Here a task finds
    /// out that it was its own cancellation.
    ///
    /// ```
    /// use callsoon::Error;
    ///
    /// let foreign: Box<dyn std::error::Error> = Error::cancelled().into();
    /// assert!(Error::find_in(&*foreign).is_some_and(|error| error.is_cancelled()));
    /// assert!(Error::find_in(&std::fmt::Error).is_none());
    /// ```
    #[must_use]
    pub fn find_in(foreign: &(dyn core::error::Error + 'static)) -> Option<Error> {
        let mut chain = core::iter::successors(Some(foreign), |error| error.source());
        chain.find_map(as_own)
    }
}

impl<E: core::error::Error + Send + Sync + 'static> From<E> for Error {
    fn from(error: E) -> Error {
        #[cfg(feature = "std")]
        if TypeId::of::<E>() == TypeId::of::<std::io::Error>() {
            return match as_own(&error) {
                Some(own) => own,
                None => Error::shared(ErrorKind::Io, Detail::Source(Box::new(error))),
            };
        }
        Error::other(error)
    }
}

/// An [`Error`] as a standard error, for code that collects errors of all sorts.
impl core::error::Error for Repr {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        self.cause()?.source()
    }
}

impl AsRef<dyn core::error::Error + 'static> for Error {
    fn as_ref(&self) -> &(dyn core::error::Error + 'static) {
        &self.0
    }
}

impl AsRef<dyn core::error::Error + Send + Sync + 'static> for Error {
    fn as_ref(&self) -> &(dyn core::error::Error + Send + Sync + 'static) {
        &self.0
    }
}

/// The error that a standard one was made of by `into` or `as_ref`, on its own or inside of a
/// `std::io::Error`.
fn as_own(error: &(dyn core::error::Error + 'static)) -> Option<Error> {
    #[cfg(feature = "std")]
    let error = {
        let mut error = error;
        while let Some(around) = error.downcast_ref::<std::io::Error>() {
            error = around.get_ref()?;
        }
        error
    };
    error.downcast_ref::<Repr>().cloned().map(Error)
}

/// For functions that may fail with `std::io::Error` only. What the system said is that again,
/// and everything else, a cancellation too, is inside of it: `?` makes it the same error as
/// before.
///
/// ```
/// use callsoon::Error;
///
/// let told = std::io::Error::from(Error::cancelled());
/// assert!(Error::from(told).is_cancelled());
/// ```
#[cfg(feature = "std")]
impl From<Error> for std::io::Error {
    fn from(error: Error) -> std::io::Error {
        let said = error.io_error();
        if let Some(code) = said.and_then(std::io::Error::raw_os_error) {
            return std::io::Error::from_raw_os_error(code);
        }
        let kind = match error.kind() {
            ErrorKind::Timeout => std::io::ErrorKind::TimedOut,
            _ => said.map_or(std::io::ErrorKind::Other, std::io::Error::kind),
        };
        std::io::Error::new(kind, error.0)
    }
}

impl From<Error> for BoxedError {
    fn from(error: Error) -> BoxedError {
        Box::new(error.0)
    }
}

impl From<Error> for Box<dyn core::error::Error> {
    fn from(error: Error) -> Box<dyn core::error::Error> {
        Box::new(error.0)
    }
}
