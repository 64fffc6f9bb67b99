//! [`Pauser`]: a lock or semaphore that pauses a ticker.

use alloc::boxed::Box;
use core::future::Future;
use core::pin::Pin;

use crate::{Lock, Result, Semaphore};

/// A lock or semaphore that pauses a ticker while it is locked: Photons' `pauser`.
pub trait Pauser {
    /// Returns true if the ticker has to wait.
    fn locked(&self) -> bool;

    /// Waits for the lock, and leaves it again.
    fn pause(&self) -> Pin<Box<dyn Future<Output = Result<()>>>>;
}

impl Pauser for Lock {
    fn locked(&self) -> bool {
        self.locked()
    }

    fn pause(&self) -> Pin<Box<dyn Future<Output = Result<()>>>> {
        let lock = self.clone();
        Box::pin(async move {
            lock.acquire().await?;
            lock.release()
        })
    }
}

impl Pauser for Semaphore {
    fn locked(&self) -> bool {
        self.locked()
    }

    fn pause(&self) -> Pin<Box<dyn Future<Output = Result<()>>>> {
        let semaphore = self.clone();
        Box::pin(async move {
            semaphore.acquire().await?;
            semaphore.release();
            Ok(())
        })
    }
}
