//! What is looked at beside running a loop, on request: `observers` holds all of it, `schedule_hash`
//! and `trace` tell what ran, `disorder` changes the order, and
//! `context_var` has entries run in contexts of their own.

#[cfg(feature = "contextvars")]
mod context_var;
mod disorder;
mod observers;
mod schedule_hash;
#[cfg(feature = "trace")]
mod trace;

#[cfg(feature = "contextvars")]
pub(crate) use context_var::use_contexts;
#[cfg(feature = "contextvars")]
pub use context_var::{ContextVar, Token};
pub use disorder::Disorder;
#[cfg(feature = "trace")]
pub use trace::Trace;
