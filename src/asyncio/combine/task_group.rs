//! [`TaskGroup`]: tasks that end before their scope does. If one fails, the others are cancelled.
//!
//! **Abort Invariant**: once the group is aborting, each of its tasks was cancelled, and none
//! is added. It starts to abort with the first of: a task that fails, a body that ends with an
//! error, a cancellation of the parent while it waits for the tasks.
//!
//! A task that fails while the body runs also cancels the parent, so that the body is
//! interrupted. That request is the group's own, and is taken back when the scope is left.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::Cell;
use core::fmt;
use core::future::Future;

use crate::asyncio::core::{AnyFuture, Callback, ErasedFuture, FutureId, WaitReason, WeakCallback};
use crate::asyncio::future::LoopFuture;
use crate::asyncio::future::release;
use crate::asyncio::scope::await_body;
use crate::asyncio::task::Task;
use crate::asyncio::task::{AnyTask, current_task};
use crate::collections::{CellExt, RefCell};
use crate::error::{Error, Result};
use crate::event_loop::{ExceptionContext, LoopRef, running_loop};

/// Makes tasks that don't outlive its scope: asyncio's `TaskGroup`. Clones are the same group.
///
/// ```
/// use std::time::Duration;
/// use callsoon::{Error, ErrorKind, TaskGroup, run, sleep};
///
/// run(async {
///     let ended = TaskGroup::scope(async |group| {
///         group.create_task(sleep(Duration::from_secs(3600)))?;
///         group.create_task::<()>(async { Err(Error::new(ErrorKind::Value, "seven")) })?;
///         Ok(())
///     });
///     let error = ended.await.unwrap_err();
///     assert_eq!(error.group()[0].message(), "seven"); // and no task slept for an hour
///     Ok(())
/// }).unwrap();
/// ```
#[derive(Clone)]
pub struct TaskGroup(Rc<Group>);

struct Group {
    on: LoopRef,
    /// Until the scope is left: the group may be kept for longer, also by what its parent returns.
    parent: Cell<Option<AnyTask>>,
    parent_id: FutureId,
    /// The tasks that are not done, by their serial numbers: in the order in which they were made.
    tasks: RefCell<BTreeMap<u64, ErasedFuture>>,
    /// The callback on all of these. It holds the group.
    on_done: Cell<Option<WeakCallback>>,
    errors: RefCell<Vec<Error>>,
    exiting: Cell<bool>,
    aborting: Cell<bool>,
    /// The group has cancelled its parent, and owes an `uncancel`.
    cancelled_parent: Cell<bool>,
    /// Set when the scope is left. From then on the exception handler is called with the errors of
    /// tasks.
    left: Cell<bool>,
    /// The future that the parent awaits while it waits for the tasks.
    completed: RefCell<Option<LoopFuture<()>>>,
}

impl TaskGroup {
    /// Runs `body` with a new group, and waits until the group's tasks are over:
    /// `async with asyncio.TaskGroup() as group`. It runs in the task that awaits this, the
    /// parent. Returns what the body returns, if nothing fails.
    ///
    /// If a task fails, the others are cancelled, oldest first, and the body is, at its next
    /// await. If the body fails, the tasks are cancelled. A task that is cancelled is no
    /// failure. Tasks may be added also while the scope waits for others.
    ///
    /// # Errors
    ///
    /// A [group](crate::ErrorKind::Group) of what went wrong: the tasks' exceptions in the
    /// order of failing, then the body's. The cancellation of the parent, if nothing else went
    /// wrong. [`Runtime`](crate::ErrorKind::Runtime) outside of a task.
    ///
    /// # Cancellation
    ///
    /// Reaches the body, or the waiting; then the tasks are cancelled, and waited for all the
    /// same. Where tasks have failed too, the group of errors is returned, and the parent is
    /// cancelled at its next await. Dropped, the scope cancels the tasks and can't wait.
    pub async fn scope<T>(body: impl AsyncFnOnce(TaskGroup) -> Result<T>) -> Result<T> {
        let on = running_loop()?;
        let Some(parent) = current_task() else {
            return Err(Error::runtime("TaskGroup <TaskGroup> cannot determine the parent task"));
        };
        let group = TaskGroup(Rc::new(Group {
            on,
            parent_id: parent.id(),
            parent: Cell::new(Some(parent)),
            tasks: RefCell::default(),
            on_done: Cell::new(None),
            errors: RefCell::default(),
            exiting: Cell::new(false),
            aborting: Cell::new(false),
            cancelled_parent: Cell::new(false),
            left: Cell::new(false),
            completed: RefCell::new(None),
        }));
        let inside = GroupGuard(group.0.clone());
        let outcome = await_body!(body(group));
        inside.0.exit(outcome).await
    }

    /// Has the loop drive `future` as one of the group's tasks, from the next turn on.
    ///
    /// # Errors
    ///
    /// [`Runtime`](crate::ErrorKind::Runtime) once something has failed, or the scope is left;
    /// [`Closed`](crate::ErrorKind::Closed) after the loop has closed. `future` is dropped.
    #[track_caller]
    pub fn create_task<T: 'static>(
        &self,
        future: impl Future<Output = Result<T>> + 'static,
    ) -> Result<Task<T>> {
        let group = &self.0;
        if group.exiting.get() && group.tasks.borrow().is_empty() {
            return Err(Error::runtime(format!("TaskGroup {self:?} is finished")));
        }
        if group.aborting.get() {
            return Err(Error::runtime(format!("TaskGroup {self:?} is shutting down")));
        }
        let task = group.on.create_task(future)?;
        group.tasks.borrow_mut().insert(task.header().serial(), task.erased().clone());
        task.erased().add_callback(group.on_done());
        Ok(task)
    }
}

