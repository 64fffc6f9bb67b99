//! [`Node`]: what the loop, and those who wait, see of a future or a task, whatever its value.
//!
//! **Callback Invariant**: while a node is pending, its list holds who waits for its end. At its
//! end the step of each task, the wake of each waker and a job for each callback go to the ready
//! queue, in the order of adding; from then on the list holds the callbacks that are on their way,
//! and each job runs the first of them. Nobody outside sees the list of a node that is done.

use alloc::boxed::Box;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::{Cell, OnceCell, Ref, RefCell};
use core::panic::Location;
use core::task::Waker;

use super::callback::Callback;
use super::future_like::FutureId;
use super::look_into::look_into;
use super::purpose::Purpose;
use super::task_core::TaskCore;
use super::tasks::Tasks;
use super::waitings::{Waiting, Waitings, Watch};
use super::watcher::Watcher;
use crate::error::{Error, Result};
use crate::event_loop::{ExceptionContext, Job, LoopRef, drop_flat, run_callback};
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

/// The part of a node that doesn't depend on its value.
pub(crate) struct Core {
    home: Rc<Tasks>,
    state: Cell<State>,
    /// The exception was not read yet: if nobody ever does, it is reported.
    unread: Cell<bool>,
    told: Cell<Told>,
    waitings: Cell<Waitings>,
    pub(crate) purpose: Cell<Purpose>,
    rare: OnceCell<Box<Rare>>,
}

/// What few nodes have.
#[derive(Default)]
struct Rare {
    /// The exception, or the cancellation if it has a message.
    error: RefCell<Option<Error>>,
    name: RefCell<Option<Box<str>>>,
    /// Noted in debug mode only.
    made_at: Cell<Option<&'static Location<'static>>>,
}

impl Core {
    pub(crate) fn new(home: Rc<Tasks>) -> Core {
        Core::made_for(home, Purpose::Any)
    }

    pub(crate) fn made_for(home: Rc<Tasks>, purpose: Purpose) -> Core {
        Core {
            home,
            state: Cell::new(State::Pending),
            unread: Cell::new(false),
            told: Cell::new(Told::All),
            waitings: Cell::default(),
            purpose: Cell::new(purpose),
            rare: OnceCell::new(),
        }
    }

    /// Makes it what it was when it was made.
    pub(super) fn renew(&mut self) {
        *self = Core::made_for(self.home.clone(), self.purpose.get());
    }

    #[inline]
    pub(crate) fn home(&self) -> &Rc<Tasks> {
        &self.home
    }

    #[inline]
    pub(crate) fn state(&self) -> State {
        self.state.get()
    }

    #[inline]
    pub(crate) fn done(&self) -> bool {
        self.state() != State::Pending
    }

    /// Looks at those who wait, or changes them. `body` runs no code but the crate's own.
    fn with_waitings<R>(&self, body: impl FnOnce(&mut Waitings) -> R) -> R {
        look_into(&self.waitings, body)
    }

    /// Adds who waits for the end of a node that is pending.
    #[inline]
    pub(super) fn wait(&self, waiting: Waiting) {
        // Mostly it is the first.
        match self.waitings.replace(Waitings::One(waiting)) {
            Waitings::None => {}
            before => self.wait_behind(before),
        }
    }

    /// The one who came last belongs behind those before.
    #[cold]
    fn wait_behind(&self, before: Waitings) {
        if let Waitings::One(last) = self.waitings.replace(before) {
            self.with_waitings(|waitings| waitings.push(last));
        }
    }

    /// What few nodes have: this is one of them.
    fn rare(&self) -> &Rare {
        self.rare.get_or_init(Box::default)
    }

    pub(crate) fn name(&self) -> Option<String> {
        Some(self.rare.get()?.name.borrow().as_deref()?.into())
    }

    pub(crate) fn set_name(&self, name: &str) {
        *self.rare().name.borrow_mut() = Some(name.into());
    }

    /// Where it was made, if that was noted.
    pub(crate) fn made_at(&self) -> Option<&'static Location<'static>> {
        self.rare.get()?.made_at.get()
    }

