//! [`TaskCell`]: a task in one block: what it is as a future, what it is as a task, and its
//! coroutine, in whose place its result stands in the end.
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
//!
//! **Pin Invariant**: a `TaskCell` is made inside of its `Rc` and never leaves it: its one maker is
//! [`TaskCell::start`], which gives it away without its type, so that nobody could take it out; its
//! fields are private to this file, and nobody here does. So a coroutine stays where it was first
//! polled until it is dropped there. The one poll that relies on this is the only `unsafe` of this
//! floor. It saves each task a second block, for the coroutine: a sixth of the time of making and
//! joining one.
#![allow(unsafe_code)]

use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use core::any::type_name;
use core::cell::{Ref, RefCell};
use core::future::Future;
use core::mem::{self, needs_drop};
use core::panic::Location;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use super::callback::Callback;
use super::cancel::cancel_task;
use super::node::{self, Core, HasCore, Node, State, Typed};
use super::shown::show;
use super::step::Step;
use super::task::{Task, task_name};
use super::task_core::{Parked, TaskCore};
use super::tasks::Tasks;
use super::waker::{Trace, task_waker};
use crate::error::{Error, Result};
use crate::event_loop::{ExceptionContext, Job, LoopRef, Mark, drop_quietly, run_callback};

pub(super) struct TaskCell<F, T: 'static> {
    core: Core,
    task: TaskCore,
    /// Borrowed for writing while the coroutine is polled or dropped.
    stage: RefCell<Stage<F, T>>,
}

/// What stands in the place of a task's coroutine.
enum Stage<F, T> {
    Coroutine(F),
    /// It is gone, and left no result.
    Empty,
    Value(T),
}

impl<F: Future<Output = Result<T>> + 'static, T: 'static> TaskCell<F, T> {
    /// A task whose first step is on the ready queue.
    pub(super) fn start(
        home: &Rc<Tasks>,
        coroutine: F,
        spawned_at: &'static Location<'static>,
    ) -> Rc<dyn Typed<T>> {
        let cell = home.insert(|key| {
            Rc::new(TaskCell {
                core: Core::new(home.clone()),
                task: TaskCore::new(key, spawned_at),
                stage: RefCell::new(Stage::Coroutine(coroutine)),
            })
        });
        cell.put_step();
        cell
    }

    /// Polls the coroutine once: state 1 to 2, and on to 1 or 3 or the end. A panic in the poll
    /// goes up to whoever runs the jobs, and comes back by way of [`Node::fail`].
    fn step(self: &Rc<Self>) {
        let task = &self.task;
        let parked = task.parked.replace(Parked::Running);
        let throws = task.throws();
        if throws && matches!(parked, Parked::Unstarted | Parked::Foreign) {
            return self.end_unresumed();
        }
        let home = self.core.home();
        home.enter(self.clone());
        if throws {
            self.throw(home);
        }
        let outcome = self.poll(home);
        if home.leave() {
            self.keep_thrown(home);
        }
        match outcome {
            Poll::Pending => self.settle(),
            Poll::Ready(result) => self.finish(result),
        }
    }

    /// Ends a task that never ran, or that stands at no await of ours at which what is thrown could
    /// come out.
    #[cold]
    fn end_unresumed(self: &Rc<Self>) {
        let error = self.task.take_thrown().unwrap_or(Error::cancelled());
        self.finish(Err(error));
    }

    /// Has the step that began throw.
    #[cold]
    fn throw(&self, home: &Tasks) {
        if let Some(error) = self.task.take_thrown() {
            home.throw(error);
        }
    }

    /// What was thrown and met no await of ours is still to come.
    #[cold]
    fn keep_thrown(&self, home: &Tasks) {
        match home.take_thrown() {
            Some(error) if error.is_cancelled() => self.task.must_cancel(error),
            Some(error) => self.task.throw_next(error),
            None => {}
        }
    }

    /// Polls with the scratch waker, and again with a waker of its own if that was kept.
    fn poll(&self, home: &Tasks) -> Poll<Result<T>> {
        if let Some(own) = self.task.waker.get() {
            return self.poll_with(own);
        }
        let scratch = home.scratch();
        let outcome = self.poll_with(scratch.waker());
        let Trace { kept, woken } = scratch.wipe();
        drop(scratch);
        if kept {
            home.renew_scratch();
        }
        if outcome.is_pending() {
            if kept {
                return self.poll_with(self.make_waker());
            }
            if woken {
                self.task.woke_itself.set(true);
            }
        }
        outcome
    }

    fn poll_with(&self, waker: &Waker) -> Poll<Result<T>> {
        Step::with(|step| step.polls_with(waker));
        match &mut *self.stage.borrow_mut() {
            Stage::Coroutine(coroutine) => {
                // SAFETY: By the Pin Invariant the cell, and so its stage, stays in its place until
                // it is dropped. A coroutine is never moved out of the stage: whoever ends it
                // overwrites the stage, which drops the coroutine where it is.
                let coroutine = unsafe { Pin::new_unchecked(coroutine) };
                coroutine.poll(&mut Context::from_waker(waker))
            }
            Stage::Empty | Stage::Value(_) => Poll::Pending,
        }
    }

    fn make_waker(&self) -> &Waker {
        let home = self.core.home();
        self.task.waker.get_or_init(|| {
            home.add_foreign();
            task_waker(home.on(), self.task.key())
        })
    }

    /// Parks the task after a step that didn't end it.
    fn settle(self: &Rc<Self>) {
        let task = &self.task;
        if Step::with(Step::yields) {
            task.parked.set(Parked::Yielding);
            return self.put_step();
        }
        if task.woke_itself.take() {
            self.put_step();
        }
        if !task.awaits() {
            task.parked.set(Parked::Foreign);
            if task.must_cancel.get() {
                self.put_step();
            }
            return;
        }
        task.parked.set(Parked::Waiting);
        if task.must_cancel.get() && self.cancel_waits(&task.cancellation()) {
            task.must_cancel.set(false);
        }
    }

