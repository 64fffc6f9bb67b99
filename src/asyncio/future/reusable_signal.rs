//! [`ReusableSignal`]: a signal for a task that waits again and again.

use core::cell::Cell;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use crate::asyncio::core::{TaskRegistry, TaskWait, WaitHandle, WaitReason, with_running};
use crate::collections::CellExt;
use crate::error::Result;

/// One wait after the other. One that needs a block takes that of the one before, unless something still
/// has it.
#[derive(Default)]
pub(crate) struct ReusableSignal(Cell<Option<WaitHandle>>);

impl ReusableSignal {
    /// Waits until it is completed. The wait begins with its first poll, in the place of one that was begun
    /// before.
    ///
    /// # Errors
    ///
    /// The cancellation; [`Runtime`](crate::ErrorKind::Runtime) where no loop runs.
    #[inline]
    pub(crate) fn wait(&self) -> SignalWait<'_, fn()> {
        self.wait_with(|| ())
    }

    /// Waits as [`wait`](ReusableSignal::wait) does; `arrange` is called when the wait has begun.
    ///
    /// # Errors
    ///
    /// As [`wait`](ReusableSignal::wait).
    #[inline]
    pub(crate) fn wait_with<F: FnOnce() + Unpin>(&self, arrange: F) -> SignalWait<'_, F> {
        SignalWait { signal: self, arrange: Some(arrange), wait: None }
    }

    /// Waits, for no signal, until its turn has come in the ready queue, and then for the task's own: as for
    /// a future that is done already, and calls back.
    ///
    /// # Errors
    ///
    /// As [`wait`](ReusableSignal::wait).
    #[inline]
    pub(crate) fn wait_in_turn() -> TurnWait {
        TurnWait(None)
    }

    #[inline]
    fn begin(&self, place: &mut Option<TaskWait>, waker: &Waker) -> Result<()> {
        with_running(
            #[inline(always)]
            |registry| TaskWait::begin(place, &self.0, registry, waker, WaitReason::Wait),
        )
    }

    /// Completes the wait that goes on, if one does.
    #[inline]
    pub(crate) fn complete(&self) {
        self.0.with(|handle| handle.as_ref().is_some_and(WaitHandle::complete));
    }

    /// Completes this wait, and none after it, when its turn comes in the ready queue.
    pub(crate) fn complete_soon(&self) {
        self.0.with(|handle| {
            if let Some(handle) = handle {
                handle.complete_soon();
            }
        });
    }
}

/// The wait of [`ReusableSignal::wait_in_turn`], once it has begun.
pub(crate) struct TurnWait(Option<TaskWait>);

impl Future for TurnWait {
    type Output = Result<()>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if let Some(wait) = &mut self.0 {
            return wait.poll(cx.waker(), |_, _| ());
        }
        let begin = |registry: &TaskRegistry| TaskWait::begin_in_turn(registry, cx.waker());
        self.0.insert(with_running(begin)?).poll_first(cx.waker())
    }
}

/// A wait for a [`ReusableSignal`].
pub(crate) struct SignalWait<'a, F> {
    signal: &'a ReusableSignal,
    /// None once it has begun.
    arrange: Option<F>,
    wait: Option<TaskWait>,
}

impl<F: FnOnce() + Unpin> Future for SignalWait<'_, F> {
    type Output = Result<()>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let SignalWait { signal, arrange, wait } = &mut *self;
        if let Some(wait) = wait {
            return wait.poll(cx.waker(), |before, handle| {
                WaitHandle::move_in(&signal.0, before, handle);
            });
        }
        signal.begin(wait, cx.waker())?;
        if let Some(arrange) = arrange.take() {
            arrange();
        }
        wait.as_ref().map_or(Poll::Pending, |wait| wait.poll_first(cx.waker()))
    }
}

impl<F> Drop for SignalWait<'_, F> {
    #[inline]
    fn drop(&mut self) {
        if let Some(wait) = &self.wait {
            WaitHandle::leave_wait(&self.signal.0, wait);
        }
    }
}
