//! [`Handle`] and [`TimerHandle`]: a callback that was scheduled, runs at most once, and can
//! be cancelled until it does.

use core::fmt;
use core::time::Duration;

use super::calls::TimerIndex;
use super::clock::{NEVER, Nanos, duration, nanos};
#[cfg(feature = "events")]
use super::events::{LoopEvent, note_event};
use super::exception_handler::{CallbackOutput, report_callback};
use super::loop_ref::{Entry, LoopRef};
use super::scheduled_call::{NameOf, ScheduledCall, TimedCall};
#[cfg(feature = "contextvars")]
use crate::context::captured;
use crate::error::Result;

impl LoopRef {
    /// Has `callback` run in the loop's next turn, after all that is scheduled already:
    /// asyncio's `call_soon`. An error that it returns, or a panic in it, goes to the
    /// [exception handler](LoopRef::set_exception_handler).
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed) after the loop has closed;
    /// [`Runtime`](crate::ErrorKind::Runtime) where there is no memory for it.
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
        let name = NameOf::new(&callback);
        #[cfg(feature = "contextvars")]
        if let Some(context) = captured() {
            return self.schedule_call(name, context.bind(callback));
        }
        self.schedule_call(name, callback)
    }

    /// Schedules a callback of the crate's own. A loop that has closed drops it; where there is no
    /// memory for it, the exception handler is told. Returns true if it was scheduled.
    pub(crate) fn call_soon_or_report<R: CallbackOutput + 'static>(
        &self,
        callback: impl FnOnce() -> R + 'static,
    ) -> bool {
        let Err(error) = self.call_soon(callback) else { return true };
        if !self.is_closed() {
            report_callback(self, || "<callback of the loop's own>".into(), error);
        }
        false
    }

    #[inline(always)]
    fn schedule_call<R: CallbackOutput + 'static>(
        &self,
        name: NameOf<impl Sized + 'static>,
        callback: impl FnOnce() -> R + 'static,
    ) -> Result<Handle> {
        self.check_open()?;
        let (call, entry) = self.make_call(name, callback)?;
        #[cfg(feature = "events")]
        self.log_call(call.name(), &entry);
        self.schedule(entry);
        Ok(Handle::new(call))
    }

    /// Has `callback` run when `delay` has passed; without delay, after all that is ready in
    /// the next turn: asyncio's `call_later`. Callbacks due at one time run in the order in
    /// which they were made. A delay by which the clock would pass 584 years is never over; where
    /// nothing else is left, a loop with virtual time is [`Stalled`](crate::ErrorKind::Stalled) then.
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed) after the loop has closed;
    /// [`Runtime`](crate::ErrorKind::Runtime) where there is no memory for it.
    pub fn call_later<R: CallbackOutput + 'static>(
        &self,
        delay: Duration,
        callback: impl FnOnce() -> R + 'static,
    ) -> Result<TimerHandle> {
        let now = self.now();
        let when = now.saturating_add(nanos(delay));
        self.call_when(when, || duration(now).saturating_add(delay), callback)
    }

    /// Has `callback` run at `when`, on the clock of [`time`](LoopRef::time): asyncio's
    /// `call_at`. A time in the past is due at once, and one beyond 584 years never.
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed) after the loop has closed;
    /// [`Runtime`](crate::ErrorKind::Runtime) where there is no memory for it.
    pub fn call_at<R: CallbackOutput + 'static>(
        &self,
        when: Duration,
        callback: impl FnOnce() -> R + 'static,
    ) -> Result<TimerHandle> {
        self.call_when(nanos(when), || when, callback)
    }

    /// Has the timer that would run what is at `address` run `entry` in its place, if it is still in.
    /// Returns the entry that it had, for the caller to drop; or else `entry`.
    pub(crate) fn replace_timer(
        &self,
        timer: TimerIndex,
        address: *const (),
        entry: Entry,
    ) -> Result<Entry, Entry> {
        #[cfg(feature = "events")]
        let new = entry.address().addr();
        let (_when, before) = self.shared().calls.replace_timer(timer, address, entry)?;
        #[cfg(feature = "events")]
        note_event!(self, LoopEvent::TimerCancelled(address.addr(), false));
        #[cfg(feature = "events")]
        note_event!(self, LoopEvent::TimerMade(new, _when));
        Ok(before)
    }

    /// `exactly` is when, also where that is never.
    #[inline(always)]
    fn call_when<R: CallbackOutput + 'static>(
        &self,
        when: Nanos,
        exactly: impl FnOnce() -> Duration,
        callback: impl FnOnce() -> R + 'static,
    ) -> Result<TimerHandle> {
        let name = NameOf::new(&callback);
        #[cfg(feature = "contextvars")]
        if let Some(context) = captured() {
            return self.add_call(when, exactly, name, context.bind(callback));
        }
        self.add_call(when, exactly, name, callback)
    }

    #[inline(always)]
    fn add_call<R: CallbackOutput + 'static>(
        &self,
        when: Nanos,
        exactly: impl FnOnce() -> Duration,
        name: NameOf<impl Sized + 'static>,
        callback: impl FnOnce() -> R + 'static,
    ) -> Result<TimerHandle> {
        self.check_open()?;
        let call = self.make_timer(when, name, callback)?;
        #[cfg(feature = "events")]
        self.log_timer(call.name(), call.address(), when);
        if when == NEVER {
            call.set_far(exactly());
        }
        Ok(TimerHandle(call))
    }
}

/// A scheduled callback, from [`call_soon`](LoopRef::call_soon): asyncio's `Handle`.
///
/// Dropping it changes nothing: the callback runs all the same.
#[derive(Clone, PartialEq, Eq, Hash)]
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

    /// Returns true if [`cancel`](Handle::cancel) was called.
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
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TimerHandle(TimedCall);

impl TimerHandle {
    /// Keeps the callback from running, also when it is due and waits for its turn, and drops
    /// it at once. Does nothing once it has run, or the second time.
    pub fn cancel(&self) {
        self.0.cancel();
    }

    /// Returns true if [`cancel`](TimerHandle::cancel) was called.
    #[must_use]
    pub fn cancelled(&self) -> bool {
        self.0.cancelled()
    }

    /// The loop time at which the callback is due, as [`call_at`](LoopRef::call_at) was given it.
    #[must_use]
    pub fn when(&self) -> Duration {
        self.0.when()
    }
}

impl fmt::Debug for TimerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cancelled = if self.cancelled() { " cancelled" } else { "" };
        write!(f, "<TimerHandle{cancelled} when={:?} {}>", self.when(), self.0.name())
    }
}
