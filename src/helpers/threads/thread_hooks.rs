//! [`ThreadHooks`]: a program's hooks for the threads of a
//! [`ThreadToAsyncQueue`](super::ThreadToAsyncQueue).

use crate::Result;

/// The hooks of a [`ThreadToAsyncQueue`](super::ThreadToAsyncQueue) and its threads: the
/// methods that a subclass of `hp.ThreadToAsyncQueue` would have.
///
/// One value of it is shared by all the threads. A panic in any of its methods is caught and
/// is an error of kind [`Panic`](crate::ErrorKind::Panic).
///
/// ```
/// use callsoon::{Result, helpers as hp};
///
/// /// Each thread counts what it has done.
/// struct Counting;
///
/// impl hp::ThreadHooks for Counting {
///     type Args = u64;
///
///     fn create_args(&self, _thread_number: usize, existing: Option<u64>) -> Result<u64> {
///         Ok(existing.map_or(0, |done| done + 1))
///     }
/// }
/// ```
pub trait ThreadHooks: Send + Sync + 'static {
    /// The arguments of a request, beside what it brought along: a connection, a cache. It is
    /// made, used and dropped on its thread, and needn't be `Send`.
    type Args: 'static;

    /// Called once on each thread when it starts, without `existing`, and before each request
    /// with what it returned last: to go on with that, return it; else drop it and return
    /// another. `thread_number` counts from zero.
    ///
    /// # Errors
    ///
    /// At the start, `start` fails with it. Later the request that was to run does; what was
    /// `existing` is gone by then, and the next request makes its own.
    fn create_args(&self, thread_number: usize, existing: Option<Self::Args>)
    -> Result<Self::Args>;

    /// Runs `request` on its thread, and returns its outcome for the code that made the request.
    ///
    /// # Errors
    ///
    /// The request's.
    fn wrap_request<R>(
        &self,
        request: impl FnOnce(&mut Self::Args) -> Result<R>,
        args: &mut Self::Args,
    ) -> Result<R> {
        request(args)
    }

    /// Called once on the loop's thread when the queue is made.
    ///
    /// # Errors
    ///
    /// The queue is then not made.
    fn setup(&mut self) -> Result<()> {
        Ok(())
    }
}

/// Threads that need nothing: a request is given `()`.
impl ThreadHooks for () {
    type Args = ();

    fn create_args(&self, _thread_number: usize, _existing: Option<()>) -> Result<()> {
        Ok(())
    }
}
