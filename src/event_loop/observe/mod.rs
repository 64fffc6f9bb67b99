//! What is looked at beside running a loop, on request: `observers` holds all of it, `schedule_hash`
//! and `trace` tell what ran, and `disorder` changes the order.

mod disorder;
mod observers;
mod schedule_hash;
#[cfg(feature = "trace")]
mod trace;

pub use disorder::Disorder;
#[cfg(feature = "trace")]
pub use trace::Trace;
