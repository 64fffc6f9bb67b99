//! [`Pauser`]: what holds a ticker up.

use alloc::boxed::Box;
use core::future::Future;
use core::pin::Pin;

use crate::Result;

/// What holds a ticker up while it is locked: Photons' `pauser`.
pub trait Pauser {
    /// Whether the ticker has to wait.
    fn locked(&self) -> bool;

    /// Waits for the lock, and leaves it again.
    fn pause(&self) -> Pin<Box<dyn Future<Output = Result<()>>>>;
}