    /// Notes where it was made, if the loop is in debug mode.
    pub(crate) fn note_made_at(&self, site: &'static Location<'static>) {
        if self.home.on().debug() {
            self.rare().made_at.set(Some(site));
        }
    }

    fn set_error(&self, error: Error) {
        // The commonest says nothing, and needs no room.
        if !error.ptr_eq(&Error::cancelled()) {
            *self.rare().error.borrow_mut() = Some(error);
        }
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
        self.peek()
    }

    fn peek(&self) -> Error {
        let error = self.rare.get().and_then(|rare| rare.error.borrow().clone());
        error.unwrap_or(Error::cancelled())
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
        panics::shown(&self.peek())
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
    #[inline]
    pub(crate) fn report_unread(&self, what: &str, show: impl FnOnce(&mut ExceptionContext)) {
        if self.unread.get() {
            let mut context = self.unread_context(what);
            show(&mut context);
            self.home.on().call_exception_handler(&context);
        }
    }

    #[cold]
    fn unread_context(&self, what: &str) -> ExceptionContext {
        let mut context = ExceptionContext::new(format!("{what} exception was never retrieved"));
        context.exception = Some(self.error());
        context
    }

    /// The result without the value.
    #[inline]
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

    /// Drops the waiters and `value`: what the node holds, as it is dropped itself. Any of it may
    /// hold the next node of a long chain.
    #[inline]
    pub(crate) fn drop_held<V: 'static>(&self, value: Option<V>) {
        let waitings = self.waitings.take();
        if value.is_some() || !matches!(waitings, Waitings::None) {
            drop_flat(self.home.on(), (waitings, value));
        }
    }

    /// Whom the callbacks will tell of its end, as far as they say.
    pub(crate) fn tells(&self) -> Vec<FutureId> {
        let told = |waiting: &Waiting| match waiting {
            Waiting::Callback(callback) => callback.tells(),
            Waiting::Task(_) | Waiting::Waker(_) => None,
        };
        self.with_waitings(|waitings| waitings.iter().filter_map(told).collect())
    }

    pub(crate) fn waiting_count(&self) -> usize {
        if self.done() {
            return 0;
        }
        self.with_waitings(|waitings| waitings.iter().count())
    }
}

/// Something with a [`Core`]. What it is else is found by way of [`Node`], and not of [`Typed`] too:
/// each sort of task has the functions of both in its tables.
pub(crate) trait HasCore {
    fn core(&self) -> &Core;
}

/// A future or a task, as those see it who don't care for its value.
pub(crate) trait Node: HasCore {
    /// What it has more if it is a task.
    fn task(&self) -> Option<&TaskCore> {
        None
    }

    /// Cancels with `error`, and says whether that was accepted.
    fn cancel(self: Rc<Self>, error: Error) -> bool;

    /// Calls `callback` with a handle of this node.
    fn call(self: Rc<Self>, callback: &Callback) -> Result<()>;

    /// Puts a task's step on the ready queue, unless it stands there already or the task is over.
    fn schedule_step(self: Rc<Self>) {}

    /// A task's step has panicked: that is the task's error.
    fn fail(self: Rc<Self>, _panic: Error) {}

    /// The loop has closed: lets go of what a task has.
    fn abandon(&self) {}

    fn as_job(self: Rc<Self>) -> Rc<dyn Job>;

    fn show(&self) -> String;
}

/// A node whose result is a `T`.
pub(crate) trait Typed<T>: HasCore {
    /// The result, if there is one.
    fn value(&self) -> Option<Ref<'_, T>>;

    /// The result, the exception, or the cancellation; a pending node has none.
    fn read(&self) -> Result<T>
    where
        T: Clone,
    {
        self.core().outcome()?;
        Ok(self.value().expect("a finished node has a value").clone())
    }

    fn node(&self) -> &dyn Node;

    fn as_node(self: Rc<Self>) -> Rc<dyn Node>;
}

pub(crate) fn same(a: &Rc<dyn Node>, b: &Rc<dyn Node>) -> bool {
    Rc::ptr_eq(a, b)
}

