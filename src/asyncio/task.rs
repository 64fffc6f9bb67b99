//! [`Task`]: a Rust future driven by the loop, as a future with callbacks.
//!
//! **Step Invariant**: a task that is not over is in one of three states, by what it waits for
//! (`parked`) and whether its step is on the ready queue (`scheduled`):
//!
//! 1. *Scheduled*: the step is on the queue (`Unstarted`, `Yielding`, or woken).
//! 2. *Running*: [`TaskCell::step`] polls the coroutine (`Running`).
//! 3. *Parked*: not scheduled. The futures that it awaits are in `waits` and have it among
//!    those who wait (`Waiting`), or somebody outside holds its waker (`Foreign`).
//!
//! 1 → 2: `step` starts. 2 → 1: it gives way (`settle`), or is woken while it runs. 2 → 3:
//! `settle`. 3 → 1: the end of what it awaits (`node::end`), or its waker
//! (`Tasks::wake`), or a cancellation that nothing awaited could take (`Node::cancel`), all
//! by `schedule_step`. So a step is on the queue at most once.

use alloc::boxed::Box;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use core::any::Any;
use core::cell::{Cell, OnceCell};
use core::fmt;
use core::future::{Future, IntoFuture};
use core::panic::Location;
use core::task::{Context, Poll, Waker};

use super::await_future::Await;
use super::callback::Callback;
use super::cancel::cancel_task;
use super::future::{Coroutine, impl_handle, show};
use super::future_like::{AnyFuture, FutureId, FutureLike, WeakFuture};
use super::node::{self, Core, Node, State, Typed, Waiting, schedule_step};
use super::task_core::{Parked, TaskCore};
use super::tasks::{TaskNode, Tasks};
use super::waker::task_waker;
use super::watcher::Watcher;
use crate::error::{Error, Result};
use crate::event_loop::{ExceptionContext, Job, LoopRef, drop_quietly, running_loop};
use crate::panics;

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
///     })?;
///     yield_now().await?;
///     assert!(task.cancel());
///     assert!(task.clone().await.unwrap_err().is_cancelled());
///     assert!(task.cancelled());
///     Ok(())
/// }).unwrap();
/// ```
pub struct Task<T: 'static>(Rc<TaskCell<T>>);

struct TaskCell<T: 'static> {
    core: Core,
    task: TaskCore,
    value: OnceCell<T>,
    /// Away while it is polled, and for good once it is over.
    coroutine: Cell<Option<Coroutine<T>>>,
}

impl LoopRef {
    /// Has the loop drive `future`, from the next turn on: asyncio's `create_task`.
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed) after the loop has closed; `future` is dropped.
    #[track_caller]
    pub fn create_task<T: 'static>(
        &self,
        future: impl Future<Output = Result<T>> + 'static,
    ) -> Result<Task<T>> {
        self.check_open()?;
        Ok(Task::start(Tasks::of(self), Box::pin(future), Location::caller()))
    }
}

impl LoopRef {
    /// A task that isn't missed if the loop is stopped and closed before it is over.
    #[track_caller]
    pub(crate) fn create_main_task<T: 'static>(
        &self,
        future: impl Future<Output = Result<T>> + 'static,
    ) -> Result<Task<T>> {
        let task = self.create_task(future)?;
        task.0.task.expendable.set(true);
        Ok(task)
    }

    /// A task that counts as started, although its first step is still to come: cancelled
    /// before that, it is told as at any await, and not just dropped.
    pub(crate) fn create_started_task<T: 'static>(
        &self,
        future: impl Future<Output = Result<T>> + 'static,
    ) -> Result<Task<T>> {
        let task = self.create_task(future)?;
        task.0.task.parked.set(Parked::Yielding);
        Ok(task)
    }
}

/// [`create_task`](LoopRef::create_task) on the loop that runs on this thread.
///
/// # Errors
///
/// [`Runtime`](crate::ErrorKind::Runtime) where none does.
#[track_caller]
pub fn create_task<T: 'static>(
    future: impl Future<Output = Result<T>> + 'static,
) -> Result<Task<T>> {
    running_loop()?.create_task(future)
}

