//! [`Task`]: asyncio's `Task`, a Rust future that the loop polls.

use alloc::rc::Rc;
use alloc::string::String;
use core::any::Any;
use core::fmt;
use core::future::{Future, IntoFuture};
use core::panic::Location;

use crate::asyncio::core::{
    AnyFuture, Await, Callback, ErasedFuture, FutureId, TaskHeader, TaskRegistry, TypedFuture,
    WeakFuture, any_future_by, cancel, handle, spawn, with_running,
};
use crate::asyncio::future::{FutureLike, LoopFuture, impl_handle};
#[cfg(feature = "contextvars")]
use crate::context::Context;
use crate::error::{Error, Result};
use crate::event_loop::{LoopRef, expect_possible};
#[cfg(feature = "contextvars")]
use crate::event_loop::{running_loop, use_contexts};

handle! {
    /// A Rust future that the loop drives, and a future of its result: asyncio's `Task`.
    ///
    /// Clones are the same task. The loop holds it until it is over: dropping the handle detaches
    /// it and cancels nothing. Its future returns `Ok` for a result, `Err` with a
    /// [cancellation](Error::is_cancelled) to be cancelled, any other `Err` for an exception; a
    /// panic is caught and is its exception.
    ///
    /// # Cancellation
    ///
    /// [`cancel`](Task::cancel) doesn't drop the task's future: the await that it is parked on
    /// returns `Err(Cancelled)`, and what follows is the task's own affair. It may clean up, await
    /// while it does so, and even go on. Cancelling a task that awaits this one cancels this one.
    ///
    /// ```
    /// use std::time::Duration;
    /// use callsoon::{create_task, run, sleep, yield_now};
    ///
    /// run(async {
    ///     let task = create_task(async {
    ///         let slept = sleep(Duration::from_secs(3600)).await;
    ///         yield_now().await?; // the cleanup may await
    ///         slept.map(|()| "woke up")
    ///     });
    ///     yield_now().await?;
    ///     assert!(task.cancel());
    ///     assert!(task.clone().await.unwrap_err().is_cancelled());
    ///     assert!(task.cancelled());
    ///     Ok(())
    /// }).unwrap();
    /// ```
    pub struct Task of TypedFuture
}

impl LoopRef {
    /// Has the loop drive `future`, from the next turn on: asyncio's `create_task`.
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed) after the loop has closed, and
    /// [`Runtime`](crate::ErrorKind::Runtime) where its
    /// [memory limit](LoopRef::set_memory_limit) is reached; `future` is dropped.
    #[track_caller]
    pub fn create_task<T: 'static>(
        &self,
        future: impl Future<Output = Result<T>> + 'static,
    ) -> Result<Task<T>> {
        self.check_open()?;
        start(&TaskRegistry::of(self), future, Location::caller())
    }
}

impl LoopRef {
    /// A task that isn't missed if the loop is stopped and closed before it is over.
    #[track_caller]
    pub(crate) fn create_main_task<T: 'static>(
        &self,
        future: impl Future<Output = Result<T>> + 'static,
    ) -> Result<Task<T>> {
        self.create_main_task_at(future, Location::caller())
    }

    /// The same, created at a place that the caller names.
    pub(crate) fn create_main_task_at<T: 'static>(
        &self,
        future: impl Future<Output = Result<T>> + 'static,
        created_at: &'static Location<'static>,
    ) -> Result<Task<T>> {
        self.check_open()?;
        let task = start(&TaskRegistry::of(self), future, created_at)?;
        task.header().set_no_destroy_report();
        Ok(task)
    }

    /// A task that counts as started, although its first step is still to come: cancelled
    /// before that, it is told as at any await, and not just dropped.
    pub(crate) fn create_started_task<T: 'static>(
        &self,
        future: impl Future<Output = Result<T>> + 'static,
    ) -> Result<Task<T>> {
        let task = self.create_task(future)?;
        task.header().set_started();
        Ok(task)
    }
}

/// Makes a task of `future` on the running loop, which polls it from the next turn on:
/// `asyncio.create_task`.
///
/// # Panics
///
/// Where no loop runs, and where its [memory limit](LoopRef::set_memory_limit) is reached:
/// [`try_create_task`] and [`LoopRef::create_task`] return an error there.
#[track_caller]
pub fn create_task<T: 'static>(future: impl Future<Output = Result<T>> + 'static) -> Task<T> {
    expect_possible(try_create_task(future))
}

