//! [`Handle`] and [`TimerHandle`]: a callback that was scheduled, runs at most once, and can
//! be cancelled until it does.

use alloc::borrow::ToOwned;
use alloc::string::String;
use core::any::type_name;
use core::fmt;
use core::time::Duration;

use super::exceptions::ExceptionContext;
use super::loop_ref::LoopRef;
use super::scheduled_call::ScheduledCall;
use crate::error::{Error, Result};
use crate::panics;

/// What a callback may return: nothing, or a `Result<(), Error>` whose error goes to the
/// loop's exception handler, as an exception out of a Python callback does.
pub trait CallbackOutput {
    /// The outcome as a result.
    ///
    /// # Errors
    ///
    /// The callback's own.
    fn into_result(self) -> Result<()>;
}

impl CallbackOutput for () {
    fn into_result(self) -> Result<()> {
        Ok(())
    }
}

impl CallbackOutput for Result<()> {
    fn into_result(self) -> Result<()> {
        self
    }
}

/// Runs `callback`; its error or panic goes to the loop's exception handler and no further.
pub(crate) fn run_callback<R: CallbackOutput>(
    on: &LoopRef,
    describe: impl FnOnce() -> String,
    callback: impl FnOnce() -> R,
) {
    if let Err(error) = panics::caught(|| callback().into_result()).and_then(|result| result) {
        report_callback(on, describe(), error);
    }
}

/// Gives the error or panic of a callback to the loop's exception handler.
#[cold]
pub(super) fn report_callback(on: &LoopRef, handle: String, error: Error) {
    let mut context = ExceptionContext::new("Exception in callback ".to_owned() + &handle);
    context.exception = Some(error);
    context.handle = Some(handle);
    on.call_exception_handler(&context);
}

/// Drops what belongs to the user: a panic out of it goes to the exception handler.
pub(crate) fn drop_quietly<T>(on: &LoopRef, value: T) {
    run_callback(on, || "<drop of ".to_owned() + type_name::<T>() + ">", || drop(value));
}

/// A scheduled callback, from [`call_soon`](LoopRef::call_soon): asyncio's `Handle`.
///
/// Dropping it changes nothing: the callback runs all the same.
#[derive(Clone)]
pub struct Handle(ScheduledCall);

impl Handle {
    #[inline]
    pub(super) fn new(call: ScheduledCall) -> Handle {
        Handle(call)
    }

    /// Keeps the callback from running and drops it, with all that it captured, at once.
    /// Does nothing once it has run, or the second time.
    pub fn cancel(&self) {
        self.0.cancel();
    }

    /// Whether [`cancel`](Handle::cancel) was called.
    #[must_use]
    pub fn cancelled(&self) -> bool {
        self.0.cancelled()
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cancelled = if self.cancelled() { " cancelled" } else { "" };
        write!(f, "<Handle{cancelled} {}>", self.0.name())
    }
}

/// A callback scheduled for a time, from [`call_later`](LoopRef::call_later) and
/// [`call_at`](LoopRef::call_at): asyncio's `TimerHandle`.
///
/// Dropping it changes nothing: the callback runs all the same.
#[derive(Clone)]
pub struct TimerHandle {
    call: ScheduledCall,
    when: Duration,
}

impl TimerHandle {
    #[inline]
    pub(super) fn new(call: ScheduledCall, when: Duration) -> TimerHandle {
        TimerHandle { call, when }
    }

    /// Keeps the callback from running, also when it is due and waits for its turn, and drops
    /// it at once. Does nothing once it has run, or the second time.
    pub fn cancel(&self) {
        self.call.cancel();
    }

    /// Whether [`cancel`](TimerHandle::cancel) was called.
    #[must_use]
    pub fn cancelled(&self) -> bool {
        self.call.cancelled()
    }

    /// The loop time at which the callback is due, as [`call_at`](LoopRef::call_at) was given it.
    #[must_use]
    pub fn when(&self) -> Duration {
        self.when
    }
}

impl fmt::Debug for TimerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cancelled = if self.cancelled() { " cancelled" } else { "" };
        write!(f, "<TimerHandle{cancelled} when={:?} {}>", self.when(), self.call.name())
    }
}