impl<T: 'static> Task<T> {
    fn start(home: Rc<Tasks>, coroutine: Coroutine<T>, at: &'static Location<'static>) -> Task<T> {
        let mut made = None;
        home.insert(|key| {
            let cell = Rc::new(TaskCell {
                core: Core::new(home.clone()),
                task: TaskCore::new(key, at),
                value: OnceCell::new(),
                coroutine: Cell::new(Some(coroutine)),
            });
            made.insert(cell).clone()
        });
        let task = Task(made.expect("insert makes what it inserts"));
        schedule_step(&task.node());
        task
    }

    fn node(&self) -> Rc<dyn Node> {
        self.0.clone()
    }

    /// Asks the task to end: the await that it is parked on returns `Err(Cancelled)`. Says
    /// whether it was asked in time: a task that is over refuses.
    ///
    /// It is not cancelled yet when this returns, and never may be: see [`Task`]. What it
    /// awaits is cancelled in turn, if that is one of this crate's futures or tasks. A task
    /// that was not started never runs; one parked on a bare foreign future, which knows
    /// nothing of cancellation, is dropped (see [`wrap_future`](crate::wrap_future)); one that
    /// runs just now is told at its next await.
    pub fn cancel(&self) -> bool {
        self.node().cancel(Error::cancelled())
    }

    /// As [`cancel`](Task::cancel), with a message that the error will carry: the one that the
    /// coroutine is given, and, if it lets that through, the one that the first is given who
    /// awaits the task or asks for its result or exception. Who asks later is given a
    /// cancellation without a message, as in asyncio.
    pub fn cancel_with(&self, message: impl Into<String>) -> bool {
        self.node().cancel(Error::cancelled_with(message))
    }

    /// Whether it was cancelled with a message that only the first who asks is told.
    pub(super) fn tells_first(&self) -> bool {
        self.cancelled() && !self.0.core.tells_all()
    }

    /// What it is beside its value.
    pub(super) fn core(&self) -> &TaskCore {
        &self.0.task
    }

    /// The loop that it belongs to: asyncio's `get_loop`.
    #[must_use]
    pub fn get_loop(&self) -> LoopRef {
        self.0.core.home().on().clone()
    }

    /// How often it was asked to cancel, less the [`uncancel`](Task::uncancel)s.
    #[must_use]
    pub fn cancelling(&self) -> usize {
        self.0.task.cancels.get()
    }

    /// Takes one request to cancel back, and says how many are left. When none is left, a
    /// cancellation that was not delivered yet is off. For those who asked for it: a scope
    /// with a timeout, say.
    pub fn uncancel(&self) -> usize {
        self.0.task.uncancel()
    }

    /// What it is called: `Task-7`, unless it was given a name.
    #[must_use]
    pub fn name(&self) -> String {
        task_name(&self.0.core, &self.0.task)
    }

    /// Gives it a name.
    pub fn set_name(&self, name: &str) {
        self.0.core.set_name(name);
    }

    /// Where in the source it was made.
    #[must_use]
    pub fn spawned_at(&self) -> &'static Location<'static> {
        self.0.task.spawned_at
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
        let typed: &dyn Typed<T> = &*self.0;
        typed.read()
    }

    /// Refused: a task's result is its own.
    ///
    /// # Errors
    ///
    /// Always [`Runtime`](crate::ErrorKind::Runtime).
    pub fn set_result(&self, _value: T) -> Result<()> {
        self.check_settable()
    }

    fn check_settable(&self) -> Result<()> {
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

pub(crate) fn task_name(core: &Core, task: &TaskCore) -> String {
    core.name().map_or_else(|| format!("Task-{}", task.key.serial), |name| name.to_string())
}

impl<T: 'static> TaskCell<T> {
    /// Polls the coroutine once: state 1 to 2, and on to 1 or 3 or the end.
    fn step(self: Rc<Self>) {
        let node: Rc<dyn Node> = self.clone();
        let task = &self.task;
        let parked = task.parked.replace(Parked::Running);
        let thrown = if task.must_cancel.take() {
            Some(task.cancellation())
        } else {
            task.throw_next.take()
        };
        if let Some(error) = &thrown {
            if matches!(parked, Parked::Unstarted | Parked::Foreign) {
                return self.finish(Err(error.clone()));
            }
        }
        let Some(mut coroutine) = self.coroutine.take() else { return };
        let home = self.core.home();
        home.enter(node, thrown);
        let outcome = panics::caught(|| self.poll(&mut coroutine));
        // What was thrown and met no await of ours is still to come.
        match home.leave() {
            Some(error) if error.is_cancelled() => task.must_cancel(error),
            Some(error) => task.throw_next.set(Some(error)),
            None => {}
        }
        match outcome {
            Ok(Poll::Pending) => {
                self.coroutine.set(Some(coroutine));
                self.settle();
            }
            Ok(Poll::Ready(result)) => {
                drop_quietly(home.on(), coroutine);
                self.finish(result);
            }
            Err(panic) => {
                drop_quietly(home.on(), coroutine);
                self.finish(Err(panic));
            }
        }
    }

    /// Polls with the scratch waker, and again with a waker of its own if that was kept.
    fn poll(&self, coroutine: &mut Coroutine<T>) -> Poll<Result<T>> {
        let own = self.task.waker.borrow().clone();
        if let Some(own) = own {
            return coroutine.as_mut().poll(&mut Context::from_waker(&own));
        }
        let home = self.core.home();
        let scratch = home.scratch();
        let outcome =
            panics::caught(|| coroutine.as_mut().poll(&mut Context::from_waker(scratch.waker())));
        let kept = scratch.was_kept();
        if kept {
            home.renew_scratch();
        }
        let woken = scratch.take_woken();
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(panic) => Poll::Ready(Err(panic)),
        };
        if outcome.is_ready() {
            return outcome;
        }
        if kept {
            return coroutine.as_mut().poll(&mut Context::from_waker(&self.make_waker()));
        }
        if woken {
            self.task.woke_itself.set(true);
        }
        outcome
    }

    fn make_waker(&self) -> Waker {
        let home = self.core.home();
        home.add_foreign();
        let waker = task_waker(home.on(), self.task.key);
        self.task.waker.replace(Some(waker.clone()));
        waker
    }

    /// Parks the task after a step that didn't end it.
    fn settle(self: Rc<Self>) {
        let task = &self.task;
        let node: Rc<dyn Node> = self.clone();
        if self.core.home().takes_way() {
            task.parked.set(Parked::Yielding);
            return schedule_step(&node);
        }
        if task.woke_itself.take() {
            schedule_step(&node);
        }
        if task.waits.borrow().is_empty() {
            task.parked.set(Parked::Foreign);
            if task.must_cancel.get() {
                schedule_step(&node);
            }
            return;
        }
        task.parked.set(Parked::Waiting);
        if task.must_cancel.get() && self.cancel_waits(&task.cancellation()) {
            task.must_cancel.set(false);
        }
    }

    /// Cancels all that the task awaits. Says whether any of it accepted.
    fn cancel_waits(&self, error: &Error) -> bool {
        let waits = self.task.waits.borrow().snapshot();
        let mut accepted = false;
        for wait in waits {
            accepted |= wait.cancel(error.clone());
        }
        accepted
    }

    /// Ends the task. The coroutine is gone already, or was never started.
    fn finish(self: Rc<Self>, result: Result<T>) {
        let home = self.core.home().clone();
        if let Some(unstarted) = self.coroutine.take() {
            drop_quietly(home.on(), unstarted);
        }
        let waker = self.task.waker.take();
        if waker.is_some() {
            home.drop_foreign();
        }
        drop(waker);
        let node: Rc<dyn Node> = self.clone();
        match result {
            Ok(value) if self.task.must_cancel.take() => {
                node::end_with(&node, State::Cancelled, self.task.cancellation());
                drop_quietly(home.on(), value);
            }
            Ok(value) => {
                // A task that is not over holds no value yet.
                let _ = self.value.set(value);
                node::end(&node, State::Finished);
            }
            Err(error) if error.is_cancelled() => {
                self.core.tell_first();
                node::end_with(&node, State::Cancelled, error);
            }
            Err(error) => node::end_with(&node, State::Failed, error),
        }
        home.remove(self.task.key);
    }

    fn report_destroyed(&self) {
        if self.task.expendable.get() {
            return;
        }
        let mut context = ExceptionContext::new("Task was destroyed but it is pending!");
        context.task = Some(self.show());
        self.core.home().on().call_exception_handler(&context);
    }
}

