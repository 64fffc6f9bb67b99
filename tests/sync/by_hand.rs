//! Futures polled, raced and dropped by hand, and tasks that say how theirs ended.

use std::fmt::Debug;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

use callsoon::{EventLoop, Result, Task, create_task, run_on, yield_now};

use crate::support::trace::Trace;

/// Runs `main` on a new loop with virtual time.
pub(crate) fn run<T: Clone + 'static>(main: impl Future<Output = Result<T>> + 'static) -> T {
    run_on(&EventLoop::with_virtual_time(), main).expect("the test's main ends well")
}

/// A task that awaits `what` and writes down how that ended: `NAME: Ok(..)`.
pub(crate) fn says<T: Debug>(
    trace: &Trace,
    name: &str,
    what: impl Future<Output = Result<T>> + 'static,
) -> Task<()> {
    let (trace, name) = (trace.clone(), name.to_owned());
    create_task(async move {
        let outcome = what.await;
        trace.push(format_args!("{name}: {outcome:?}"));
        Ok(())
    })
}

/// Lets so many turns go by.
pub(crate) async fn turns(count: usize) -> Result<()> {
    for _ in 0..count {
        yield_now().await?;
    }
    Ok(())
}

/// Polls once, as the task that this stands in.
pub(crate) async fn poll_once<F: Future + ?Sized>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

/// Returns true if `future` ends well without yielding.
pub(crate) async fn at_once(future: impl Future<Output = Result<()>>) -> bool {
    matches!(poll_once(pin!(future)).await, Poll::Ready(Ok(())))
}

/// Returns what `future` ends with, or none if `limit` ends first. Then, and where `limit` is
/// cancelled, `future` is dropped.
pub(crate) async fn unless<T>(
    future: impl Future<Output = Result<T>>,
    limit: impl Future<Output = Result<()>>,
) -> Result<Option<T>> {
    let (mut future, mut limit) = (pin!(future), pin!(limit));
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(output.map(Some)),
        Poll::Pending => limit.as_mut().poll(cx).map_ok(|()| None),
    })
    .await
}
