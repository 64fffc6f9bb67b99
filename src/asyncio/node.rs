//! [`Node`]: what the loop, and those who wait, see of a future or a task, whatever its value.
//!
//! **Callback Invariant**: while a node is pending, its list holds the callbacks that wait for
//! its end. At its end one job for each goes to the ready queue, in the order of adding; from
//! then on the list holds those that are on their way, and each job runs the first of them.
//! Nobody outside sees the list of a node that is done.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use core::cell::{Cell, OnceCell, RefCell};
use core::mem;
use core::task::Waker;

use super::callback::Callback;
use super::task_core::TaskCore;
use super::tasks::Tasks;
use super::watcher::Watcher;
use crate::error::{Error, Result};
use crate::event_loop::{ExceptionContext, Job, LoopRef, run_callback};
use crate::panics;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    Pending,
    Cancelled,
    Failed,
    Finished,
}

/// Who is told the message of a node's cancellation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    /// Everyone.
    All,
    /// The first who asks.
    TheFirst,
    /// Nobody any more.
    Nobody,
}

/// Who waits for a node's end.
pub(crate) enum Waiting {
    /// A task, whose step is scheduled in this callback's place.
    Task(Rc<dyn Node>),
    /// A foreign future around ours.
    Waker(Waker),
    /// Somebody's callback.
    Callback(Callback),
    /// Somebody who is told at once, and is on nobody's way.
    Watcher(Rc<dyn Watcher>, u64),
}

impl Waiting {
    fn is_callback(&self, callback: &Callback) -> bool {
        matches!(self, Waiting::Callback(own) if own == callback)
    }
}

/// Most nodes have one callback, and need no allocation for it.
#[derive(Default)]
enum Waitings {
    #[default]
    None,
    One(Waiting),
    #[expect(clippy::box_collection, reason = "a node with one callback is to stay small")]
    Many(Box<VecDeque<Waiting>>),
}

impl Waitings {
    fn push(&mut self, new: Waiting) {
        *self = match mem::take(self) {
            Waitings::None => Waitings::One(new),
            Waitings::One(first) => Waitings::Many(Box::new(VecDeque::from([first, new]))),
            Waitings::Many(mut all) => {
                all.push_back(new);
                Waitings::Many(all)
            }
        };
    }

    fn pop(&mut self) -> Option<Waiting> {
        match mem::take(self) {
            Waitings::None => None,
            Waitings::One(waiting) => Some(waiting),
            Waitings::Many(mut all) => {
                let first = all.pop_front();
                if !all.is_empty() {
                    *self = Waitings::Many(all);
                }
                first
            }
        }
    }

    fn iter(&self) -> impl Iterator<Item = &Waiting> {
        let (one, many) = match self {
            Waitings::None => (None, None),
            Waitings::One(waiting) => (Some(waiting), None),
            Waitings::Many(all) => (None, Some(all.iter())),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }

    /// Takes out what `is_it` says, all of it or only the first, to be dropped elsewhere.
    fn remove(&mut self, only_first: bool, mut is_it: impl FnMut(&Waiting) -> bool) -> Waitings {
        let mut removed = Waitings::default();
        let mut kept = Waitings::default();
        while let Some(waiting) = self.pop() {
            let done = only_first && !matches!(removed, Waitings::None);
            let to = if !done && is_it(&waiting) { &mut removed } else { &mut kept };
            to.push(waiting);
        }
        *self = kept;
        removed
    }
}

/// The part of a node that doesn't depend on its value.
pub(crate) struct Core {
    home: Rc<Tasks>,
    state: Cell<State>,
    /// The exception was not read yet: if nobody ever does, it is reported.
    unread: Cell<bool>,
    told: Cell<Told>,
    /// Whether there is a watcher among those who wait.
    watched: Cell<bool>,
    waitings: RefCell<Waitings>,
    /// The exception, or the cancellation with its message.
    error: OnceCell<Error>,
    name: RefCell<Option<Rc<str>>>,
}

impl Core {
    pub(crate) fn new(home: Rc<Tasks>) -> Core {
        Core {
            home,
            state: Cell::new(State::Pending),
            unread: Cell::new(false),
            told: Cell::new(Told::All),
            watched: Cell::new(false),
            waitings: RefCell::default(),
            error: OnceCell::new(),
            name: RefCell::new(None),
        }
    }

