//! [`timeout`] and [`Timeout`]: a body that has so much time, in the task that it is in.
//!
//! The deadline cancels the task. When the body is left, the scope takes that request back,
//! and, if it was the only one since the body was entered, the cancellation that comes out of
//! the body was the scope's own and leaves it as a timeout. Any other is somebody else's.

use alloc::rc::Rc;
use core::cell::{Cell, RefCell};
use core::fmt;
use core::time::Duration;

use super::any_task::{AnyTask, current_task};
use super::future_like::AnyFuture;
use crate::error::{Error, ErrorKind, Result};
use crate::event_loop::{Handle, LoopRef, TimerHandle, running_loop};

/// Runs `body`, which has `delay` of the loop's time, or for ever with `None`:
/// `async with asyncio.timeout(delay)`. It runs in the task that awaits this. The [`Timeout`]
/// that it is given can move the deadline.
///
/// Without any delay the body still runs until it has to wait for something.
///
/// # Errors
///
/// [`Timeout`](crate::ErrorKind::Timeout) in place of the cancellation that the deadline has
/// caused; otherwise the body's own. A body that swallows that cancellation has its say.
/// [`Runtime`](crate::ErrorKind::Runtime) outside of a task.
///
/// # Cancellation
///
/// It reaches the body, and leaves it as a cancellation, also where the deadline passes as
/// well. Dropped, it takes its timer back, and its request to cancel if it has made one.
///
/// ```
/// use std::time::Duration;
/// use callsoon::{ErrorKind, EventLoop, sleep, timeout};
///
/// let event_loop = EventLoop::with_virtual_time();
/// event_loop.run_until_complete(async {
///     let slow = timeout(Duration::from_secs(1), async |_| sleep(Duration::from_secs(5)).await);
///     assert_eq!(slow.await.unwrap_err().kind(), ErrorKind::Timeout);
///     Ok(())
/// })?;
/// assert_eq!(event_loop.time(), Duration::from_secs(1));
/// # Ok::<(), callsoon::Error>(())
/// ```
pub async fn timeout<T>(
    delay: impl Into<Option<Duration>>,
    body: impl AsyncFnOnce(Timeout) -> Result<T>,
) -> Result<T> {
    Timeout::after(delay)?.scope(body).await
}

/// As [`timeout`], with the deadline as a time on the loop's clock, which may have passed:
/// `async with asyncio.timeout_at(when)`.
///
/// # Errors
///
/// As `timeout`.
///
/// # Cancellation
///
/// As `timeout`.
pub async fn timeout_at<T>(
    when: impl Into<Option<Duration>>,
    body: impl AsyncFnOnce(Timeout) -> Result<T>,
) -> Result<T> {
    Timeout::at(when)?.scope(body).await
}

/// A scope with a deadline: asyncio's `Timeout`. Clones are the same scope.
///
/// [`timeout`] makes one and enters it; made by hand, it can be asked afterwards whether it
/// has [expired](Timeout::expired).
#[derive(Clone)]
pub struct Timeout(Rc<Scope>);

struct Scope {
    on: LoopRef,
    when: Cell<Option<Duration>>,
    state: Cell<State>,
    alarm: Cell<Option<Alarm>>,
    /// Whose body it is, while it is inside.
    task: RefCell<Option<AnyTask>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Created,
    Entered,
    /// The deadline has passed, and the task was cancelled for it.
    Expiring,
    /// Left after the deadline.
    Expired,
    /// Left before it.
    Exited,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            State::Created => "created",
            State::Entered => "active",
            State::Expiring => "expiring",
            State::Expired => "expired",
            State::Exited => "finished",
        }
    }
}

/// What calls when the deadline comes: at once if it has passed, not only after what is ready.
enum Alarm {
    Soon(Handle),
    At(TimerHandle),
}

impl Alarm {
    fn cancel(&self) {
        match self {
            Alarm::Soon(handle) => handle.cancel(),
            Alarm::At(timer) => timer.cancel(),
        }
    }
}

impl Timeout {
    /// A scope that ends `delay` from now, or never; to be entered once.
    ///
    /// # Errors
    ///
    /// [`Runtime`](crate::ErrorKind::Runtime) where no loop runs.
    pub fn after(delay: impl Into<Option<Duration>>) -> Result<Timeout> {
        let now = running_loop()?.time();
        Timeout::at(delay.into().map(|delay| now.saturating_add(delay)))
    }

