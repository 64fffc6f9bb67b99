//! [`FutureLike`]: the common methods of futures and tasks of a known value type.

use alloc::rc::Rc;

use crate::asyncio::core::{AnyFuture, Await};
use crate::error::{Error, ErrorKind, Result};
use crate::event_loop::LoopRef;

/// The common methods of futures and tasks with a result of type `T`.
pub trait FutureLike<T: Clone + 'static>: AnyFuture {
    /// Its result.
    ///
    /// # Errors
    ///
    /// Its exception, or the cancellation error; while it is pending
    /// [`InvalidState`](crate::ErrorKind::InvalidState).
    fn result(&self) -> Result<T>;

    /// Makes `value` its result.
    ///
    /// # Errors
    ///
    /// [`InvalidState`](crate::ErrorKind::InvalidState) if it is done;
    /// [`Runtime`](crate::ErrorKind::Runtime) for a task.
    fn set_result(&self, value: T) -> Result<()>;

    /// Returns the wait of its `.await`: for its result, once it is done. Where it stands on another
    /// future, that is chosen now.
    fn wait(&self) -> Await<T>;

    /// The same future, owned, as a future of `T`.
    fn to_future_like(&self) -> Rc<dyn FutureLike<T>>;
}

/// Checks that `future` belongs to `on`.
///
/// # Errors
///
/// [`Value`](ErrorKind::Value) if it doesn't.
pub(crate) fn check_loop(future: &(impl AnyFuture + ?Sized), on: &LoopRef) -> Result<()> {
    let belongs = match future.erased() {
        Some(erased) => erased.event_loop().ptr_eq(on),
        None => future.get_loop().ptr_eq(on),
    };
    if belongs {
        return Ok(());
    }
    let message = "The future belongs to a different loop than the one specified as the loop \
                   argument";
    Err(Error::new(ErrorKind::Value, message))
}
