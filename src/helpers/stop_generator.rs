//! [`stop_async_generator`]: throws an error into an async generator, and closes it.

use crate::{AsyncGenerator, Error, ErrorKind, Result};

/// Throws `exc` (without one, a cancellation) into `generator`, requests one more value with `provide`,
/// and closes it, whatever the outcome: `hp.stop_async_generator`.
///
/// That the generator ends on its way is what is wanted, and no error.
///
/// ```
/// use callsoon::{EventLoop, generator, helpers as hp, run_on};
///
/// run_on(&EventLoop::with_virtual_time(), async {
///     let numbers = generator(async |y| {
///         y.give(1).await?;
///         y.give(2).await.map(drop)
///     });
///     assert_eq!(numbers.next().await?, Some(1));
///     let stopped = hp::stop_async_generator(&numbers, None, None).await;
///     assert!(stopped.unwrap_err().is_cancelled()); // the body lets it through
///     assert_eq!(numbers.next().await?, None);
///     Ok(())
/// }).unwrap();
/// ```
///
/// # Errors
///
/// `exc` itself, if the generator lets it through; what else its body fails with.
///
/// # Cancellation
///
/// The cancellation is thrown into the generator's body, and the generator is closed.
pub async fn stop_async_generator<Y: 'static, S: 'static>(
    generator: &AsyncGenerator<Y, S>,
    provide: Option<S>,
    exc: Option<Error>,
) -> Result<()> {
    let stopped = throw_and_resume(generator, provide, exc.unwrap_or(Error::cancelled())).await;
    generator.aclose().await?;
    stopped
}

async fn throw_and_resume<Y: 'static, S: 'static>(
    generator: &AsyncGenerator<Y, S>,
    provide: Option<S>,
    exc: Error,
) -> Result<()> {
    unless_over(generator.athrow(exc).await.map(drop))?;
    unless_over(generator.asend(provide).await.map(drop))
}

fn unless_over(step: Result<()>) -> Result<()> {
    match step {
        Err(error) if error.kind() == ErrorKind::StopAsyncIteration => Ok(()),
        step => step,
    }
}
