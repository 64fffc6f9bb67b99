//! Panics become errors where there is std to catch them; without it they end the program.

use alloc::format;
use alloc::string::String;

use crate::error::{Error, Result};

/// Runs `body`; a panic in it is an error of kind [`Panic`](crate::ErrorKind::Panic) with the
/// panic's message.
///
/// Asserted to be unwind safe because nothing of this crate is borrowed while user code runs:
/// what a panic leaves behind is the user's own.
#[cfg(feature = "std")]
pub(crate) fn caught<R>(body: impl FnOnce() -> R) -> Result<R> {
    use crate::error::ErrorKind;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    catch_unwind(AssertUnwindSafe(body)).map_err(|payload| {
        let message = payload
            .downcast_ref::<&str>()
            .map(|text| String::from(*text))
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| String::from("a panic without a message"));
        // A payload may panic when it is dropped; that one is not worth another report.
        if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            core::mem::forget(another);
        }
        Error::new(ErrorKind::Panic, message)
    })
}

#[cfg(not(feature = "std"))]
pub(crate) fn caught<R>(body: impl FnOnce() -> R) -> Result<R, Error> {
    Ok(body())
}

/// An error as `Debug` shows it, whatever the program's own errors do when they are shown.
pub(crate) fn shown(error: &Error) -> String {
    let shown = caught(|| format!("{error:?}"));
    shown.unwrap_or_else(|_| String::from("<an error that panics when it is shown>"))
}
