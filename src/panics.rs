//! Panics become errors where they are caught; elsewhere they end the program.

#[cfg(feature = "std")]
use crate::error::Error;
use crate::error::Result;

/// False where the program is built to abort on a panic: then it is spared what is done after one.
pub(crate) const UNWINDS: bool = cfg!(panic = "unwind");

/// True where panics are caught. Without std they may go through to code that catches them.
pub(crate) const CATCHES: bool = UNWINDS && cfg!(feature = "std");

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

    if !CATCHES {
        return Ok(body());
    }
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
