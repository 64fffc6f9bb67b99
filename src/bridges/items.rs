//! [`stream`]: a source with a `next` of its own, as a `Stream`.

use alloc::boxed::Box;
use core::fmt;
use core::future::Future;
use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll};

use futures_core::stream::{FusedStream, Stream};

use crate::asyncio::{AsyncGenerator, Queue};
use crate::error::{ErrorKind, Result};
use crate::helpers::{ATicker, QueueIter, StreamIter, StreamResult, Tick};

/// A source with a `next` that can be awaited: Python's `__anext__`. [`stream`] makes a stream of it.
pub trait Next {
    /// The type of its items.
    type Item;

    /// The next item, or `None` at the end.
    ///
    /// # Errors
    ///
    /// Its own; the cancellation of the task that waits.
    fn next(&mut self) -> impl Future<Output = Result<Option<Self::Item>>>;
}

/// The items that are put in, until it is [shut down](Queue::shutdown) and empty.
impl<T: 'static> Next for Queue<T> {
    type Item = T;

    async fn next(&mut self) -> Result<Option<T>> {
        match self.get().await {
            Err(error) if error.kind() == ErrorKind::QueueShutDown => Ok(None),
            outcome => outcome.map(Some),
        }
    }
}

/// The values that the body yields. Nothing is sent to it.
impl<Y: 'static, S: 'static> Next for AsyncGenerator<Y, S> {
    type Item = Y;

    async fn next(&mut self) -> Result<Option<Y>> {
        AsyncGenerator::next(self).await
    }
}

/// The values of a [`helpers::Queue`](crate::helpers::Queue).
impl<T: 'static> Next for QueueIter<T> {
    type Item = T;

    async fn next(&mut self) -> Result<Option<T>> {
        QueueIter::next(self).await
    }
}

/// The results of a [`ResultStreamer`](crate::helpers::ResultStreamer).
impl<V: Clone + 'static, C: Clone + 'static> Next for StreamIter<V, C> {
    type Item = StreamResult<V, C>;

    async fn next(&mut self) -> Result<Option<StreamResult<V, C>>> {
        StreamIter::next(self).await
    }
}

/// The ticks, once it was [started](ATicker::start).
impl Next for ATicker {
    type Item = Tick;

    async fn next(&mut self) -> Result<Option<Tick>> {
        ATicker::next(self).await
    }
}

/// The items of `source`, as a stream of `Result`s: an `async for` over it.
///
/// `source` may be an asyncio [`Queue`], an [`AsyncGenerator`], an [`ATicker`], or the `iter()`
/// of a [`helpers::Queue`](crate::helpers::Queue) or a
/// [`ResultStreamer`](crate::helpers::ResultStreamer); or anything that is [`Next`].
///
/// Like an `async for`, it is over at the end and after the first error, and drops `source`
/// then. What can be cloned can be iterated again.
///
/// ```
/// use std::future::poll_fn;
/// use std::pin::Pin;
/// use callsoon::bridges::stream;
/// use futures_core::Stream;
///
/// callsoon::run(async {
///     let mut squares = stream(callsoon::generator(async |y| {
///         for n in 1..=3 {
///             callsoon::yield_now().await?;
///             y.give(n * n).await?;
///         }
///         Ok(())
///     }));
///     let mut seen = Vec::new();
///     // `StreamExt::next` of `futures-util` and others is this `poll_fn`.
///     while let Some(square) = poll_fn(|cx| Pin::new(&mut squares).poll_next(cx)).await {
///         seen.push(square?);
///     }
///     assert_eq!(seen, [1, 4, 9]);
///     Ok(())
/// }).unwrap();
/// ```
pub fn stream<S: Next + 'static>(source: S) -> Items<S> {
    Items(Stage::Idle(source))
}

/// The stream that [`stream`] makes.
///
/// # Cancellation
///
/// Cancelling the task that polls it has the wait of `source` end as without a stream: mostly,
/// the item is `Err(Cancelled)`, and it is the last. An async generator that goes on after it
/// does so here.
///
/// Between two polls the wait for an item goes on, so that an item which comes meanwhile (to the
/// loser of a select) is there at the next poll, and none is lost. Meanwhile
/// the wait is one of those that a cancellation of the task ends: see [the
/// module](crate::bridges). Dropping the stream drops the wait, as dropping `source`'s `next`
/// does.
#[must_use = "streams do nothing unless polled"]
pub struct Items<S: Next>(Stage<S>);

enum Stage<S: Next> {
    Idle(S),
    /// The source is inside of its `next`, and comes back with what that returns.
    Waiting(Pin<Box<dyn Future<Output = (S, Result<Option<S::Item>>)>>>),
    Over,
}

/// The source isn't pinned: while it has to be, it is in a box.
impl<S: Next> Unpin for Items<S> {}

impl<S: Next + 'static> Stream for Items<S> {
    type Item = Result<S::Item>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let stage = &mut self.get_mut().0;
        // It is over if the source panics, too.
        let mut next = match mem::replace(stage, Stage::Over) {
            Stage::Over => return Poll::Ready(None),
            Stage::Waiting(next) => next,
            Stage::Idle(mut source) => Box::pin(async move {
                let outcome = source.next().await;
                (source, outcome)
            }),
        };
        let Poll::Ready((source, outcome)) = next.as_mut().poll(cx) else {
            *stage = Stage::Waiting(next);
            return Poll::Pending;
        };
        if let Ok(Some(_)) = outcome {
            *stage = Stage::Idle(source);
        }
        Poll::Ready(outcome.transpose())
    }
}

impl<S: Next + 'static> FusedStream for Items<S> {
    fn is_terminated(&self) -> bool {
        matches!(self.0, Stage::Over)
    }
}

impl<S: Next> fmt::Debug for Items<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Stage::Idle(_) => "<Items idle>",
            Stage::Waiting(_) => "<Items waiting>",
            Stage::Over => "<Items over>",
        })
    }
}
