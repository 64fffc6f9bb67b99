//! [`timeout`] and [`Timeout`]: a scope with a deadline, in the task that enters it.
//!
//! The deadline cancels the task. When the body is left, the scope takes that request back,
//! and, if it was the only one since the body was entered, the cancellation that comes out of
//! the body was the scope's own and leaves it as a timeout. Any other passes through.

use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use core::cell::Cell;
use core::fmt;
use core::ops::Deref;
use core::time::Duration;

use crate::asyncio::core::{ErasedFuture, TaskRegistry};
use crate::asyncio::scope::await_body;
use crate::collections::CellExt;
use crate::error::{Error, ErrorKind, Result};
#[cfg(feature = "events")]
use crate::event_loop::LoopEvent;
use crate::event_loop::{
    Job, JobCell, LoopRef, TimerIndex, expect_running_loop, note_event, running_loop, thread_own,
};

/// Runs `body` for at most `delay` of the loop's time, or without a limit with `None`: `async with
/// asyncio.timeout(delay)`. It runs in the task that awaits this. The [`Timeout`] that it receives can
/// move the deadline.
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
    let active = ActiveTimeout::begin(delay.into())?;
    let outcome = await_body!(body(active.scope.clone()));
    active.finish(outcome)
}

/// Does as [`timeout`], with the deadline as a time on the loop's clock, which may have passed:
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
    Timeout::at(when).scope(body).await
}

/// A scope with a deadline: asyncio's `Timeout`. Clones are the same scope.
///
/// [`timeout`] makes one and enters it; made by hand, it can be asked afterwards whether it
/// has [expired](Timeout::expired).
#[derive(Clone)]
pub struct Timeout(ScopeHandle);

/// The last handle of a scope keeps its memory for the next.
#[derive(Clone)]
struct ScopeHandle(Rc<JobCell<Scope>>);

impl Deref for ScopeHandle {
    type Target = Rc<JobCell<Scope>>;

    fn deref(&self) -> &Rc<JobCell<Scope>> {
        &self.0
    }
}

impl Drop for ScopeHandle {
    #[inline]
    fn drop(&mut self) {
        if Rc::strong_count(&self.0) == 1 {
            // Without this thread's locals it is freed.
            let _ = SPARE.try_with(|spare| spare.set(Some(self.0.clone())));
        }
    }
}

// A scope that nothing uses any more, for the next that is made.
thread_own! {
    static SPARE: Cell<Option<Rc<JobCell<Scope>>>> = Cell::new(None);
}

/// It is its timer's job itself, so that a timer needs no block of its own.
struct Scope {
    when: Cell<Option<Duration>>,
    state: Cell<State>,
    timer_state: Cell<TimerState>,
    /// The number of its entries in the ready queue for timers that were taken back: in front of any
    /// that was not.
    stale: Cell<u32>,
    /// The task of the body, while it is inside.
    task: Cell<Option<ErasedFuture>>,
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

/// The call when the deadline comes: at once if it has passed, not only after what is ready.
#[derive(Clone, Copy, Default)]
enum TimerState {
    #[default]
    None,
    Soon,
    At(TimerIndex),
}

impl Job for Scope {
    fn run(this: Rc<JobCell<Self>>, _on: &LoopRef) {
        match this.stale.get() {
            0 => this.expire(),
            stale => this.stale.set(stale - 1),
        }
    }

    fn describe(&self) -> String {
        format!("<timer of {}>", self.show())
    }
}

impl Scope {
    /// A new scope, in the memory of one before if there is any.
    fn make(when: Option<Duration>) -> ScopeHandle {
        if let Ok(Some(spare)) = SPARE.try_with(Cell::take) {
            spare.when.set(when);
            spare.state.set(State::Created);
            spare.timer_state.set(TimerState::None);
            // A loop that closed has dropped the entries that were left.
            spare.stale.set(0);
            return ScopeHandle(spare);
        }
        ScopeHandle(JobCell::new(Scope {
            when: Cell::new(when),
            state: Cell::new(State::Created),
            timer_state: Cell::default(),
            stale: Cell::new(0),
            task: Cell::new(None),
        }))
    }

    fn expire(&self) {
        self.timer_state.set(TimerState::None);
        self.state.set(State::Expiring);
        let task = self.task.with(|task| task.clone());
        if let Some(task) = task {
            task.cancel();
        }
    }

    /// Has the timer call on the loop `on` at `when`, or, if that `is_past`, soon.
    #[inline]
    fn arm(this: &Rc<JobCell<Scope>>, on: &LoopRef, when: Duration, is_past: bool) -> Result<()> {
        this.timer_state.set(if is_past {
            on.check_open()?;
            on.schedule(this.clone());
            TimerState::Soon
        } else {
            TimerState::At(on.add_timer_at(when, this.clone())?)
        });
        Ok(())
    }

    /// Takes the timer on the loop `on` back.
    #[inline]
    fn disarm(this: &Rc<JobCell<Scope>>, on: &LoopRef) {
        let timer = match this.timer_state.take() {
            TimerState::None => return,
            TimerState::Soon => {
                note_event!(on, LoopEvent::EntrySkipped(this.address().addr()));
                None
            }
            TimerState::At(timer) => on.forget_timer(timer, this.address()),
        };
        if timer.is_none() {
            this.stale.set(this.stale.get() + 1);
        }
    }

