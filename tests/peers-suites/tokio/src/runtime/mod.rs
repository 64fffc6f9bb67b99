//! `Runtime`: a loop; `Handle`, `Builder`.

mod blocking;
mod builder;
mod enter;
mod handle;

pub use builder::{Builder, LocalOptions, LocalRuntime, Runtime};
pub use enter::EnterGuard;
pub(crate) use enter::current;
pub(crate) use handle::Inner;
pub use handle::{Handle, Id, RuntimeFlavor, RuntimeMetrics, TryCurrentError};

/// Returns whether an error is that of a closed runtime.
pub fn is_rt_shutdown_err(error: &std::io::Error) -> bool {
    error.to_string() == crate::net::SHUT_DOWN
}
