//! [`Catch`]: Python's `except`.

use super::kind::ErrorKind;
use super::repr::Result;

/// Catches errors as Python's `except Exception` does: cancellations pass.
///
/// `Err(_)` catches a cancellation too. A task that goes on after one, as in a loop that tries again,
/// can't be cancelled. With [`catch`](Catch::catch) the `?` behind it passes a cancellation on:
///
/// ```
/// use std::time::Duration;
/// use callsoon::{Catch, Error, ErrorKind, EventLoop, create_task, run_on, sleep, yield_now};
///
/// async fn fetch(attempt: u32) -> callsoon::Result<&'static str> {
///     sleep(Duration::from_secs(1)).await?;
///     if attempt < 3 { Err(Error::new(ErrorKind::Io, "refused")) } else { Ok("page") }
/// }
///
/// async fn retry() -> callsoon::Result<&'static str> {
///     let mut attempt = 1;
///     loop {
///         match fetch(attempt).await.catch()? {
///             Ok(page) => return Ok(page),
///             Err(error) => println!("{error}, once more"),
///         }
///         attempt += 1;
///     }
/// }
///
/// run_on(&EventLoop::with_virtual_time(), async {
///     assert_eq!(retry().await?, "page");
///     let task = create_task(retry());
///     yield_now().await?;
///     task.cancel();
///     assert!(task.await.unwrap_err().is_cancelled());
///     Ok(())
/// }).unwrap();
/// ```
pub trait Catch<T> {
    /// Returns what was caught, or the value, in an `Ok`.
    ///
    /// # Errors
    ///
    /// An error that is no [exception](crate::Error::is_exception).
    fn catch(self) -> Result<Result<T>>;

    /// Returns an error of `kind`, or the value, in an `Ok`: Python's `except TimeoutError`.
    ///
    /// # Errors
    ///
    /// An error of another kind.
    ///
    /// ```
    /// use std::time::Duration;
    /// use callsoon::{Catch, ErrorKind, EventLoop, run_on, sleep, timeout};
    ///
    /// run_on(&EventLoop::with_virtual_time(), async {
    ///     let slow = timeout(Duration::from_secs(1), async |_| sleep(Duration::MAX).await);
    ///     if slow.await.catch_kind(ErrorKind::Timeout)?.is_err() {
    ///         println!("out of time");
    ///     }
    ///     Ok(())
    /// }).unwrap();
    /// ```
    fn catch_kind(self, kind: ErrorKind) -> Result<Result<T>>;
}

impl<T> Catch<T> for Result<T> {
    fn catch(self) -> Result<Result<T>> {
        match self {
            Err(error) if !error.is_exception() => Err(error),
            outcome => Ok(outcome),
        }
    }

    fn catch_kind(self, kind: ErrorKind) -> Result<Result<T>> {
        match self {
            Err(error) if error.kind() != kind => Err(error),
            outcome => Ok(outcome),
        }
    }
}
