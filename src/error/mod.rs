//! [`Error`], the one error type of the crate: `kind` and `repr`; `nested` (drops), `display`, and
//! `standard` (other crates' errors).

mod display;
mod kind;
mod nested;
mod repr;
mod standard;

pub use kind::ErrorKind;
#[cfg(feature = "std")]
pub(crate) use repr::about;
pub use repr::{Error, Result};
