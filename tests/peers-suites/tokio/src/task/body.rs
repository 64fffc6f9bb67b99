//! [`Body`]: the future of a task.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use super::JoinError;
use super::join_handle::Outcome;
use crate::runtime::Inner;

/// Runs a future of any output. A cancelled task drops it, as tokio does, instead of polling it again.
pub(super) struct Body<F: Future> {
    future: Option<Pin<Box<F>>>,
    outcome: Arc<Outcome<F::Output>>,
    runtime: Arc<Inner>,
    is_polled: bool,
}

impl<F: Future> Unpin for Body<F> {}

impl<F: Future> Body<F> {
    pub(super) fn new(future: F, outcome: Arc<Outcome<F::Output>>, runtime: Arc<Inner>) -> Body<F> {
        runtime.alive.fetch_add(1, Ordering::SeqCst);
        Body { future: Some(Box::pin(future)), outcome, runtime, is_polled: false }
    }
}

impl<F: Future> Future for Body<F> {
    type Output = callsoon::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let id = this.outcome.control.id;
        // A panic here goes to the loop, and from there to the handle: see `spawn`.
        this.is_polled = true;
        let polled = id.within(|| {
            if this.outcome.control.state.lock().unwrap().is_aborted {
                this.future = None;
                return Poll::Ready(Err(callsoon::Error::cancelled()));
            }
            let dropped = DropPanicked(&mut this.future);
            let future = dropped.0.as_mut().expect("it is polled until it is ready");
            let polled = future.as_mut().poll(cx);
            let output = std::task::ready!(polled);
            *dropped.0 = None;
            Poll::Ready(Ok(output))
        });
        this.is_polled = false;
        match polled {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(output)) => {
                this.outcome.complete(Ok(output));
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => {
                this.outcome.complete(Err(JoinError::cancelled(id)));
                Poll::Ready(Err(error))
            }
        }
    }
}

/// Drops a future that panics while the panic unwinds, as tokio does.
struct DropPanicked<'a, F>(&'a mut Option<F>);

impl<F> Drop for DropPanicked<'_, F> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            *self.0 = None;
        }
    }
}

impl<F: Future> Drop for Body<F> {
    fn drop(&mut self) {
        self.runtime.alive.fetch_sub(1, Ordering::SeqCst);
        let id = self.outcome.control.id;
        let future = self.future.take();
        let dropped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            id.within(|| drop(future));
        }));
        if let Err(payload) = dropped {
            self.outcome.complete(Err(JoinError::panicked(id, payload)));
        } else if !self.is_polled {
            self.outcome.complete(Err(JoinError::cancelled(id)));
        }
    }
}
