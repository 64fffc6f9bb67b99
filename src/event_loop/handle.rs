//! [`Handle`] and [`TimerHandle`]: a callback that was scheduled, runs at most once, and can
//! be cancelled until it does.

use alloc::borrow::ToOwned;
use alloc::rc::Rc;
use alloc::string::String;
use core::any::type_name;
use core::cell::Cell;
use core::fmt;
use core::time::Duration;

use super::exception_handler::{CallbackOutput, run_callback};
use super::job::{Job, JobCell};
use super::loop_ref::LoopRef;
use crate::collections::TimerKey;
use crate::error::Result;
use crate::flat_drops::drop_on_thread;

impl LoopRef {
    /// Has `callback` run in the loop's next turn, after all that is scheduled already:
    /// asyncio's `call_soon`. An error that it returns, or a panic in it, goes to the
    /// [exception handler](LoopRef::set_exception_handler).
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed) after the loop has closed.
    ///
    /// ```
    /// # use callsoon::EventLoop;
    /// let event_loop = EventLoop::with_virtual_time();
    /// event_loop.call_soon(|| println!("hello"))?;
    /// let other = event_loop.call_soon(|| println!("never seen"))?;
    /// other.cancel();
    /// assert_eq!(event_loop.run_once(None)?, 2);
    /// # Ok::<(), callsoon::Error>(())
    /// ```
    pub fn call_soon<R: CallbackOutput + 'static>(
        &self,
        callback: impl FnOnce() -> R + 'static,
    ) -> Result<Handle> {
        self.check_open()?;
        let call = Call::soon(callback);
        self.schedule(call.clone());
        Ok(Handle::new(call))
    }

    /// Has `callback` run when `delay` has passed; without delay, after all that is ready in
    /// the next turn: asyncio's `call_later`. Callbacks due at one time run in the order in
    /// which they were made. A delay by which the clock would pass 584 years is never over; where
    /// nothing else is left, a loop with virtual time is [`Stalled`](crate::ErrorKind::Stalled) then.
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed) after the loop has closed.
    pub fn call_later<R: CallbackOutput + 'static>(
        &self,
        delay: Duration,
        callback: impl FnOnce() -> R + 'static,
    ) -> Result<TimerHandle> {
        self.call_at(self.time().saturating_add(delay), callback)
    }

    /// Has `callback` run at `when`, on the clock of [`time`](LoopRef::time): asyncio's
    /// `call_at`. A time in the past is due at once, and one beyond 584 years never.
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed) after the loop has closed.
    pub fn call_at<R: CallbackOutput + 'static>(
        &self,
        when: Duration,
        callback: impl FnOnce() -> R + 'static,
    ) -> Result<TimerHandle> {
        let call = Call::timed(callback);
        let key = self.add_timer_at(when, call.clone())?;
        Ok(TimerHandle::new(call, self.clone(), key, when))
    }
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
