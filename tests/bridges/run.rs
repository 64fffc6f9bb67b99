//! Runs a loop for these tests, and polls.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use callsoon::bridges::{Items, Next};
use callsoon::{EventLoop, Result, run_on};
use futures_core::Stream;

/// Runs `main` as `callsoon::run` does, on a new loop with virtual time.
pub(crate) fn run<T: Clone + 'static>(main: impl Future<Output = Result<T>> + 'static) -> T {
    run_on(&EventLoop::with_virtual_time(), main).unwrap()
}

/// Yields until all that is ready, or becomes ready by that, has run.
pub(crate) async fn settle() -> Result<()> {
    callsoon::sleep(std::time::Duration::from_nanos(1)).await
}

pub(crate) async fn next<S: Next + 'static>(items: &mut Items<S>) -> Option<Result<S::Item>> {
    poll_fn(|cx| Pin::new(&mut *items).poll_next(cx)).await
}

/// Polls `items` once, with the waker of the task that this runs in.
pub(crate) async fn poll_once<S: Next + 'static>(
    items: &mut Items<S>,
) -> Poll<Option<Result<S::Item>>> {
    poll_fn(|cx| Poll::Ready(Pin::new(&mut *items).poll_next(cx))).await
}