/// Like [`create_task`](create_task()), for a caller that can go on without the task.
///
/// # Errors
///
/// [`Runtime`](crate::ErrorKind::Runtime) where no loop runs, and where its
/// [memory limit](LoopRef::set_memory_limit) is reached; `future` is dropped.
#[track_caller]
pub fn try_create_task<T: 'static>(
    future: impl Future<Output = Result<T>> + 'static,
) -> Result<Task<T>> {
    // A loop that runs is open.
    let created_at = Location::caller();
    with_running(|registry| start(registry, future, created_at))
}

/// Starts a task by running its first step at once, inside of the code that calls this:
/// `asyncio.Task(..., eager_start=True)`. If `future` ends in that step, the task is done when this
/// returns, and was never scheduled. In the step the new task is the current one.
///
/// # Panics
///
/// As [`create_task`](create_task()).
///
/// ```
/// use callsoon::{create_eager_task, current_task, run, yield_now};
///
/// run(async {
///     let task = create_eager_task(async { Ok(current_task().is_some()) });
///     assert!(task.done() && task.result()?);
///     let task = create_eager_task(async { yield_now().await.map(|()| 7) });
///     assert!(!task.done());
///     assert_eq!(task.await?, 7);
///     Ok(())
/// }).unwrap();
/// ```
#[track_caller]
pub fn create_eager_task<T: 'static>(future: impl Future<Output = Result<T>> + 'static) -> Task<T> {
    let created_at = Location::caller();
    let started = with_running(|registry| {
        spawn::<_, T, Task<T>>(registry, future, created_at, TaskRegistry::run_inside)
    });
    expect_possible(started.map(Task))
}

fn start<T: 'static>(
    registry: &TaskRegistry,
    future: impl Future<Output = Result<T>> + 'static,
    created_at: &'static Location<'static>,
) -> Result<Task<T>> {
    if cfg!(debug_assertions) {
        registry.event_loop().log_at_stalls(LoopRef::waits);
    }
    let schedule = |registry: &TaskRegistry, step| registry.event_loop().schedule(step);
    spawn::<_, T, Task<T>>(registry, future, created_at, schedule).map(Task)
}