/// Ends `node`: whoever waits is on the ready queue when this returns, and nothing has run.
pub(crate) fn end<N: Node + 'static>(node: &Rc<N>, state: State) {
    let core = node.core();
    core.state.set(state);
    core.unread.set(state == State::Failed);
    match core.waitings.take() {
        Waitings::None => {}
        Waitings::One(Waiting::Task(task)) => task.schedule_step(),
        waiting @ Waitings::One(Waiting::Callback(_)) => {
            core.waitings.set(waiting);
            core.home.on().schedule(node.clone().as_job());
        }
        waitings => end_for(node.clone(), waitings),
    }
}

/// Schedules what `waitings` call for. Watchers are told when all that is done.
fn end_for(node: Rc<dyn Node>, mut waitings: Waitings) {
    let core = node.core();
    let on = core.home.on();
    waitings.sift(|waiting| {
        match waiting {
            Waiting::Task(task) => task.schedule_step(),
            Waiting::Waker(waker) => on.schedule_wake(waker),
            Waiting::Callback(_) => {
                on.schedule(node.clone().as_job());
                return Some(waiting);
            }
        }
        None
    });
    let watches = waitings.take_watches();
    core.waitings.set(waitings);
    for watch in watches {
        watch.watcher.ended(watch.token);
    }
}

/// Ends `node` without a result: cancelled, or with an exception.
pub(crate) fn end_with<N: Node + 'static>(node: &Rc<N>, state: State, error: Error) {
    node.core().set_error(error);
    end(node, state);
}

/// Adds who waits. On a node that is done it is on its way at once.
pub(crate) fn add(node: &Rc<dyn Node>, waiting: Waiting) {
    let core = node.core();
    if core.done() {
        match waiting {
            Waiting::Task(task) => task.schedule_step(),
            Waiting::Waker(waker) => core.home.on().schedule_wake(waker),
            other => {
                core.with_waitings(|waitings| waitings.push(other));
                core.home.on().schedule(node.clone().as_job());
            }
        }
        return;
    }
    core.wait(waiting);
}

/// Has `watcher` told of the end, unless that has come.
pub(crate) fn watch(core: &Core, watcher: &Rc<dyn Watcher>, token: u64) {
    if !core.done() {
        let watch = Watch { watcher: watcher.clone(), token };
        core.with_waitings(|waitings| waitings.watch(watch));
    }
}

/// The loop has closed: lets go of the callback that is first on its way, which may hold `core`.
pub(crate) fn discard_next_callback(core: &Core) {
    if core.done() {
        let next = core.with_waitings(Waitings::pop);
        drop(next);
    }
}

/// Runs the callback that is first on its way.
pub(crate) fn run_next_callback(node: &Rc<dyn Node>, on: &LoopRef) {
    let next = node.core().with_waitings(Waitings::pop);
    if let Some(Waiting::Callback(callback)) = next {
        let describe = || format!("<Handle {} of {}>", callback.name(), node.show());
        run_callback(on, describe, || node.clone().call(&callback));
    }
}

pub(crate) fn remove_callback(core: &Core, callback: &Callback) -> usize {
    let mut count = 0;
    while !core.done() {
        let is_it = |own: &Waiting| own.is_callback(callback);
        let Some(removed) = core.with_waitings(|all| all.remove_first(is_it)) else { break };
        drop(removed);
        count += 1;
    }
    count
}

pub(crate) fn has_callback(core: &Core, callback: &Callback) -> bool {
    let is_it = |own: &Waiting| own.is_callback(callback);
    !core.done() && core.with_waitings(|waitings| waitings.iter().any(is_it))
}

/// Takes out a task that doesn't wait any more, once.
#[cold]
pub(crate) fn remove_task(core: &Core, task: &Rc<dyn Node>) {
    let is_it = |own: &Waiting| matches!(own, Waiting::Task(own) if same(own, task));
    let removed = core.with_waitings(|waitings| waitings.remove_first(is_it));
    drop(removed);
}

/// Takes out a waker that isn't waited for any more, once.
#[cold]
pub(crate) fn remove_waker(core: &Core, waker: &Waker) {
    let is_it = |own: &Waiting| matches!(own, Waiting::Waker(own) if own.will_wake(waker));
    let removed = core.with_waitings(|waitings| waitings.remove_first(is_it));
    drop(removed);
}
