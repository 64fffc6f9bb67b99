//! [`LoopHandle::run_coroutine_threadsafe`], and the [`ConcurrentFuture`] that it returns.

use core::fmt;
use core::future::Future;
use core::mem;
use core::ptr;
use core::time::Duration;
use std::time::Instant;

use crate::asyncio::core::{AnyFuture, RemoteTask};
use crate::error::{Error, ErrorKind, Result};
use crate::event_loop::{LoopHandle, LoopRef, running_loop, thread_own};
use crate::flat_drops::Flat;
use crate::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use crate::threads::caught;

/// A future, for other threads, of a coroutine that runs on a loop: `concurrent.futures.Future`, as
/// `asyncio.run_coroutine_threadsafe` returns it.
///
/// To drop it leaves the task alone.
pub struct ConcurrentFuture<T: 'static> {
    shared: Arc<Flat<Shared<T>>>,
    on: LoopHandle,
}

struct Shared<T> {
    state: Mutex<State<T>>,
    /// Told of the end.
    ended: Condvar,
}

struct State<T> {
    outcome: Outcome<T>,
    /// The task, once the loop has made it.
    task: Option<RemoteTask>,
}

enum Outcome<T> {
    Pending,
    Ended(Result<T>),
    /// It has ended with a value, which a thread clones at the moment, without the lock.
    Lent(ThreadMark),
}

impl<T> Outcome<T> {
    fn is_done(&self) -> bool {
        !matches!(self, Outcome::Pending)
    }
}

/// A thread, by the address of a value of its own.
#[derive(Clone, Copy, PartialEq, Eq)]
struct ThreadMark(usize);

thread_own! {
    static MARK: u8 = 0;
}

impl ThreadMark {
    fn here() -> ThreadMark {
        MARK.with(|mark| ThreadMark(ptr::from_ref(mark).addr()))
    }
}

/// An outcome that is out to be cloned. Dropped, also by a panic, it is put back.
struct Lent<'a, T> {
    shared: &'a Shared<T>,
    outcome: Result<T>,
}

impl<T> Drop for Lent<'_, T> {
    fn drop(&mut self) {
        let outcome = mem::replace(&mut self.outcome, Err(Error::cancelled()));
        self.shared.lock().outcome = Outcome::Ended(outcome);
        self.shared.ended.notify_all();
    }
}

impl<T> Shared<T> {
    /// No code of the program's own runs while the lock is held, so a poisoned one is sound.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first end counts. What comes later is dropped, when the lock is free again.
    fn end(&self, outcome: Result<T>) {
        let mut state = self.lock();
        if !state.outcome.is_done() {
            state.outcome = Outcome::Ended(outcome);
            drop(state);
            self.ended.notify_all();
        }
    }

    fn is_done(&self) -> bool {
        self.lock().outcome.is_done()
    }

    fn is_cancelled(&self) -> bool {
        matches!(&self.lock().outcome, Outcome::Ended(Err(error)) if error.is_cancelled())
    }

    /// Waits, with `deadline` as when and how long, for a change of the state.
    fn wait<'a>(
        &'a self,
        state: MutexGuard<'a, State<T>>,
        deadline: Option<(Instant, Duration)>,
    ) -> Result<MutexGuard<'a, State<T>>> {
        let Some((start, timeout)) = deadline else {
            return Ok(self.ended.wait(state).unwrap_or_else(PoisonError::into_inner));
        };
        let left = timeout.saturating_sub(start.elapsed());
        if left.is_zero() {
            return Err(Error::new(ErrorKind::Timeout, ""));
        }
        let waited = self.ended.wait_timeout(state, left);
        Ok(waited.unwrap_or_else(PoisonError::into_inner).0)
    }
}

