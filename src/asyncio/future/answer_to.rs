//! [`LoopRef::answer_to`]: a future that another thread completes.

use super::loop_future::LoopFuture;
use crate::error::Result;
use crate::event_loop::{Answer, LoopRef};

impl LoopRef {
    /// The [`Answer`] that settles `future`, from whatever thread it is given: a value is its
    /// result, an error its exception, a cancellation, or an answer that is dropped, cancels
    /// it. A future that is done by then stays as it is, and what comes is dropped.
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed) after the loop has closed.
    ///
    /// ```
    /// use callsoon::{run, running_loop};
    ///
    /// run(async {
    ///     let on = running_loop()?;
    ///     let future = on.create_future();
    ///     let answer = on.answer_to(&future)?;
    ///     std::thread::spawn(move || answer.give(Ok(6 * 7)));
    ///     assert_eq!(future.await?, 42);
    ///     Ok(())
    /// }).unwrap();
    /// ```
    pub fn answer_to<T: Send + 'static>(&self, future: &LoopFuture<T>) -> Result<Answer<T>> {
        future.answer_on(self)
    }
}
