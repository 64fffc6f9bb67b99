//! [`Handle`] and [`TimerHandle`]: a callback that was scheduled, runs at most once, and can
//! be cancelled until it does.

use alloc::borrow::ToOwned;
use alloc::rc::Rc;
use alloc::string::String;
use core::any::type_name;
use core::cell::Cell;
use core::fmt;
use core::time::Duration;

use super::entry::{Job, JobCell};
use super::exceptions::ExceptionContext;
use super::loop_ref::LoopRef;
use super::timer_key::TimerKey;
use crate::error::Result;
use crate::flat_drops::drop_on_thread;
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

/// A callback in one allocation with what its handle needs, which is an `S`.
pub(crate) struct Call<F, S> {
    /// Gone once it runs or is cancelled; so are its captures.
    callback: Cell<Option<F>>,
    state: S,
}

/// What the handle of a callback needs that runs soon.
pub(crate) struct Soon {
    cancelled: Cell<bool>,
}

/// What the handle of a timer needs.
pub(crate) struct Timed {
    /// `None` once it was cancelled.
    key: Cell<Option<TimerKey>>,
}

impl<F: FnOnce() -> R + 'static, R: CallbackOutput + 'static> Call<F, Soon> {
    pub(crate) fn soon(callback: F) -> Rc<JobCell<Call<F, Soon>>> {
        let state = Soon { cancelled: Cell::new(false) };
        JobCell::new(Call { callback: Cell::new(Some(callback)), state })
    }
}

impl<F: FnOnce() -> R + 'static, R: CallbackOutput + 'static> Call<F, Timed> {
    /// To be given its key by its handle.
    pub(crate) fn timed(callback: F) -> Rc<JobCell<Call<F, Timed>>> {
        let state = Timed { key: Cell::new(None) };
        JobCell::new(Call { callback: Cell::new(Some(callback)), state })
    }
}

impl<F: FnOnce() -> R + 'static, R: CallbackOutput + 'static, S: 'static> Job for Call<F, S> {
    fn run(this: Rc<JobCell<Self>>, on: &LoopRef) {
        if let Some(callback) = this.callback.take() {
            run_callback(on, || this.describe(), callback);
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

impl<F: 'static> Cancel for JobCell<Call<F, Soon>> {
    fn cancel(&self) {
        self.state.cancelled.set(true);
        // Its drop may cancel the next handle of a long chain; so it is with timers.
        drop_on_thread(self.callback.take());
    }

    fn cancelled(&self) -> bool {
        self.state.cancelled.get()
    }

    fn name(&self) -> &'static str {
        type_name::<F>()
    }
}

/// The half of a timer's [`Call`] that its handle sees.
trait CancelTimer {
    fn cancel(&self, on: &LoopRef);
    fn cancelled(&self) -> bool;
    fn name(&self) -> &'static str;
}

impl<F: 'static> CancelTimer for JobCell<Call<F, Timed>> {
    fn cancel(&self, on: &LoopRef) {
        if let Some(key) = self.state.key.take() {
            let timer = on.forget_timer(key);
            drop_on_thread(self.callback.take());
            drop(timer);
        }
    }

    fn cancelled(&self) -> bool {
        self.state.key.get().is_none()
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
    pub(crate) fn new<F: 'static>(call: Rc<JobCell<Call<F, Soon>>>) -> Handle {
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
    call: Rc<dyn CancelTimer>,
    on: LoopRef,
    when: Duration,
}

impl TimerHandle {
    pub(crate) fn new<F: 'static>(
        call: Rc<JobCell<Call<F, Timed>>>,
        on: LoopRef,
        key: TimerKey,
        when: Duration,
    ) -> TimerHandle {
        call.state.key.set(Some(key));
        TimerHandle { call, on, when }
    }

    /// Keeps the callback from running, also when it is due and waits for its turn, and drops
    /// it at once. Does nothing once it has run, or the second time.
    pub fn cancel(&self) {
        self.call.cancel(&self.on);
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
