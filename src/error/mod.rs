//! [`Error`], the one error type of the crate: `kind` and `repr`; `nested` (groups, and drops), `panic` (payloads), `display`,
//! `standard` (other crates' errors), and `catch` (`except Exception`).

mod catch;
mod display;
mod kind;
mod nested;
#[cfg(feature = "std")]
mod panic;
mod repr;
mod standard;

pub use catch::Catch;
pub use kind::ErrorKind;
#[cfg(feature = "std")]
pub(crate) use repr::about;
pub use repr::{Error, Result};