impl<T: 'static> Job for TaskCell<T> {
    fn run(self: Rc<Self>, on: &LoopRef) {
        // By the Step Invariant the first job of a scheduled task is its step, also when the
        // task has ended meanwhile: then there is nothing to do.
        if self.task.scheduled.replace(false) {
            if !self.core.done() {
                self.step();
            }
            return;
        }
        let node: Rc<dyn Node> = self;
        node::run_next_callback(&node, on);
    }

    fn describe(&self) -> String {
        format!("<step of {}>", self.show())
    }
}

impl<T: 'static> Node for TaskCell<T> {
    fn core(&self) -> &Core {
        &self.core
    }

    fn task(&self) -> Option<&TaskCore> {
        Some(&self.task)
    }

    fn cancel(self: Rc<Self>, error: Error) -> bool {
        cancel_task(self, &error)
    }

    fn call(self: Rc<Self>, callback: &Callback) -> Result<()> {
        callback.call(&Task(self))
    }

    fn as_job(self: Rc<Self>) -> Rc<dyn Job> {
        self
    }

    fn show(&self) -> String {
        let pending = if self.task.cancels.get() > 0 { "cancelling" } else { "pending" };
        show("Task", pending, &self.core, Some(&task_name(&self.core, &self.task)))
    }
}

impl<T: 'static> Typed<T> for TaskCell<T> {
    fn value(&self) -> &OnceCell<T> {
        &self.value
    }

    fn as_node(self: Rc<Self>) -> Rc<dyn Node> {
        self
    }
}

impl<T: 'static> TaskNode for TaskCell<T> {
    fn as_node(self: Rc<Self>) -> Rc<dyn Node> {
        self
    }

    fn abandon(&self) {
        if let Some(coroutine) = self.coroutine.take() {
            self.report_destroyed();
            drop_quietly(self.core.home().on(), coroutine);
        }
        let on = self.core.home().on();
        drop_quietly(on, self.task.waits.take());
        drop(self.task.waker.take());
        drop_quietly(on, self.core.take_waitings());
    }
}

impl<T: 'static> Drop for TaskCell<T> {
    fn drop(&mut self) {
        self.core.report_unread("Task", |context| context.task = Some(self.show()));
    }
}
