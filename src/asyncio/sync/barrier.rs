//! [`Barrier`]: asyncio's `Barrier`, at which tasks wait until a given number of them has arrived.

use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use core::cell::Cell;
use core::fmt;

use super::condition::Condition;
use crate::error::{Error, ErrorKind, Result};

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Tasks come and wait.
    Filling,
    /// All were there, and leave. A task that comes now waits until they have.
    Draining,
    /// Like draining, but the tasks that leave get the error of a reset.
    Resetting,
    /// No task can wait until it is reset.
    Broken,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            State::Filling => "filling",
            State::Draining => "draining",
            State::Resetting => "resetting",
            State::Broken => "broken",
        }
    }
}

/// Lets a number of tasks wait for each other, again and again: asyncio's `Barrier`. Clones are the
/// same barrier.
///
/// It needs no loop until a task has to wait, and from then on only that task's loop will do.
///
/// ```
/// use callsoon::{Barrier, create_task, run};
///
/// run(async {
///     let start = Barrier::new(2)?;
///     let other = create_task({
///         let start = start.clone();
///         async move { start.wait().await }
///     });
///     assert_eq!(start.wait().await?, 0);
///     assert_eq!(other.await?, 1);
///     Ok(())
/// }).unwrap();
/// ```
#[derive(Clone)]
pub struct Barrier(Rc<BarrierState>);

struct BarrierState {
    /// Is notified whenever `state` changes.
    changed: Condition,
    parties: usize,
    state: Cell<State>,
    /// The number of tasks inside: waiting, or on their way out.
    inside: Cell<usize>,
}

impl Barrier {
    /// A barrier for `parties` tasks.
    ///
    /// # Errors
    ///
    /// [`Value`](crate::ErrorKind::Value) for none.
    pub fn new(parties: usize) -> Result<Barrier> {
        if parties == 0 {
            return Err(Error::new(ErrorKind::Value, "parties must be > 0"));
        }
        Ok(Barrier(Rc::new(BarrierState {
            changed: Condition::new(),
            parties,
            state: Cell::new(State::Filling),
            inside: Cell::new(0),
        })))
    }

    /// Returns the number of tasks that it takes.
    #[must_use]
    pub fn parties(&self) -> usize {
        self.0.parties
    }

    /// Returns the number of tasks that wait for the others to come.
    #[must_use]
    pub fn n_waiting(&self) -> usize {
        if self.0.state.get() == State::Filling { self.0.inside.get() } else { 0 }
    }

    /// Returns true if it is broken: no task can wait before it is [reset](Barrier::reset).
    #[must_use]
    pub fn broken(&self) -> bool {
        self.0.state.get() == State::Broken
    }

    /// Waits until as many are here as it takes, and returns how many were waiting when this one
    /// came. The last to come doesn't wait.
    ///
    /// As long as no wait is cancelled or dropped, the numbers differ, and count from zero. Where one
    /// was, those that came behind it keep their numbers, and a later wait may get one of them again,
    /// as in asyncio: a task that is to be chosen by its number may be missing then, or there twice.
    ///
    /// # Errors
    ///
    /// [`BrokenBarrier`](crate::ErrorKind::BrokenBarrier) if the barrier is broken, or reset
    /// meanwhile; the cancellation; [`Runtime`](crate::ErrorKind::Runtime) if it has to wait
    /// where no loop runs, or on another loop than those before.
    ///
    /// # Cancellation
    ///
    /// Cancelled or dropped, it is here no more, and the others wait on.
    pub async fn wait(&self) -> Result<usize> {
        let state = &*self.0;
        let _guard = state.changed.lock().await?;
        state.wait_for_room().await?;
        let index = state.inside.get();
        state.inside.set(index + 1);
        let _inside = BarrierGuard(state);
        if index + 1 == state.parties {
            state.state.set(State::Draining);
            state.changed.notify_all()?;
        } else {
            state.wait_for_others().await?;
        }
        Ok(index)
    }

    /// Makes it as new. The tasks that wait get an error.
    ///
    /// # Errors
    ///
    /// As [`Lock::acquire`](crate::Lock::acquire).
    ///
    /// # Cancellation
    ///
    /// Cancelled or dropped while it waits for others to get out of the way, nothing is reset.
    pub async fn reset(&self) -> Result<()> {
        self.0
            .change(|| if self.0.inside.get() > 0 { State::Resetting } else { State::Filling })
            .await
    }

    /// Breaks it. The tasks that wait, and those that come, get an error.
    ///
    /// # Errors
    ///
    /// As [`Lock::acquire`](crate::Lock::acquire).
    ///
    /// # Cancellation
    ///
    /// Cancelled or dropped while it waits for others to get out of the way, nothing breaks.
    pub async fn abort(&self) -> Result<()> {
        self.0.change(|| State::Broken).await
    }
}

fn broken(message: &str) -> Error {
    Error::new(ErrorKind::BrokenBarrier, message)
}

impl BarrierState {
    /// Until those of the time before have left.
    async fn wait_for_room(&self) -> Result<()> {
        let room = || !matches!(self.state.get(), State::Draining | State::Resetting);
        self.changed.wait_for(room).await?;
        match self.state.get() {
            State::Broken => Err(broken("Barrier aborted")),
            _ => Ok(()),
        }
    }

    async fn wait_for_others(&self) -> Result<()> {
        self.changed.wait_for(|| self.state.get() != State::Filling).await?;
        match self.state.get() {
            State::Broken | State::Resetting => Err(broken("Abort or reset of barrier")),
            _ => Ok(()),
        }
    }

    async fn change(&self, to: impl FnOnce() -> State) -> Result<()> {
        let _guard = self.changed.lock().await?;
        self.state.set(to());
        self.changed.notify_all()
    }
}

/// A task that is inside, until it has left.
struct BarrierGuard<'a>(&'a BarrierState);

impl Drop for BarrierGuard<'_> {
    fn drop(&mut self) {
        let state = self.0;
        state.inside.set(state.inside.get() - 1);
        if state.inside.get() > 0 {
            return;
        }
        if let State::Resetting | State::Draining = state.state.get() {
            state.state.set(State::Filling);
        }
        // A wait that was dropped halfway doesn't hold the lock.
        state.changed.notify_all_unlocked();
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::from(self.0.state.get().name());
        if !self.broken() {
            text += &format!(", waiters:{}/{}", self.n_waiting(), self.parties());
        }
        write!(f, "<Barrier [{text}]>")
    }
}
