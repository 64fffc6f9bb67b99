//! Instruments of a loop, on request: `observers` holds all of them, `schedule_hash` and `trace` record
//! the entries that ran, `event_text` their events, in the loops of `recorded_loops` and without the
//! callbacks that `origin` finds to be the crate's own, `disorder` changes the order, and `context_var`
//! runs entries in contexts of their own.

#[cfg(feature = "contextvars")]
mod context_var;
mod disorder;
#[cfg(feature = "events")]
mod event_text;
mod observers;
#[cfg(feature = "events")]
mod origin;
#[cfg(feature = "events")]
mod recorded_loops;
#[cfg(feature = "events")]
mod recording;
mod schedule_hash;
#[cfg(feature = "events")]
pub mod testing;
#[cfg(feature = "trace")]
mod trace;

#[cfg(feature = "contextvars")]
pub(crate) use context_var::use_contexts;
#[cfg(feature = "contextvars")]
pub use context_var::{ContextVar, Token};
pub use disorder::Disorder;
#[cfg(feature = "events")]
pub use event_text::Events;
#[cfg(feature = "trace")]
pub use trace::Trace;
