//! [`AnyTask`]: a task of any value type; [`all_tasks`] and [`current_task`].

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::any::Any;
use core::fmt;
use core::panic::Location;

use crate::asyncio::core::{
    AnyFuture, Callback, ErasedFuture, FutureId, TaskHeader, TaskRegistry, WeakFuture,
    any_future_by, cancel, identity_traits,
};
use crate::error::{Error, Result};
use crate::event_loop::{ExceptionContext, LoopRef, expect_running_loop};

/// A task of an unknown value type, as [`all_tasks`] and [`current_task`] return it.
#[derive(Clone)]
pub struct AnyTask(ErasedFuture);

impl AnyTask {
    /// Reports what has happened to the task, in its context.
    pub(crate) fn report(&self, about: &ExceptionContext) {
        self.0.report(about);
    }

    fn task(&self) -> &TaskHeader {
        self.0.task().expect("an AnyTask is made of tasks only")
    }

    /// Returns the number of requests to cancel it: see [`Task::cancelling`](crate::Task::cancelling).
    #[must_use]
    pub fn cancelling(&self) -> usize {
        self.task().cancelling()
    }

    /// Takes one request to cancel back, as [`Task::uncancel`](crate::Task::uncancel) does.
    pub fn uncancel(&self) -> usize {
        self.task().uncancel()
    }

    /// Cancels the task with a message, as [`Task::cancel_with`](crate::Task::cancel_with) does.
    pub fn cancel_with(&self, message: impl Into<String>) -> bool {
        cancel(&self.0, &Error::cancelled_with(message))
    }

    /// Gives it a name.
    pub fn set_name(&self, name: impl Into<String>) {
        self.0.set_name(name.into());
    }

    /// Where in the source it was made.
    #[must_use]
    pub fn spawned_at(&self) -> &'static Location<'static> {
        self.task().created_at()
    }
}

impl AnyFuture for AnyTask {
    any_future_by!(self => self.0);

    fn base(&self) -> &dyn AnyFuture {
        self
    }

    fn set_exception(&self, _error: Error) -> Result<()> {
        self.check_settable()
    }

    fn check_settable(&self) -> Result<()> {
        Err(Error::runtime("Task does not support set_exception operation"))
    }

    fn erased(&self) -> Option<&ErasedFuture> {
        Some(&self.0)
    }

    fn name(&self) -> String {
        self.0.name()
    }

    fn to_any(&self) -> Rc<dyn AnyFuture> {
        Rc::new(self.clone())
    }

    fn downgrade(&self) -> WeakFuture {
        let weak = self.0.downgrade();
        WeakFuture::new(move || Some(Rc::new(AnyTask(weak.upgrade()?))))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

identity_traits!([] AnyTask);

impl fmt::Debug for AnyTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.describe())
    }
}

impl LoopRef {
    /// The tasks of this loop that are not over, oldest first: asyncio's `all_tasks`.
    #[must_use]
    pub fn all_tasks(&self) -> Vec<AnyTask> {
        TaskRegistry::of(self).all().into_iter().map(AnyTask).collect()
    }

    /// Returns the task that runs; `None` inside of a callback: asyncio's `current_task`.
    #[must_use]
    pub fn current_task(&self) -> Option<AnyTask> {
        TaskRegistry::of(self).current_task().map(AnyTask)
    }
}

/// Returns the tasks of the running loop that are not done, oldest first: `asyncio.all_tasks`.
///
/// # Panics
///
/// Where no loop runs.
#[must_use]
#[track_caller]
pub fn all_tasks() -> Vec<AnyTask> {
    expect_running_loop().all_tasks()
}

/// The task that runs on this thread; none inside of a callback, or where no loop runs:
/// `asyncio.current_task`.
#[must_use]
pub fn current_task() -> Option<AnyTask> {
    TaskRegistry::current_here().map(AnyTask)
}