impl Group {
    fn parent(&self) -> Option<AnyTask> {
        self.parent.with(|parent| parent.clone())
    }

    fn is_empty(&self) -> bool {
        self.tasks.borrow().is_empty()
    }

    /// The callback on the tasks, made anew where none of them has it.
    fn on_done(self: &Rc<Self>) -> Callback {
        let in_use = self.on_done.with(|weak| weak.as_ref().and_then(WeakCallback::upgrade));
        in_use.unwrap_or_else(|| {
            let own = self.clone();
            let on_done =
                Callback::telling(self.parent_id, move |task: &dyn AnyFuture| own.task_done(task));
            self.on_done.set(Some(on_done.downgrade()));
            on_done
        })
    }

    /// Cancels the tasks, oldest first.
    fn abort(&self) {
        self.aborting.set(true);
        let tasks: Vec<_> = self.tasks.borrow().values().cloned().collect();
        for task in tasks {
            task.cancel();
        }
    }

    fn task_done(&self, task: &dyn AnyFuture) -> Result<()> {
        if let Some(own) = task.erased().and_then(ErasedFuture::task) {
            let removed = self.tasks.borrow_mut().remove(&own.serial());
            drop(removed);
        }
        if self.is_empty() {
            let completed = self.completed.borrow().clone();
            if let Some(completed) = completed {
                release(&completed)?;
            }
        }
        if task.cancelled() {
            return Ok(());
        }
        let Some(error) = task.exception()? else { return Ok(()) };
        if self.left.get() {
            let message = "a task of a TaskGroup has failed after its scope was dropped";
            let mut context = ExceptionContext::new(message);
            context.exception = Some(error);
            context.task = Some(task.name());
            self.on.call_exception_handler(&context);
            return Ok(());
        }
        self.errors.borrow_mut().push(error);
        if !self.aborting.get() && !self.cancelled_parent.get() {
            self.abort();
            if let Some(parent) = self.parent() {
                self.cancelled_parent.set(true);
                parent.cancel();
            }
        }
        Ok(())
    }

    /// Leaves the scope with what the body gave.
    async fn exit<T>(&self, outcome: Result<T>) -> Result<T> {
        self.exiting.set(true);
        if outcome.is_err() && !self.aborting.get() {
            self.abort();
        }
        let mut interrupted = self.wait_for_tasks().await;
        let (value, failure) = match outcome {
            Ok(value) => (Some(value), None),
            Err(error) if error.is_cancelled() => {
                interrupted.get_or_insert(error);
                (None, None)
            }
            Err(error) => (None, Some(error)),
        };
        // There are errors then, and they go before the cancellation.
        self.uncancel_parent();
        let mut errors = self.errors.take();
        if errors.is_empty() {
            if let Some(cancelled) = interrupted {
                return Err(cancelled);
            }
        }
        errors.extend(failure);
        match value {
            Some(value) if errors.is_empty() => Ok(value),
            _ => {
                self.cancel_parent_again();
                Err(Error::from_group("unhandled errors in a TaskGroup", errors))
            }
        }
    }

    /// Waits until there are no tasks left, however often the parent is cancelled meanwhile.
    /// Returns the cancellation that made the group abort, if one did.
    async fn wait_for_tasks(&self) -> Option<Error> {
        let mut interrupted = None;
        while !self.is_empty() {
            let completed = LoopFuture::with_reason(&self.on, WaitReason::Group);
            self.completed.replace(Some(completed.clone()));
            let waited = completed.await;
            self.completed.take();
            if let Err(error) = waited {
                if !self.aborting.get() {
                    interrupted = Some(error);
                    self.abort();
                }
            }
        }
        interrupted
    }

    /// The errors go before a cancellation of the parent that came from outside. So that it
    /// isn't lost, the parent's next await is to return it; the count of requests stays.
    fn cancel_parent_again(&self) {
        if let Some(parent) = self.parent().filter(|parent| parent.cancelling() > 0) {
            parent.uncancel();
            parent.cancel();
        }
    }

    /// Takes the group's own cancellation of its parent back.
    fn uncancel_parent(&self) {
        if let Some(parent) = self.parent().filter(|_| self.cancelled_parent.take()) {
            parent.uncancel();
        }
    }
}

/// A guard for the scope of a group: its drop leaves the scope.
struct GroupGuard(Rc<Group>);

impl Drop for GroupGuard {
    fn drop(&mut self) {
        let group = &self.0;
        group.exiting.set(true);
        group.left.set(true);
        // The rest is for a scope that is dropped half way: any other has done it.
        if !group.is_empty() {
            group.abort();
        }
        group.uncancel_parent();
        drop(group.parent.take());
    }
}

impl fmt::Debug for TaskGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<TaskGroup")?;
        let counts =
            [("tasks", self.0.tasks.borrow().len()), ("errors", self.0.errors.borrow().len())];
        for (name, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
            write!(f, " {name}={count}")?;
        }
        f.write_str(if self.0.aborting.get() { " cancelling>" } else { " entered>" })
    }
}
