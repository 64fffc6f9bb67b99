//! [`LoopHandle::run_coroutine_threadsafe`], and the [`ConcurrentFuture`] that it gives.

use core::fmt;
use core::future::Future;
use core::time::Duration;

use super::future_like::AnyFuture;
use super::tasks::Tasks;
use crate::error::{Error, ErrorKind, Result};
use crate::event_loop::{LoopHandle, LoopRef, WakeKey, running_loop};
use crate::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// The result, to come, of what a loop does for another thread: `concurrent.futures.Future`,
/// as `asyncio.run_coroutine_threadsafe` returns it.
///
/// To drop it leaves the task alone.
pub struct ConcurrentFuture<T> {
    shared: Arc<Shared<T>>,
    on: LoopHandle,
}

struct Shared<T> {
    state: Mutex<State<T>>,
    /// Told of the end.
    ended: Condvar,
}

struct State<T> {
    outcome: Option<Result<T>>,
    /// The task, once the loop has made it.
    task: Option<WakeKey>,
}

impl<T> Shared<T> {
    /// Nothing of the program's runs while the lock is held, so that a poisoned one is sound.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first end counts; says whether this was it.
    fn end(&self, outcome: Result<T>) -> bool {
        let mut state = self.lock();
        if state.outcome.is_some() {
            // Dropped by the caller, when the lock is free again.
            return false;
        }
        state.outcome = Some(outcome);
        drop(state);
        self.ended.notify_all();
        true
    }
}

impl<T: Clone + Send + 'static> ConcurrentFuture<T> {
    /// Waits, blocking the thread, until the task has ended, or `timeout` is over (`None`:
    /// without a limit), and returns what it returned.
    ///
    /// # Errors
    ///
    /// The task's exception or cancellation; [`Timeout`](crate::ErrorKind::Timeout) when the
    /// time was up first, which leaves the task alone; [`Closed`](crate::ErrorKind::Closed) if
    /// the loop closed before the task had ended; and, instead of a deadlock,
    /// [`Runtime`](crate::ErrorKind::Runtime) on the loop's own thread while it isn't done.
    pub fn result(&self, timeout: Option<Duration>) -> Result<T> {
        let mut state = self.shared.lock();
        if state.outcome.is_none() && self.on.runs_here() {
            return Err(Error::runtime("a loop's own thread can't wait for it"));
        }
        let deadline = timeout.map(|timeout| (std::time::Instant::now(), timeout));
        loop {
            if let Some(outcome) = &state.outcome {
                return outcome.clone();
            }
            let waited = match deadline {
                None => self.shared.ended.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some((start, timeout)) => {
                    let left = timeout.saturating_sub(start.elapsed());
                    if left.is_zero() {
                        return Err(Error::new(ErrorKind::Timeout, ""));
                    }
                    let waited = self.shared.ended.wait_timeout(state, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
            state = waited;
        }
    }

    /// Cancels the task, which learns of it at its await, and doesn't wait for its end. Says
    /// whether there was anything to cancel.
    pub fn cancel(&self) -> bool {
        if !self.shared.end(Err(Error::cancelled())) {
            return false;
        }
        let shared = Arc::clone(&self.shared);
        // A loop that has closed has no task left to cancel.
        let _ = self.on.call_soon_threadsafe(move || {
            let task = shared.lock().task;
            if let (Some(task), Ok(on)) = (task, running_loop()) {
                Tasks::of(&on).cancel(task);
            }
        });
        true
    }

    /// Whether the task has ended, or was cancelled.
    #[must_use]
    pub fn done(&self) -> bool {
        self.shared.lock().outcome.is_some()
    }

    /// Whether it was cancelled.
    #[must_use]
    pub fn cancelled(&self) -> bool {
        self.shared.lock().outcome.as_ref().is_some_and(|o| matches!(o, Err(e) if e.is_cancelled()))
    }
}

impl<T> fmt::Debug for ConcurrentFuture<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let done = self.shared.lock().outcome.is_some();
        f.debug_struct("ConcurrentFuture").field("done", &done).finish_non_exhaustive()
    }
}

/// The loop's half. Dropped without an end, as a closing loop drops its callbacks, it says so.
struct Ending<T>(Arc<Shared<T>>);

impl<T> Drop for Ending<T> {
    fn drop(&mut self) {
        self.0.end(Err(Error::closed()));
    }
}

impl LoopHandle {
    /// Has the loop run the coroutine that `make` makes there as a task, from any other
    /// thread, and returns the future that the thread may wait for: asyncio's
    /// `run_coroutine_threadsafe`.
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed) after the loop has closed.
    ///
    /// ```
    /// use std::time::Duration;
    /// use callsoon::{run, running_loop, sleep, to_thread};
    ///
    /// run(async {
    ///     let handle = running_loop()?.handle();
    ///     let answer = to_thread(move || {
    ///         let future = handle.run_coroutine_threadsafe(|| async {
    ///             sleep(Duration::from_millis(1)).await?;
    ///             Ok(42)
    ///         })?;
    ///         future.result(None)
    ///     });
    ///     assert_eq!(answer.await?, 42);
    ///     Ok(())
    /// }).unwrap();
    /// ```
    pub fn run_coroutine_threadsafe<T, F>(
        &self,
        make: impl FnOnce() -> F + Send + 'static,
    ) -> Result<ConcurrentFuture<T>>
    where
        T: Clone + Send + 'static,
        F: Future<Output = Result<T>> + 'static,
    {
        let state = Mutex::new(State { outcome: None, task: None });
        let shared = Arc::new(Shared { state, ended: Condvar::new() });
        let ending = Ending(Arc::clone(&shared));
        self.call_soon_threadsafe(move || {
            let cancelled = ending.0.lock().outcome.is_some();
            if cancelled { Ok(()) } else { start(&running_loop()?, make, ending) }
        })?;
        Ok(ConcurrentFuture { shared, on: self.clone() })
    }
}

/// Makes the task, whose end is `ending`'s.
fn start<T: Clone + Send + 'static, F: Future<Output = Result<T>> + 'static>(
    on: &LoopRef,
    make: impl FnOnce() -> F,
    ending: Ending<T>,
) -> Result<()> {
    let task = on.create_task(make())?;
    ending.0.lock().task = Some(task.key());
    let ended = task.clone();
    task.add_done_callback(move |_: &dyn AnyFuture| {
        ending.0.end(ended.result());
    });
    Ok(())
}
