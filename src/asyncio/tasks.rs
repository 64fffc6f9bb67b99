//! [`Tasks`]: what a loop knows of its tasks. This is the floor's part of the loop.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::any::Any;
use core::cell::{Cell, Ref, RefCell};
use core::ptr;
use core::task::{RawWakerVTable, Waker};

use super::cancel::Cancelling;
#[cfg(feature = "std")]
use super::executor::DefaultExecutor;
use super::generator::Generators;
use super::node::Node;
use super::task_slab::{TaskKey, TaskSlab};
use super::waker::Scratch;
use crate::error::Error;
use crate::event_loop::{LoopRef, Upstairs, WakeKey, current_loop};

pub(crate) struct Tasks {
    on: LoopRef,
    slab: RefCell<TaskSlab<Rc<dyn Node>>>,
    step: Step,
    scratch: RefCell<Scratch>,
    /// How many tasks have a waker that somebody outside may hold.
    foreign: Cell<usize>,
    pub(crate) generators: Generators,
    pub(crate) cancelling: Cancelling,
    #[cfg(feature = "std")]
    pub(crate) executor: DefaultExecutor,
}

/// The step that is going on: what the task tells the futures that it polls, and what they
/// tell the task.
#[derive(Default)]
struct Step {
    /// Whose step it is.
    task: Cell<Option<Rc<dyn Node>>>,
    /// The waker that the task is polled with, by its data and its functions.
    waker: Cell<Option<(*const (), &'static RawWakerVTable)>>,
    /// What the first of our futures that is polled is to return: Python's `coro.throw(error)`.
    thrown: Cell<Option<Error>>,
    /// The task gives way until the next turn.
    yields: Cell<bool>,
    /// How many there were, this one included.
    count: Cell<u64>,
}

impl Tasks {
    /// The tasks of `on`; of a loop that has closed, an empty place for what is made too late.
    pub(crate) fn of(on: &LoopRef) -> Rc<Tasks> {
        if let Some(upstairs) = on.upstairs() {
            if let Ok(tasks) = upstairs.as_any().downcast() {
                return tasks;
            }
        }
        let tasks = Rc::new(Tasks {
            on: on.clone(),
            slab: RefCell::new(TaskSlab::new()),
            step: Step::default(),
            scratch: RefCell::new(Scratch::new()),
            foreign: Cell::new(0),
            generators: Generators::default(),
            cancelling: Cancelling::default(),
            #[cfg(feature = "std")]
            executor: DefaultExecutor::default(),
        });
        if !on.is_closed() {
            on.set_upstairs(tasks.clone());
        }
        tasks
    }

    /// Those of the loop that runs on this thread.
    pub(crate) fn running() -> Option<Rc<Tasks>> {
        current_loop().map(|on| Tasks::of(&on))
    }

    pub(crate) fn on(&self) -> &LoopRef {
        &self.on
    }

    // -- the slab

    /// Holds the task that `make` makes of its key.
    pub(crate) fn insert<N: Node + 'static>(&self, make: impl FnOnce(TaskKey) -> Rc<N>) -> Rc<N> {
        let mut slab = self.slab.borrow_mut();
        let task = make(slab.next_key());
        slab.insert(task.clone());
        task
    }

    /// A task is over: the loop need not hold it any longer.
    pub(crate) fn remove(&self, key: TaskKey) {
        let removed = self.slab.borrow_mut().remove(key);
        drop(removed);
    }

    /// Cancels a task, unless it is over.
    #[cfg(feature = "std")]
    pub(crate) fn cancel(&self, key: TaskKey) {
        let task = self.slab.borrow().get(key).cloned();
        if let Some(task) = task {
            task.cancel(Error::cancelled());
        }
    }

    /// The tasks that are not done, oldest first.
    pub(crate) fn all(&self) -> Vec<Rc<dyn Node>> {
        self.slab.borrow().in_order()
    }

    // -- the step

    /// Starts a step of `task`, in which the first of our futures polled returns `thrown`.
    pub(crate) fn enter(&self, task: Rc<dyn Node>, thrown: Option<Error>) {
        self.step.task.set(Some(task));
        if thrown.is_some() {
            self.step.thrown.set(thrown);
        }
        self.step.yields.set(false);
        self.step.count.set(self.step.count.get() + 1);
    }

    /// The task is polled with `waker` now.
    pub(crate) fn polls_with(&self, waker: &Waker) {
        self.step.waker.set(Some((waker.data(), waker.vtable())));
    }

    /// Ends the step. Gives back what was to be thrown and met none of our futures.
    pub(crate) fn leave(&self) -> Option<Error> {
        let task = self.step.task.take();
        drop(task);
        self.step.thrown.take()
    }

    pub(crate) fn current(&self) -> Option<Rc<dyn Node>> {
        let task = self.step.task.take();
        self.step.task.set(task.clone());
        task
    }

    /// Whether a step of a task of this loop is going on.
    pub(crate) fn in_step(&self) -> bool {
        let task = self.step.task.take();
        let in_step = task.is_some();
        self.step.task.set(task);
        in_step
    }

    pub(crate) fn take_thrown(&self) -> Option<Error> {
        self.step.thrown.take()
    }

    /// Has the first of our futures that is polled next return `error`.
    pub(crate) fn throw(&self, error: Error) {
        self.step.thrown.set(Some(error));
    }

    /// The how manieth step of the loop it is; 0 while there is none.
    pub(crate) fn step_number(&self) -> u64 {
        if self.in_step() { self.step.count.get() } else { 0 }
    }

    /// The task that is polled asks for a step in the next turn.
    pub(crate) fn give_way(&self) {
        self.step.yields.set(true);
    }

    pub(crate) fn takes_way(&self) -> bool {
        self.step.yields.take()
    }

    // -- wakers

    /// A waker for one poll.
    pub(crate) fn scratch(&self) -> Ref<'_, Scratch> {
        self.scratch.borrow()
    }

    /// Somebody keeps the scratch waker: leave it to them.
    pub(crate) fn renew_scratch(&self) {
        let kept = self.scratch.replace(Scratch::new());
        drop(kept);
    }

    /// Whether `waker` leads straight to the task whose step it is, which is polled with it. Asked
    /// within a step.
    pub(crate) fn is_direct(&self, waker: &Waker) -> bool {
        let own = self.step.waker.get();
        own.is_some_and(|(data, functions)| {
            data == waker.data() && ptr::eq(functions, waker.vtable())
        })
    }

    pub(crate) fn add_foreign(&self) {
        self.foreign.set(self.foreign.get() + 1);
    }

    pub(crate) fn drop_foreign(&self) {
        self.foreign.set(self.foreign.get() - 1);
    }
}

impl Upstairs for Tasks {
    fn wake(&self, key: WakeKey) {
        let task = self.slab.borrow().get(key).cloned();
        if let Some(task) = task {
            task.schedule_step();
        }
    }

    fn take_panic(&self, panic: Error) -> Option<Error> {
        let Some(task) = self.current() else { return Some(panic) };
        self.leave();
        self.renew_scratch();
        task.fail(panic);
        None
    }

    fn could_be_woken(&self) -> bool {
        self.foreign.get() != 0
    }

    fn close(&self) {
        let tasks = self.slab.borrow().in_order();
        for task in tasks {
            task.abandon();
        }
        let left = self.slab.replace(TaskSlab::new());
        drop(left);
        self.generators.abandon(&self.on);
        #[cfg(feature = "std")]
        self.executor.abandon();
    }

    fn as_any(self: Rc<Self>) -> Rc<dyn Any> {
        self
    }
}
