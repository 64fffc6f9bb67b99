//! [`LoopExecutor`]: hyper's background work as tasks of the loop.

use core::future::Future;

use hyper::rt::Executor;

use crate::asyncio::create_task;

/// Starts hyper's background work as tasks of the running loop.
///
/// hyper asks for one with HTTP/2 only; a connection of HTTP/1 is one future.
///
/// # Panics
///
/// [`execute`](Executor::execute) does where no loop runs: it can return no error, and the work
/// would be lost.
///
/// # Cancellation
///
/// The task has no handle: it ends by itself, or is cancelled with all others at the end of
/// [`run`](crate::run).
#[derive(Clone, Copy, Debug, Default)]
pub struct LoopExecutor;

impl<F: Future + 'static> Executor<F> for LoopExecutor {
    #[track_caller]
    fn execute(&self, work: F) {
        create_task(async move {
            drop(work.await);
            Ok(())
        });
    }
}