    /// Puts its step on the ready queue, unless it stands there already or the task is over.
    fn put_step(self: &Rc<Self>) {
        if !self.core.done() && !self.task.scheduled.replace(true) {
            self.core.home().on().schedule(self.clone());
        }
    }

    /// Cancels all that the task awaits. Says whether any of it accepted.
    fn cancel_waits(&self, error: &Error) -> bool {
        let mut accepted = false;
        let (first, more) = self.task.waits();
        for wait in first.into_iter().chain(more) {
            accepted |= wait.cancel(error.clone());
        }
        accepted
    }

    /// Drops the coroutine in its place.
    fn drop_coroutine(&self) {
        let describe = || String::from("<drop of ") + type_name::<F>() + ">";
        let drop = || *self.stage.borrow_mut() = Stage::Empty;
        run_callback(self.core.home().on(), describe, drop);
    }

    /// Ends the task.
    fn finish(self: &Rc<Self>, result: Result<T>) {
        let home = self.core.home();
        self.drop_coroutine();
        if self.task.waker.get().is_some() {
            home.drop_foreign();
        }
        match result {
            Ok(value) if self.task.must_cancel.take() => {
                node::end_with(self, State::Cancelled, self.task.cancellation());
                drop_quietly(home.on(), value);
            }
            Ok(value) => {
                *self.stage.borrow_mut() = Stage::Value(value);
                node::end(self, State::Finished);
            }
            Err(error) if error.is_cancelled() => {
                self.core.tell_first();
                node::end_with(self, State::Cancelled, error);
            }
            Err(error) => node::end_with(self, State::Failed, error),
        }
        home.remove(self.task.key());
    }
}

impl<F: Future<Output = Result<T>> + 'static, T: 'static> Job for TaskCell<F, T> {
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

    fn discard(&self) {
        node::discard_next_callback(&self.core);
    }

    #[cfg(feature = "trace")]
    fn title(&self) -> String {
        let done = if self.task.scheduled.get() { "" } else { "a callback of " };
        String::from(done) + &task_name(&self.core, &self.task)
    }

    fn mark(&self) -> Mark {
        let task = self.task.key().serial;
        if self.task.scheduled.get() { Mark::Step(task) } else { Mark::TaskDone(task) }
    }

    fn describe(&self) -> String {
        format!("<step of {}>", self.show())
    }
}

impl<F: Future<Output = Result<T>> + 'static, T: 'static> HasCore for TaskCell<F, T> {
    fn core(&self) -> &Core {
        &self.core
    }
}

impl<F: Future<Output = Result<T>> + 'static, T: 'static> Node for TaskCell<F, T> {
    fn task(&self) -> Option<&TaskCore> {
        Some(&self.task)
    }

    fn cancel(self: Rc<Self>, error: Error) -> bool {
        cancel_task(self, &error)
    }

    fn call(self: Rc<Self>, callback: &Callback) -> Result<()> {
        callback.call(&Task(self))
    }

    fn schedule_step(self: Rc<Self>) {
        self.put_step();
    }

    fn fail(self: Rc<Self>, panic: Error) {
        self.finish(Err(panic));
    }

    fn abandon(&self) {
        if matches!(*self.stage.borrow(), Stage::Coroutine(_)) {
            report_destroyed(&self.core, &self.task);
            self.drop_coroutine();
        }
        let_go(&self.core, &self.task);
    }

    fn as_job(self: Rc<Self>) -> Rc<dyn Job> {
        self
    }

    fn show(&self) -> String {
        show_task(&self.core, &self.task)
    }
}

impl<F: Future<Output = Result<T>> + 'static, T: 'static> Typed<T> for TaskCell<F, T> {
    fn value(&self) -> Option<Ref<'_, T>> {
        let value = Ref::filter_map(self.stage.borrow(), |stage| match stage {
            Stage::Value(value) => Some(value),
            Stage::Coroutine(_) | Stage::Empty => None,
        });
        value.ok()
    }

    fn node(&self) -> &dyn Node {
        self
    }

    fn as_node(self: Rc<Self>) -> Rc<dyn Node> {
        self
    }
}

impl<F, T: 'static> Drop for TaskCell<F, T> {
    fn drop(&mut self) {
        self.core.report_unread("Task", |context| {
            context.task = Some(show_task(&self.core, &self.task));
        });
        let stage = self.stage.get_mut();
        let value = match stage {
            Stage::Value(_) if needs_drop::<T>() => match mem::replace(stage, Stage::Empty) {
                Stage::Value(value) => Some(value),
                Stage::Coroutine(_) | Stage::Empty => None,
            },
            _ => None,
        };
        self.core.drop_held(value);
    }
}

fn report_destroyed(core: &Core, task: &TaskCore) {
    if task.expendable.get() {
        return;
    }
    let mut context = ExceptionContext::new("Task was destroyed but it is pending!");
    context.task = Some(show_task(core, task));
    core.home().on().call_exception_handler(&context);
}

/// Of what it awaits, and of those who wait for it.
fn let_go(core: &Core, task: &TaskCore) {
    let on = core.home().on();
    drop_quietly(on, task.take_waits());
    drop_quietly(on, core.take_waitings());
}

fn show_task(core: &Core, task: &TaskCore) -> String {
    let pending = if task.cancelling() > 0 { "cancelling" } else { "pending" };
    let made_at = core.home().on().debug().then_some(task.spawned_at);
    show("Task", pending, core, Some(&task_name(core, task)), made_at)
}