    pub(crate) fn home(&self) -> &Rc<Tasks> {
        &self.home
    }

    pub(crate) fn state(&self) -> State {
        self.state.get()
    }

    pub(crate) fn done(&self) -> bool {
        self.state() != State::Pending
    }

    pub(crate) fn name(&self) -> Option<Rc<str>> {
        self.name.borrow().clone()
    }

    pub(crate) fn set_name(&self, name: &str) {
        self.name.replace(Some(Rc::from(name)));
    }

    /// The exception, if there is one, was seen, or will never be.
    pub(crate) fn mark_read(&self) {
        self.unread.set(false);
    }

    pub(crate) fn check_pending(&self) -> Result<()> {
        if self.done() { Err(Error::invalid_state("invalid state")) } else { Ok(()) }
    }

    /// What an awaiter of a node without a result is given. It may be the one who is told a
    /// cancellation's message: who only wants to know whether there is one looks at the state.
    pub(crate) fn error(&self) -> Error {
        self.unread.set(false);
        match self.told.get() {
            Told::All => {}
            Told::TheFirst => self.told.set(Told::Nobody),
            Told::Nobody => return Error::cancelled(),
        }
        self.error.get().cloned().unwrap_or(Error::cancelled())
    }

    /// A task whose coroutine ends with a cancellation gives that to the first who asks for it,
    /// and one without a message to all after, as in asyncio.
    pub(crate) fn tell_first(&self) {
        self.told.set(Told::TheFirst);
    }

    /// Whether everyone is told the message of the cancellation.
    pub(crate) fn tells_all(&self) -> bool {
        self.told.get() == Told::All
    }

    /// The error as it shows itself, which doesn't count as reading it.
    pub(crate) fn peek_error(&self) -> String {
        self.error.get().map_or_else(String::new, panics::shown)
    }

    pub(crate) fn exception(&self) -> Result<Option<Error>> {
        match self.state() {
            State::Pending => Err(Error::invalid_state("Exception is not set.")),
            State::Cancelled => Err(self.error()),
            State::Failed => Ok(Some(self.error())),
            State::Finished => Ok(None),
        }
    }

    /// Whether nobody has read the exception, as the node goes.
    pub(crate) fn report_unread(&self, what: &str, show: impl FnOnce(&mut ExceptionContext)) {
        if self.unread.get() && self.state() == State::Failed {
            let message = format!("{what} exception was never retrieved");
            let mut context = ExceptionContext::new(message);
            context.exception = Some(self.error());
            show(&mut context);
            self.home.on().call_exception_handler(&context);
        }
    }

    /// The result without the value.
    pub(crate) fn outcome(&self) -> Result<()> {
        match self.state() {
            State::Pending => Err(Error::invalid_state("Result is not set.")),
            State::Finished => Ok(()),
            State::Cancelled | State::Failed => Err(self.error()),
        }
    }

    /// The loop has closed: nobody will be called any more. To be dropped elsewhere.
    pub(crate) fn take_waitings(&self) -> impl Sized + use<> {
        self.waitings.take()
    }

    pub(crate) fn waiting_count(&self) -> usize {
        if self.done() {
            return 0;
        }
        let waitings = self.waitings.borrow();
        waitings.iter().filter(|waiting| !matches!(waiting, Waiting::Watcher(..))).count()
    }
}

/// A future or a task, as those see it who don't care for its value.
pub(crate) trait Node: Job {
    fn core(&self) -> &Core;

    /// What it has more if it is a task.
    fn task(&self) -> Option<&TaskCore>;

    /// Cancels with `error`, and says whether that was accepted.
    fn cancel(self: Rc<Self>, error: Error) -> bool;

    /// Calls `callback` with a handle of this node.
    fn call(self: Rc<Self>, callback: &Callback) -> Result<()>;

    fn as_job(self: Rc<Self>) -> Rc<dyn Job>;

    fn show(&self) -> String;
}

/// A node whose result is a `T`.
pub(crate) trait Typed<T>: Node {
    fn value(&self) -> &OnceCell<T>;

