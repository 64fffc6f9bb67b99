//! [`EnsureFuture`]: the futures and coroutines that a loop can run until they are done.

use core::future::Future;

use super::task::Task;
use crate::asyncio::future::{FutureLike, LoopFuture, check_loop};
use crate::error::Result;
use crate::event_loop::LoopRef;

/// The argument of `run_until_complete`, asyncio's `ensure_future`: a Rust future, which becomes a
/// task, or a future or task of the loop itself, or a reference to one, which is awaited as it is.
pub trait EnsureFuture<T: Clone + 'static> {
    /// The future or task that stands for it.
    type Future: FutureLike<T>;

    /// The future that stands for it on `on`.
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed) where a task would have to be made after the loop
    /// has closed.
    #[track_caller]
    fn ensure_future(self, on: &LoopRef) -> Result<Self::Future>;
}

impl<T: Clone + 'static, F: Future<Output = Result<T>> + 'static> EnsureFuture<T> for F {
    type Future = Task<T>;

    #[track_caller]
    fn ensure_future(self, on: &LoopRef) -> Result<Task<T>> {
        on.create_main_task(self)
    }
}

/// Implements it for what is a future of the loop already, by value and by reference.
macro_rules! ensured {
    ($future:ident) => {
        impl<T: Clone + 'static> EnsureFuture<T> for $future<T> {
            type Future = $future<T>;

            fn ensure_future(self, on: &LoopRef) -> Result<$future<T>> {
                check_loop(&self, on)?;
                Ok(self)
            }
        }

        impl<T: Clone + 'static> EnsureFuture<T> for &$future<T> {
            type Future = $future<T>;

            fn ensure_future(self, on: &LoopRef) -> Result<$future<T>> {
                self.clone().ensure_future(on)
            }
        }
    };
}

ensured!(LoopFuture);
ensured!(Task);
