//! Panics become errors where there is std to catch them; without it they end the program.

#[cfg(feature = "std")]
use crate::error::Error;
use crate::error::Result;

/// Runs `body`; a panic in it is an error of kind [`Panic`](crate::ErrorKind::Panic) with the
/// panic's message and payload.
///
/// Asserted to be unwind safe because nothing of this crate is borrowed while user code runs:
/// what a panic leaves behind is the user's own.
pub(crate) fn caught<R>(body: impl FnOnce() -> R) -> Result<R> {
    caught_if(|| true, body)
}

/// Does as [`caught`], if `is_meant` returns true after a panic; otherwise the panic goes on.
#[cfg(feature = "std")]
#[inline]
pub(crate) fn caught_if<R>(is_meant: impl FnOnce() -> bool, body: impl FnOnce() -> R) -> Result<R> {
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

    catch_unwind(AssertUnwindSafe(body)).map_err(|payload| {
        if !is_meant() {
            resume_unwind(payload);
        }
        Error::from_panic(payload)
    })
}

#[cfg(not(feature = "std"))]
pub(crate) fn caught_if<R>(
    _is_meant: impl FnOnce() -> bool,
    body: impl FnOnce() -> R,
) -> Result<R> {
    Ok(body())
}