    fn as_node(self: Rc<Self>) -> Rc<dyn Node>;
}

pub(crate) fn same(a: &Rc<dyn Node>, b: &Rc<dyn Node>) -> bool {
    core::ptr::addr_eq(Rc::as_ptr(a), Rc::as_ptr(b))
}

impl<T: Clone> dyn Typed<T> {
    /// The result, the exception, or the cancellation; a pending node has none.
    pub(crate) fn read(&self) -> Result<T> {
        self.core().outcome()?;
        let value = self.value().get();
        Ok(value.expect("a finished node has a value").clone())
    }
}

/// Ends `node`: whoever waits is on the ready queue when this returns, and nothing has run.
pub(crate) fn end(node: &Rc<dyn Node>, state: State) {
    let core = node.core();
    core.state.set(state);
    core.unread.set(state == State::Failed);
    let mut waitings = core.waitings.take();
    let mut on_their_way = Waitings::default();
    let mut watchers = Waitings::default();
    while let Some(waiting) = waitings.pop() {
        match waiting {
            Waiting::Task(task) => schedule_step(&task),
            Waiting::Watcher(..) => watchers.push(waiting),
            other => {
                on_their_way.push(other);
                core.home.on().schedule(node.clone().as_job());
            }
        }
    }
    core.waitings.replace(on_their_way);
    while let Some(Waiting::Watcher(watcher, token)) = watchers.pop() {
        watcher.ended(token);
    }
}

/// Ends `node` without a result: cancelled, or with an exception.
pub(crate) fn end_with(node: &Rc<dyn Node>, state: State, error: Error) {
    // A pending node has no error yet, so there is nothing to lose.
    let _ = node.core().error.set(error);
    end(node, state);
}

/// Adds who waits. On a node that is done it is on its way at once.
pub(crate) fn add(node: &Rc<dyn Node>, waiting: Waiting) {
    let core = node.core();
    if core.watched.get() && !core.done() {
        tell_watchers(core);
    }
    core.waitings.borrow_mut().push(waiting);
    if core.done() {
        core.home.on().schedule(node.clone().as_job());
    }
}

/// Somebody comes to wait.
fn tell_watchers(core: &Core) {
    for waiting in core.waitings.borrow().iter() {
        if let Waiting::Watcher(watcher, token) = waiting {
            watcher.joined(*token);
        }
    }
}

/// Has `watcher` told of the end, unless that has come.
pub(crate) fn watch(core: &Core, watcher: &Rc<dyn Watcher>, token: u64) {
    if !core.done() {
        core.watched.set(true);
        core.waitings.borrow_mut().push(Waiting::Watcher(watcher.clone(), token));
    }
}

/// Runs the callback that is first on its way.
pub(crate) fn run_next_callback(node: &Rc<dyn Node>, on: &LoopRef) {
    let next = node.core().waitings.borrow_mut().pop();
    match next {
        Some(Waiting::Callback(callback)) => {
            let describe = || format!("<Handle {} of {}>", callback.name(), node.show());
            run_callback(on, describe, || node.clone().call(&callback));
        }
        Some(Waiting::Waker(waker)) => waker.wake(),
        Some(Waiting::Task(task)) => schedule_step(&task),
        Some(Waiting::Watcher(..)) | None => {}
    }
}

pub(crate) fn remove_callback(core: &Core, callback: &Callback) -> usize {
    if core.done() {
        return 0;
    }
    let removed = core.waitings.borrow_mut().remove(false, |own| own.is_callback(callback));
    removed.iter().count()
}

pub(crate) fn has_callback(core: &Core, callback: &Callback) -> bool {
    !core.done() && core.waitings.borrow().iter().any(|own| own.is_callback(callback))
}

/// Takes out a task that doesn't wait any more, once.
pub(crate) fn remove_task(core: &Core, task: &Rc<dyn Node>) {
    let is_it = |own: &Waiting| matches!(own, Waiting::Task(own) if same(own, task));
    let removed = core.waitings.borrow_mut().remove(true, is_it);
    drop(removed);
}

/// Takes out a waker that isn't waited for any more, once.
pub(crate) fn remove_waker(core: &Core, waker: &Waker) {
    let is_it = |own: &Waiting| matches!(own, Waiting::Waker(own) if own.will_wake(waker));
    let removed = core.waitings.borrow_mut().remove(true, is_it);
    drop(removed);
}

/// Puts a task's step on the ready queue, unless it stands there already or the task is over.
pub(crate) fn schedule_step(task: &Rc<dyn Node>) {
    let Some(own) = task.task() else { return };
    if !task.core().done() && !own.scheduled.replace(true) {
        task.core().home.on().schedule(task.clone().as_job());
    }
}
