//! [`Error`], the one error type of the crate: `kind` and `repr`; `nested` (drops), `display`,
//! `standard` (other crates' errors), and `catch` (`except Exception`).

mod catch;
mod display;
mod kind;
mod nested;
mod repr;
mod standard;

pub use catch::Catch;
pub use kind::ErrorKind;
#[cfg(feature = "std")]
pub(crate) use repr::about;
pub use repr::{Error, Result};
