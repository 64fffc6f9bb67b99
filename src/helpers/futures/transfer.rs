//! [`transfer_result`]: a done callback that completes another future with the same outcome.

use alloc::rc::Rc;
use core::fmt;

use crate::{AnyFuture, Callback, Error, ErrorKind, FutureLike, Result};

/// The function of [`TransferOptions`]: it receives the future that is done, and the one to complete.
pub type Process<T> = Rc<dyn Fn(&dyn FutureLike<T>, &dyn FutureLike<T>)>;

/// The keyword arguments of `hp.transfer_result`, with its defaults.
pub struct TransferOptions<T> {
    /// Leaves a result where it is.
    pub errors_only: bool,
    /// Called after a result, also with `errors_only`.
    pub process: Option<Process<T>>,
}

impl<T> Default for TransferOptions<T> {
    fn default() -> Self {
        TransferOptions { errors_only: false, process: None }
    }
}

impl<T> fmt::Debug for TransferOptions<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransferOptions")
            .field("errors_only", &self.errors_only)
            .finish_non_exhaustive()
    }
}

/// A done callback that completes `to` with the outcome of its own future: `hp.transfer_result`.
///
/// A cancellation cancels `to`; an exception becomes that of `to`; a result its result. A `to` that
/// is done stays as it is.
///
/// ```
/// use callsoon::{EventLoop, helpers as hp, run_on};
///
/// run_on(&EventLoop::with_virtual_time(), async {
///     let answer = hp::create_future::<u8>();
///     let task = hp::async_as_background(async { Ok(2_u8) });
///     task.add_done_callback(hp::transfer_result(&answer));
///     assert_eq!(answer.await?, 2);
///     Ok(())
/// }).unwrap();
/// ```
///
/// The callback goes on a future of `T`. With a result of another type it does nothing but return a
/// [`Type`](crate::ErrorKind::Type) error, which the loop's exception handler is told.
pub fn transfer_result<T: Clone + 'static>(to: &dyn FutureLike<T>) -> Callback {
    transfer_result_with(to, TransferOptions::default())
}

/// Like [`transfer_result`], with options: `hp.transfer_result(to, errors_only=..., process=...)`.
pub fn transfer_result_with<T: Clone + 'static>(
    to: &dyn FutureLike<T>,
    options: TransferOptions<T>,
) -> Callback {
    let TransferOptions { errors_only, process } = options;
    let to = to.to_future_like();
    Callback::new(move |done: &dyn AnyFuture| -> Result<()> {
        if done.cancelled() {
            to.cancel();
            return Ok(());
        }
        let exception = done.exception()?;
        if to.done() {
            return Ok(());
        }
        if let Some(error) = exception {
            return to.set_exception(error);
        }
        if errors_only && process.is_none() {
            return Ok(());
        }
        let Some(done) = done.downcast_ref::<T>() else {
            let message = "a result can't be transferred between futures of different types";
            return Err(Error::new(ErrorKind::Type, message));
        };
        if !errors_only {
            to.set_result(done.result()?)?;
        }
        if let Some(process) = &process {
            process(done, &*to);
        }
        Ok(())
    })
}
