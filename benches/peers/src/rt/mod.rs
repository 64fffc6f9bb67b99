//! The runtimes: one module and one `impl Rt` for each, and a line in `contenders`.

pub mod callsoon;
#[cfg(feature = "compio")]
pub mod compio;
pub mod floor;
pub mod futures;
#[cfg(feature = "glommio")]
pub mod glommio;
#[cfg(feature = "monoio")]
pub mod monoio;
mod runtime;
mod shared;
pub mod smol;
mod threads;
pub mod tokio;

pub use runtime::{Rt, Timers, wake_self};
