//! [`Tasks`]: what a loop knows of its tasks. This is the floor's part of the loop.

use alloc::rc::{Rc, Weak};
use alloc::vec::Vec;
use core::any::Any;
use core::cell::{Cell, Ref, RefCell};
use core::future::Future;
use core::pin::Pin;

use super::cancel::Cancelling;
#[cfg(feature = "std")]
use super::executor::DefaultExecutor;
use super::gather::Gatherings;
use super::generators::Generators;
use super::look_into::look_into;
use super::node::{Node, same};
use super::runner::Stage;
use super::step::Step;
use super::waker::Scratch;
use crate::error::{Error, Result};
use crate::event_loop::{LoopRef, SerialKey, SerialSlab, Upstairs, running_loop, thread_own};

// Those that were last looked for on this thread, until a loop closes here.
thread_own! {
    static LATEST: RefCell<Option<Rc<Tasks>>> = RefCell::new(None);
}

/// Those that were looked for last, if `are_they` says that they are the ones meant. None are
/// known while the thread's locals are taken down.
#[inline]
fn latest(are_they: impl FnOnce(&Tasks) -> bool) -> Option<Rc<Tasks>> {
    let of_latest = |latest: &RefCell<Option<Rc<Tasks>>>| {
        latest.borrow().as_ref().filter(|tasks| are_they(tasks)).cloned()
    };
    LATEST.try_with(of_latest).ok().flatten()
}

fn set_latest(tasks: Option<Rc<Tasks>>) {
    let before = LATEST.try_with(|latest| latest.replace(tasks));
    drop(before);
}

/// Ends what a loop has besides tasks, in stages.
pub(super) type Ending = fn(&LoopRef, Stage) -> Pin<Box<dyn Future<Output = Result<()>>>>;

pub(crate) struct Tasks {
    me: Weak<Tasks>,
    on: LoopRef,
    slab: RefCell<SerialSlab<Rc<dyn Node>>>,
    /// How many steps there were.
    steps: Cell<u64>,
    /// Whose step it is, if one goes on.
    current: Cell<Option<Rc<dyn Node>>>,
    /// What the first of our futures that is polled in this step is to return: Python's
    /// `coro.throw(error)`. The step knows whether there is something.
    thrown: Cell<Option<Error>>,
    scratch: RefCell<Scratch>,
    /// How many tasks have a waker that somebody outside may hold.
    foreign: Cell<usize>,
    /// What ends the things besides tasks that a loop waits for at its end, once it has any: a
    /// program that never has one does without the code for it.
    ending: Cell<Option<Ending>>,
    pub(crate) generators: Generators,
    pub(crate) gatherings: Gatherings,
    pub(crate) cancelling: Cancelling,
    #[cfg(feature = "std")]
    pub(crate) executor: DefaultExecutor,
}

impl Tasks {
    /// The tasks of `on`; of a loop that has closed, an empty place for what is made too late.
    #[inline]
    pub(crate) fn of(on: &LoopRef) -> Rc<Tasks> {
        latest(|tasks| tasks.on.ptr_eq(on)).unwrap_or_else(|| Tasks::find(on))
    }

    /// Those of the loop that runs on this thread.
    #[inline]
    pub(crate) fn running() -> Result<Rc<Tasks>> {
        match latest(Tasks::in_step) {
            Some(tasks) => Ok(tasks),
            None => running_loop().map(|on| Tasks::of(&on)),
        }
    }

    /// The task whose step goes on on this thread.
    pub(crate) fn current_here() -> Option<Rc<dyn Node>> {
        Tasks::running().ok()?.current()
    }

    fn find(on: &LoopRef) -> Rc<Tasks> {
        let found = on.with_upstairs(|up| Tasks::behind(up)?.me.upgrade()).flatten();
        let tasks = found.unwrap_or_else(|| Tasks::new(on));
        if !on.is_closed() {
            set_latest(Some(tasks.clone()));
        }
        tasks
    }

    fn new(on: &LoopRef) -> Rc<Tasks> {
        let tasks = Rc::new_cyclic(|me| Tasks {
            me: me.clone(),
            on: on.clone(),
            slab: RefCell::new(SerialSlab::new()),
            steps: Cell::new(0),
            current: Cell::new(None),
            thrown: Cell::new(None),
            scratch: RefCell::new(Scratch::new()),
            foreign: Cell::new(0),
            ending: Cell::new(None),
            generators: Generators::default(),
            gatherings: Gatherings::default(),
            cancelling: Cancelling::default(),
            #[cfg(feature = "std")]
            executor: DefaultExecutor::default(),
        });
        if !on.is_closed() {
            on.set_upstairs(tasks.clone());
        }
        if cfg!(debug_assertions) {
            on.log_at_stalls(LoopRef::waits);
        }
        tasks
    }