impl<T: 'static> Task<T> {
    pub(crate) fn erased(&self) -> &ErasedFuture {
        self.0.erased()
    }

    /// Asks the task to end: the await that it is parked on returns `Err(Cancelled)`. Returns
    /// true if it was asked in time: a task that is over refuses.
    ///
    /// It is not cancelled yet when this returns, and never may be: see [`Task`]. What it
    /// awaits is cancelled in turn, if that is one of this crate's futures or tasks. A task
    /// that was not started never runs; at a bare foreign future, which knows
    /// nothing of cancellation, the body of the innermost scope is dropped, or the task where there
    /// is none (see [`wrap_future`](crate::wrap_future)); a task that runs returns the cancellation
    /// from its next await.
    pub fn cancel(&self) -> bool {
        self.erased().cancel()
    }

    /// Cancels the task as [`cancel`](Task::cancel) does, with a message in the error. The
    /// coroutine receives this error. If the coroutine lets it through, so does the first await of
    /// the task, or the first call for its result or exception; later ones return a cancellation
    /// without a message, as in asyncio.
    pub fn cancel_with(&self, message: impl Into<String>) -> bool {
        cancel(self.erased(), &Error::cancelled_with(message))
    }

    /// Returns true if it was cancelled with a message that is delivered to its first reader only.
    pub(crate) fn delivers_to_first(&self) -> bool {
        self.cancelled() && !self.0.header().delivers_to_all()
    }

    /// Returns the part of the task that doesn't depend on the type of its value.
    pub(crate) fn header(&self) -> &TaskHeader {
        self.erased().task().expect("a task's block is one of a task")
    }

    /// The loop that it belongs to: asyncio's `get_loop`.
    #[must_use]
    pub fn get_loop(&self) -> LoopRef {
        self.erased().get_loop()
    }

    /// Returns the number of requests to cancel it, less the [`uncancel`](Task::uncancel)s.
    #[must_use]
    pub fn cancelling(&self) -> usize {
        self.header().cancelling()
    }

    /// Takes one request to cancel back, and returns how many are left. When none is left, a
    /// cancellation that was not delivered yet is off. Meant for the code that made the request: a
    /// scope with a timeout, say.
    pub fn uncancel(&self) -> usize {
        self.header().uncancel()
    }

    /// Returns its name: `Task-7`, unless it was given another.
    #[must_use]
    pub fn name(&self) -> String {
        self.0.erased().name()
    }

    /// Gives it a name.
    pub fn set_name(&self, name: impl Into<String>) {
        self.0.erased().set_name(name.into());
    }

    /// Gives it a name, and returns it: asyncio's `create_task(..., name=...)`. The task that was made last takes
    /// no number then: the next without a name has it.
    ///
    /// ```
    /// use callsoon::{create_task, run};
    ///
    /// run(async {
    ///     let task = create_task(async { Ok(()) }).with_name(format!("worker {}", 3));
    ///     assert_eq!(task.name(), "worker 3");
    ///     task.await
    /// }).unwrap();
    /// ```
    pub fn with_name(self, name: impl Into<String>) -> Self {
        self.0.erased().give_number_back();
        self.set_name(name);
        self
    }

    /// The context in which it runs: asyncio's `get_context`. Unless another was
    /// [given](Task::with_context), that is a copy of the one in which it was made.
    #[cfg(feature = "contextvars")]
    #[must_use]
    pub fn get_context(&self) -> Context {
        use_contexts(running_loop().ok().as_ref());
        self.header().context()
    }

    /// Has it run in `context` itself, from its next step on, and returns it: asyncio's
    /// `create_task(..., context=...)`. Tasks and callbacks may share a context: what one of them
    /// sets, the others read.
    ///
    /// ```
    /// use callsoon::{Context, ContextVar, create_task, run};
    ///
    /// static STATE: ContextVar<&str> = ContextVar::new("state");
    ///
    /// run(async {
    ///     let context = Context::new();
    ///     let work = async {
    ///         STATE.set("ready");
    ///         Ok(())
    ///     };
    ///     create_task(work).with_context(&context).await?;
    ///     assert_eq!(context.get(&STATE), Some("ready"));
    ///     Ok(())
    /// }).unwrap();
    /// ```
    #[cfg(feature = "contextvars")]
    pub fn with_context(self, context: &Context) -> Self {
        use_contexts(running_loop().ok().as_ref());
        self.header().set_context(context.clone());
        self
    }

    /// Where in the source it was made.
    #[must_use]
    pub fn spawned_at(&self) -> &'static Location<'static> {
        self.header().created_at()
    }

    /// Its result, cloned.
    ///
    /// # Errors
    ///
    /// Its exception, or the cancellation error; while it is pending
    /// [`InvalidState`](crate::ErrorKind::InvalidState).
    pub fn result(&self) -> Result<T>
    where
        T: Clone,
    {
        self.0.read()
    }

    /// Refused: a task's result is its own.
    ///
    /// # Errors
    ///
    /// Always [`Runtime`](crate::ErrorKind::Runtime).
    pub fn set_result(&self, _value: T) -> Result<()> {
        Err(Error::runtime("Task does not support set_result operation"))
    }

    /// Refused: a task's exception is its own.
    ///
    /// # Errors
    ///
    /// Always [`Runtime`](crate::ErrorKind::Runtime).
    pub fn set_exception(&self, _error: Error) -> Result<()> {
        Err(Error::runtime("Task does not support set_exception operation"))
    }
}

impl_handle!(Task);

impl dyn AnyFuture + '_ {
    /// Returns the argument of a callback as the future of `T` that it is: a
    /// [`LoopFuture`](crate::LoopFuture) or [`Task`](crate::Task). `None` if its results are of
    /// another type.
    #[must_use]
    pub fn downcast_ref<T: Clone + 'static>(&self) -> Option<&dyn FutureLike<T>> {
        let any = self.as_any();
        if let Some(future) = any.downcast_ref::<LoopFuture<T>>() {
            return Some(future);
        }
        any.downcast_ref::<Task<T>>().map(|task| task as &dyn FutureLike<T>)
    }
}