    /// A scope that ends at `when` on the loop's clock, or never; to be entered once.
    ///
    /// # Errors
    ///
    /// [`Runtime`](crate::ErrorKind::Runtime) where no loop runs.
    pub fn at(when: impl Into<Option<Duration>>) -> Result<Timeout> {
        Ok(Timeout(Rc::new(Scope {
            on: running_loop()?,
            when: Cell::new(when.into()),
            state: Cell::new(State::Created),
            alarm: Cell::new(None),
            task: RefCell::new(None),
        })))
    }

    /// Runs `body` inside of this scope: see [`timeout`].
    ///
    /// # Errors
    ///
    /// As `timeout`, and [`Runtime`](crate::ErrorKind::Runtime) the second time.
    ///
    /// # Cancellation
    ///
    /// As `timeout`.
    pub async fn scope<T>(&self, body: impl AsyncFnOnce(Timeout) -> Result<T>) -> Result<T> {
        let inside = self.enter()?;
        let outcome = body(self.clone()).await;
        let is_cause = inside.leave();
        match outcome {
            Err(error) if is_cause && error.is_cancelled() => {
                Err(Error::new(ErrorKind::Timeout, ""))
            }
            outcome => outcome,
        }
    }

    fn enter(&self) -> Result<Inside<'_>> {
        if self.0.state.get() != State::Created {
            return Err(Error::runtime("the Timeout was entered before"));
        }
        let Some(task) = current_task() else {
            return Err(Error::runtime("a Timeout is entered inside of a task only"));
        };
        let inside = Inside { scope: self, cancelling: task.cancelling() };
        self.0.task.replace(Some(task));
        self.0.state.set(State::Entered);
        self.reschedule(self.when())?;
        Ok(inside)
    }

    /// The deadline, on the loop's clock; `None` for never.
    #[must_use]
    pub fn when(&self) -> Option<Duration> {
        self.0.when.get()
    }

    /// Moves the deadline to `when`, on the loop's clock, or away with `None`. One that has
    /// passed already cancels the task in the next turn.
    ///
    /// # Errors
    ///
    /// [`Runtime`](crate::ErrorKind::Runtime) before the scope is entered, once it has
    /// expired, and after it was left.
    pub fn reschedule(&self, when: impl Into<Option<Duration>>) -> Result<()> {
        match self.0.state.get() {
            State::Entered => {}
            State::Created => return Err(Error::runtime("the Timeout was not entered yet")),
            state => {
                let message = alloc::format!("the Timeout is {} already", state.name());
                return Err(Error::runtime(message));
            }
        }
        let when = when.into();
        self.0.when.set(when);
        self.silence();
        if let Some(when) = when {
            let expiring = self.clone();
            let expire = move || expiring.expire();
            let alarm = if when <= self.0.on.time() {
                Alarm::Soon(self.0.on.call_soon(expire)?)
            } else {
                Alarm::At(self.0.on.call_at(when, expire)?)
            };
            self.0.alarm.set(Some(alarm));
        }
        Ok(())
    }

    /// Whether the deadline has passed while the body ran.
    #[must_use]
    pub fn expired(&self) -> bool {
        matches!(self.0.state.get(), State::Expiring | State::Expired)
    }

    fn expire(&self) {
        self.0.alarm.take();
        self.0.state.set(State::Expiring);
        let task = self.0.task.borrow().clone();
        if let Some(task) = task {
            task.cancel();
        }
    }

    /// Takes the alarm back.
    fn silence(&self) {
        if let Some(alarm) = self.0.alarm.take() {
            alarm.cancel();
        }
    }
}

/// A scope whose body runs.
struct Inside<'a> {
    scope: &'a Timeout,
    /// How often the task was asked to cancel before.
    cancelling: usize,
}

impl Inside<'_> {
    /// Leaves the scope, once. Says whether a cancellation that comes out of the body is the
    /// scope's own: it has asked for one, and nobody else has since.
    fn leave(&self) -> bool {
        let scope = &self.scope.0;
        self.scope.silence();
        let task = scope.task.take();
        match (scope.state.get(), task) {
            (State::Expiring, Some(task)) => {
                scope.state.set(State::Expired);
                task.uncancel() <= self.cancelling
            }
            (State::Entered, _) => {
                scope.state.set(State::Exited);
                false
            }
            _ => false,
        }
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.leave();
    }
}

impl fmt::Debug for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.state.get();
        write!(f, "<Timeout [{}]", state.name())?;
        if state == State::Entered {
            match self.when() {
                Some(when) => write!(f, " when={when:?}")?,
                None => f.write_str(" when=None")?,
            }
        }
        f.write_str(">")
    }
}