    fn behind(upstairs: &dyn Upstairs) -> Option<&Tasks> {
        upstairs.as_any().downcast_ref()
    }

    #[inline]
    pub(crate) fn on(&self) -> &LoopRef {
        &self.on
    }

    // -- the slab

    /// Holds the task that `make` makes of its key.
    pub(crate) fn insert<N: Node + 'static>(&self, make: impl FnOnce(SerialKey) -> Rc<N>) -> Rc<N> {
        let mut slab = self.slab.borrow_mut();
        let task = make(slab.next_key());
        slab.insert(task.clone());
        task
    }

    /// A task is over: the loop need not hold it any longer.
    pub(crate) fn remove(&self, key: SerialKey) {
        let removed = self.slab.borrow_mut().remove(key);
        drop(removed);
    }

    /// Cancels a task, unless it is over.
    #[cfg(feature = "std")]
    pub(crate) fn cancel(&self, key: SerialKey) {
        let task = self.slab.borrow().get(key).cloned();
        if let Some(task) = task {
            task.cancel(Error::cancelled());
        }
    }

    /// The tasks that are not done, oldest first.
    pub(crate) fn all(&self) -> Vec<Rc<dyn Node>> {
        self.slab.borrow().in_order()
    }

    pub(super) fn has_tasks(&self) -> bool {
        !self.slab.borrow().is_empty()
    }

    // -- the step

    /// Starts a step of `task`.
    #[inline]
    pub(crate) fn enter(&self, task: Rc<dyn Node>) {
        let number = self.steps.get() + 1;
        self.steps.set(number);
        self.current.set(Some(task));
        Step::with(|step| step.begin(self, number));
    }

    /// Ends the step. Says whether something was to be thrown and met none of our futures.
    #[inline]
    pub(crate) fn leave(&self) -> bool {
        let task = self.current.take();
        drop(task);
        Step::with(Step::end)
    }

    #[inline]
    pub(crate) fn current(&self) -> Option<Rc<dyn Node>> {
        look_into(&self.current, |task| task.clone())
    }

    /// Whether it is a step of `task` that goes on.
    pub(crate) fn is_current(&self, task: &Rc<dyn Node>) -> bool {
        look_into(&self.current, |current| current.as_ref().is_some_and(|own| same(own, task)))
    }

    /// Whether a step of a task of this loop is going on.
    #[inline]
    pub(crate) fn in_step(&self) -> bool {
        Step::with(|step| step.is_of(self))
    }

    #[inline]
    pub(crate) fn take_thrown(&self) -> Option<Error> {
        Step::with(Step::take_throws).then(|| self.thrown.take()).flatten()
    }

    /// The same for the loop that runs on this thread.
    #[cold]
    pub(super) fn take_thrown_here() -> Option<Error> {
        Tasks::running().ok()?.take_thrown()
    }

    /// Has the first of our futures that is polled next in this step return `error`.
    pub(crate) fn throw(&self, error: Error) {
        self.thrown.set(Some(error));
        Step::with(Step::set_throws);
    }

    // -- the end

    pub(super) fn end_by(&self, ending: Ending) {
        self.ending.set(Some(ending));
    }

    pub(super) fn ending(&self) -> Option<Ending> {
        self.ending.get()
    }

    // -- wakers

    /// A waker for one poll.
    #[inline]
    pub(crate) fn scratch(&self) -> Ref<'_, Scratch> {
        self.scratch.borrow()
    }

    /// Somebody keeps the scratch waker: leave it to them.
    pub(crate) fn renew_scratch(&self) {
        let kept = self.scratch.replace(Scratch::new());
        drop(kept);
    }

    pub(crate) fn add_foreign(&self) {
        self.foreign.set(self.foreign.get() + 1);
    }

    pub(crate) fn drop_foreign(&self) {
        self.foreign.set(self.foreign.get() - 1);
    }
}

impl Upstairs for Tasks {
    fn wake(&self, key: SerialKey) {
        let task = self.slab.borrow().get(key).cloned();
        if let Some(task) = task {
            task.schedule_step();
        }
    }

    fn take_panic(&self, panic: Error) -> Option<Error> {
        let Some(task) = self.current() else { return Some(panic) };
        if self.leave() {
            drop(self.take_thrown());
        }
        self.renew_scratch();
        task.fail(panic);
        None
    }

    fn could_be_woken(&self) -> bool {
        self.foreign.get() != 0
    }

    fn close(&self) {
        set_latest(None);
        let tasks = self.slab.borrow().in_order();
        for task in tasks {
            task.abandon();
        }
        let left = self.slab.replace(SerialSlab::new());
        drop(left);
        self.generators.abandon(&self.on);
        self.gatherings.abandon(&self.on);
        #[cfg(feature = "std")]
        self.executor.abandon();
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