    fn show(&self) -> String {
        let state = self.state.get();
        let when = match (state, self.when.get()) {
            (State::Entered, Some(when)) => format!(" when={when:?}"),
            (State::Entered, None) => String::from(" when=None"),
            _ => String::new(),
        };
        format!("<Timeout [{}]{when}>", state.name())
    }
}

impl Timeout {
    /// A scope that ends `delay` from now, or never; to be entered once.
    ///
    /// # Panics
    ///
    /// Where no loop runs.
    #[must_use]
    #[track_caller]
    pub fn after(delay: impl Into<Option<Duration>>) -> Timeout {
        let now = expect_running_loop().time();
        Timeout(Scope::make(delay.into().map(|delay| now.saturating_add(delay))))
    }

    /// A scope that ends at `when` on the loop's clock, or never; to be entered once.
    ///
    /// # Panics
    ///
    /// Where no loop runs.
    #[must_use]
    #[track_caller]
    pub fn at(when: impl Into<Option<Duration>>) -> Timeout {
        expect_running_loop();
        Timeout(Scope::make(when.into()))
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
        let active = ActiveTimeout::enter(self.clone())?;
        self.reschedule(self.when())?;
        let outcome = await_body!(body(self.clone()));
        active.finish(outcome)
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
            State::Created => return Err(Error::runtime("Timeout has not been entered")),
            state => {
                let message = format!("Cannot change state of {} Timeout", state.name());
                return Err(Error::runtime(message));
            }
        }
        let Some(task) = self.0.task.with(|task| task.clone()) else { return Ok(()) };
        let (on, when) = (task.event_loop(), when.into());
        self.0.when.set(when);
        Scope::disarm(&self.0, on);
        match when {
            Some(when) => Scope::arm(&self.0, on, when, when <= on.time()),
            None => Ok(()),
        }
    }

    /// Returns true if the deadline has passed while the body ran.
    #[must_use]
    pub fn expired(&self) -> bool {
        matches!(self.0.state.get(), State::Expiring | State::Expired)
    }
}

/// A scope while its body runs.
pub(crate) struct ActiveTimeout {
    scope: Timeout,
    /// The task's requests to cancel before it entered.
    cancelling: usize,
}

impl ActiveTimeout {
    /// Enters a new scope, which ends `delay` from now, or never.
    #[inline]
    pub(crate) fn begin(delay: Option<Duration>) -> Result<ActiveTimeout> {
        let Some(task) = TaskRegistry::current_here() else { return Err(outside_of_a_task()) };
        let on = task.event_loop();
        let when = delay.map(|delay| on.time().saturating_add(delay));
        let scope = Timeout(Scope::make(when));
        if let Some(when) = when {
            // A look at the clock was just taken: what was to come then is to come still.
            Scope::arm(&scope.0, on, when, delay == Some(Duration::ZERO))?;
        }
        Ok(ActiveTimeout::of_task(scope, task))
    }

    /// Enters `scope`, without its timer yet.
    fn enter(scope: Timeout) -> Result<ActiveTimeout> {
        if scope.0.state.get() != State::Created {
            return Err(Error::runtime("Timeout has already been entered"));
        }
        let Some(task) = TaskRegistry::current_here() else { return Err(outside_of_a_task()) };
        Ok(ActiveTimeout::of_task(scope, task))
    }

    #[inline]
    fn of_task(scope: Timeout, task: ErasedFuture) -> ActiveTimeout {
        let cancelling = task.task().map_or(0, |task| task.cancelling());
        scope.0.task.set(Some(task));
        scope.0.state.set(State::Entered);
        ActiveTimeout { scope, cancelling }
    }

    /// The body is left with `outcome`: a cancellation that the scope has caused is a timeout.
    #[inline]
    pub(crate) fn finish<T>(self, outcome: Result<T>) -> Result<T> {
        let is_cause = self.leave();
        match outcome {
            Err(error) if is_cause && error.is_cancelled() => {
                Err(Error::new(ErrorKind::Timeout, ""))
            }
            outcome => outcome,
        }
    }

    /// Leaves the scope, once. Returns true if a cancellation that comes out of the body is the
    /// scope's own: it has requested one, and there was no other request since.
    #[inline]
    fn leave(&self) -> bool {
        let scope = &self.scope.0;
        let expires = match scope.state.get() {
            State::Entered => false,
            State::Expiring => true,
            State::Created | State::Expired | State::Exited => return false,
        };
        scope.state.set(if expires { State::Expired } else { State::Exited });
        let Some(task) = scope.task.take() else { return false };
        Scope::disarm(scope, task.event_loop());
        expires && task.task().is_some_and(|own| own.uncancel() <= self.cancelling)
    }
}

#[cold]
fn outside_of_a_task() -> Error {
    match running_loop() {
        Ok(_) => Error::runtime("Timeout should be used inside a task"),
        Err(error) => error,
    }
}

impl Drop for ActiveTimeout {
    #[inline]
    fn drop(&mut self) {
        // Most often `finish` has left it.
        if matches!(self.scope.0.state.get(), State::Entered | State::Expiring) {
            self.leave();
        }
    }
}

impl fmt::Debug for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.show())
    }
}
