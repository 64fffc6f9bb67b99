//! [`Handle`] and [`TimerHandle`]: a callback that was scheduled, runs at most once, and can
//! be cancelled until it does.

use alloc::borrow::ToOwned;
use alloc::rc::Rc;
use alloc::string::String;
use core::any::type_name;
use core::cell::Cell;
use core::fmt;
use core::time::Duration;

use super::clock::{self, Nanos};
use super::exceptions::ExceptionContext;
use super::loop_ref::LoopRef;
use super::schedule_hash::Mark;
use super::timer_wheel::TimerKey;
use crate::error::Result;
use crate::panics;

/// What stands in the ready queue. It is on the queue as often as it has something to do, and
/// knows by itself what is next.
pub(crate) trait Job {
    fn run(self: Rc<Self>, on: &LoopRef);

    /// The loop closes: lets go of what will not run.
    fn discard(&self) {}

    /// What it does next, for those who compare runs.
    fn mark(&self) -> Mark {
        Mark::Call
    }

    /// What a timeline calls it, which is to be short, and the same each time.
    #[cfg(feature = "trace")]
    fn title(&self) -> String {
        self.describe()
    }

    /// What debug mode calls it.
    fn describe(&self) -> String;
}

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
        let handle = describe();
        let mut context = ExceptionContext::new("Exception in callback ".to_owned() + &handle);
        context.exception = Some(error);
        context.handle = Some(handle);
        on.call_exception_handler(&context);
    }
}

/// Drops what belongs to the user: a panic out of it goes to the exception handler.
pub(crate) fn drop_quietly<T>(on: &LoopRef, value: T) {
    run_callback(on, || "<drop of ".to_owned() + type_name::<T>() + ">", || drop(value));
}

/// A callback in one allocation with what its handle needs.
pub(crate) struct Call<F> {
    /// Gone once it runs or is cancelled; so are its captures.
    callback: Cell<Option<F>>,
    cancelled: Cell<bool>,
}

impl<F: FnOnce() -> R + 'static, R: CallbackOutput> Call<F> {
    pub(crate) fn new(callback: F) -> Rc<Call<F>> {
        Rc::new(Call { callback: Cell::new(Some(callback)), cancelled: Cell::new(false) })
    }
}

impl<F: FnOnce() -> R + 'static, R: CallbackOutput> Job for Call<F> {
    fn run(self: Rc<Self>, on: &LoopRef) {
        if let Some(callback) = self.callback.take() {
            run_callback(on, || self.describe(), callback);
        }
    }

    fn discard(&self) {
        drop(self.callback.take());
    }

    fn describe(&self) -> String {
        "<Handle ".to_owned() + type_name::<F>() + ">"
    }
}

/// The half of a [`Call`] that its handle sees.
trait Cancel {
    fn cancel(&self);
    fn cancelled(&self) -> bool;
    fn name(&self) -> &'static str;
}

impl<F> Cancel for Call<F> {
    fn cancel(&self) {
        self.cancelled.set(true);
        drop(self.callback.take());
    }

    fn cancelled(&self) -> bool {
        self.cancelled.get()
    }

    fn name(&self) -> &'static str {
        type_name::<F>()
    }
}

/// A scheduled callback, from [`call_soon`](LoopRef::call_soon): asyncio's `Handle`.
///
/// Dropping it changes nothing: the callback runs all the same.
#[derive(Clone)]
pub struct Handle(Rc<dyn Cancel>);

impl Handle {
    pub(crate) fn new<F: 'static>(call: Rc<Call<F>>) -> Handle {
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
    handle: Handle,
    on: LoopRef,
    key: TimerKey,
    when: Nanos,
}

impl TimerHandle {
    pub(crate) fn new(handle: Handle, on: LoopRef, key: TimerKey, when: Nanos) -> TimerHandle {
        TimerHandle { handle, on, key, when }
    }

    /// Keeps the callback from running, also when it is due and waits for its turn, and drops
    /// it at once. Does nothing once it has run, or the second time.
    pub fn cancel(&self) {
        let timer = self.on.forget_timer(self.key);
        self.handle.cancel();
        drop(timer);
    }

    /// Whether [`cancel`](TimerHandle::cancel) was called.
    #[must_use]
    pub fn cancelled(&self) -> bool {
        self.handle.cancelled()
    }

    /// The loop time at which the callback is due.
    #[must_use]
    pub fn when(&self) -> Duration {
        clock::duration(self.when)
    }
}

impl fmt::Debug for TimerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cancelled = if self.cancelled() { " cancelled" } else { "" };
        write!(f, "<TimerHandle{cancelled} when={:?} {}>", self.when(), self.handle.0.name())
    }
}