impl<T: Clone + Send + 'static> ConcurrentFuture<T> {
    /// Waits, blocking the thread, until the task has ended, or `timeout` is over (`None`:
    /// without a limit), and returns what it returned: a clone, as it may be asked again.
    ///
    /// # Errors
    ///
    /// The task's exception or cancellation; [`Timeout`](crate::ErrorKind::Timeout) when the
    /// time was up first, which leaves the task alone; [`Closed`](crate::ErrorKind::Closed) if
    /// the loop closed before the task had ended; and, instead of a deadlock,
    /// [`Runtime`](crate::ErrorKind::Runtime) on the thread that runs the loop, while the task
    /// isn't done, and inside of the value's own [`clone`](Clone::clone).
    pub fn result(&self, timeout: Option<Duration>) -> Result<T> {
        let shared = &*self.shared;
        let mut state = shared.lock();
        if !state.outcome.is_done() && self.on.runs_here() {
            return Err(Error::runtime("a loop's own thread can't wait for it"));
        }
        let deadline = timeout.map(|timeout| (Instant::now(), timeout));
        let here = ThreadMark::here();
        let outcome = loop {
            state = match mem::replace(&mut state.outcome, Outcome::Lent(here)) {
                Outcome::Ended(Ok(value)) => break Ok(value),
                Outcome::Ended(Err(error)) => {
                    state.outcome = Outcome::Ended(Err(error.clone()));
                    return Err(error);
                }
                Outcome::Pending => {
                    state.outcome = Outcome::Pending;
                    shared.wait(state, deadline)?
                }
                Outcome::Lent(to) => {
                    state.outcome = Outcome::Lent(to);
                    if to == here {
                        return Err(Error::runtime("the result is being cloned by this thread"));
                    }
                    shared.wait(state, None)?
                }
            };
        };
        drop(state);
        Lent { shared, outcome }.outcome.clone()
    }

    /// Cancels the task, which learns of it at its await, and doesn't wait for its end; a task
    /// that the loop has not made yet begins, and learns of it at its first. Returns true if this
    /// future is cancelled now: not if the task had ended otherwise.
    ///
    /// What the task still fails with is reported to the loop's exception handler.
    pub fn cancel(&self) -> bool {
        let mut state = self.shared.lock();
        if state.outcome.is_done() {
            drop(state);
            return self.cancelled();
        }
        state.outcome = Outcome::Ended(Err(Error::cancelled()));
        // Without a task yet, the call that makes it sees the outcome.
        let task = state.task.clone();
        drop(state);
        self.shared.ended.notify_all();
        if let Some(task) = task {
            // A loop that has closed has no task left to cancel.
            let _ = self.on.call_soon_threadsafe(move || task.cancel());
        }
        true
    }

    /// Returns true if the task has ended, or was cancelled.
    #[must_use]
    pub fn done(&self) -> bool {
        self.shared.is_done()
    }

    /// Returns true if it was cancelled.
    #[must_use]
    pub fn cancelled(&self) -> bool {
        self.shared.is_cancelled()
    }
}

impl<T: 'static> fmt::Debug for ConcurrentFuture<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let done = self.shared.is_done();
        f.debug_struct("ConcurrentFuture").field("done", &done).finish_non_exhaustive()
    }
}

/// The loop's half. Dropped without an end, as a closing loop drops its callbacks, it says so.
struct Ending<T: 'static>(Arc<Flat<Shared<T>>>);

impl<T: 'static> Drop for Ending<T> {
    fn drop(&mut self) {
        self.0.end(Err(Error::closed()));
    }
}

impl LoopHandle {
    /// Has the loop run the coroutine that `make` makes there as a task, from any other
    /// thread, and returns the future that the thread may wait for: asyncio's
    /// `run_coroutine_threadsafe`. A panic in `make` is the future's exception, and told to the
    /// loop's exception handler too.
    ///
    /// A virtual clock stands still while a thread owes an answer: there, a function of
    /// [`to_thread`](crate::to_thread) or of a request must not wait for a coroutine that waits
    /// for the clock. Neither would end.
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
        let state = Mutex::new(State { outcome: Outcome::Pending, task: None });
        let shared = Arc::new(Flat::new(Shared { state, ended: Condvar::new() }));
        let ending = Ending(Arc::clone(&shared));
        self.call_soon_threadsafe(move || start(&running_loop()?, make, ending))?;
        Ok(ConcurrentFuture { shared, on: self.clone() })
    }
}

/// Makes the task, and ends `ending` with the outcome of the task.
fn start<T: Clone + Send + 'static, F: Future<Output = Result<T>> + 'static>(
    on: &LoopRef,
    make: impl FnOnce() -> F,
    ending: Ending<T>,
) -> Result<()> {
    let made = caught(make).and_then(|coroutine| on.create_task(coroutine));
    let task = made.inspect_err(|error| ending.0.end(Err(error.clone())))?;
    let remote = RemoteTask::of(task.erased());
    let mut state = ending.0.lock();
    state.task = Some(remote.clone());
    let cancelled = state.outcome.is_done();
    drop(state);
    let ended = task.clone();
    task.add_done_callback(move |_: &dyn AnyFuture| {
        // A cancelled future's task has no reader for its outcome; it reports that itself.
        if !ending.0.is_done() {
            ending.0.end(ended.result());
        }
    });
    if cancelled {
        on.call_soon(move || remote.cancel())?;
    }
    Ok(())
}
