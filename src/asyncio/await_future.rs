//! [`Await`]: what `.await` on one of our futures polls, and where a task says what it waits on.

use alloc::rc::Rc;
use core::fmt;
use core::future::Future;
use core::mem;
use core::pin::Pin;
use core::ptr;
use core::task::{Context, Poll, Waker};

use super::node::{Core, HasCore, Node, Typed, add, remove_task, remove_waker, same};
use super::step::Step;
use super::task_core::WaitPlace;
use super::tasks::Tasks;
use super::waitings::Waiting;
use crate::error::{Error, Result};

/// Waits for a future or a task, and returns its result.
///
/// # Cancellation
///
/// Cancelling a task that awaits it cancels what is awaited, and the await returns that
/// cancellation. Dropping it leaves nothing behind: what it waited for goes on.
#[must_use = "futures do nothing unless awaited"]
pub struct Await<T: 'static>(Wait<dyn Typed<T>>);

/// The same for a node of a kind that is known.
pub(crate) struct Wait<N: HasCore + ?Sized> {
    node: Rc<N>,
    place: Place,
}

/// Where an await has left word of itself.
enum Place {
    Nowhere,
    /// Among those who wait for the node, and in the task's list of what it waits on.
    Task(Rc<dyn Node>, WaitPlace),
    /// Behind a waker, because somebody else's future stands between task and await. The task
    /// may still cancel what it waits on.
    Waker(Waker, Option<(Rc<dyn Node>, WaitPlace)>),
}

impl<T: 'static> Await<T> {
    pub(crate) fn new(node: Rc<dyn Typed<T>>) -> Await<T> {
        Await(Wait::new(node))
    }
}

impl Place {
    /// Whether it is the task which polls that has left word, so that there is nothing to do.
    fn is_left_by_current(&self, tasks: &Tasks, waker: &Waker) -> bool {
        let Place::Task(own, _) = self else { return false };
        tasks.is_current(own) && Step::with(|step| step.is_direct(waker))
    }

    /// Leaves word at `node`, which is pending.
    fn park(
        &mut self,
        node: Rc<dyn Node>,
        core: &Core,
        tasks: &Tasks,
        waker: &Waker,
    ) -> Result<()> {
        let task = tasks.current().filter(|_| Step::with(|step| step.is_direct(waker)));
        let Some(task) = task else { return self.park_behind(node, core, tasks, waker) };
        let Some(own) = task.task() else { return Ok(()) };
        if let Some(mistake) = mistaken_wait(&task, &node, core, tasks) {
            // As asyncio does: it is thrown in the task's next step.
            own.throw_next(mistake);
            Step::with(Step::give_way);
            return Ok(());
        }
        self.unpark(core);
        core.wait(Waiting::Task(task.clone()));
        let place = own.add_wait(node);
        // It was nowhere, which holds nothing: dropping that would be a question more.
        mem::forget(mem::replace(self, Place::Task(task, place)));
        Ok(())
    }

    /// The same behind somebody else's waker, where there may be no next step of the task's for a
    /// mistake to be thrown in: it is returned.
    #[cold]
    fn park_behind(
        &mut self,
        node: Rc<dyn Node>,
        core: &Core,
        tasks: &Tasks,
        waker: &Waker,
    ) -> Result<()> {
        let task = tasks.current();
        if let Some(mistake) =
            task.as_ref().and_then(|task| mistaken_wait(task, &node, core, tasks))
        {
            return Err(mistake);
        }
        if matches!(self, Place::Waker(own, _) if own.will_wake(waker)) {
            Step::with(|step| step.set_holds(true));
            return Ok(());
        }
        self.unpark(core);
        // Whoever clones a waker may end the node by that.
        add(&node, Waiting::Waker(waker.clone()));
        let task = task.and_then(|task| {
            let place = task.task()?.add_wait(node);
            Some((task, place))
        });
        *self = Place::Waker(waker.clone(), task);
        Ok(())
    }

    /// Takes back the word that was left with the node of `core`, if any was.
    #[inline]
    fn unpark(&mut self, core: &Core) {
        if !matches!(self, Place::Nowhere) {
            // Of a node that is done, what waited is on its way and not to be touched.
            if !core.done() {
                self.leave(core);
            }
            self.forget();
        }
    }

    /// Has the node of `core`, which is pending, forget who waits.
    #[cold]
    fn leave(&self, core: &Core) {
        // Perhaps the one that was polled again in this step.
        Step::with(|step| step.set_holds(false));
        match self {
            Place::Nowhere => {}
            Place::Task(task, _) => remove_task(core, task),
            Place::Waker(waker, _) => remove_waker(core, waker),
        }
    }

    /// Has the task forget what it waits for.
    fn forget(&mut self) {
        let (Place::Task(task, place) | Place::Waker(_, Some((task, place)))) = self else {
            return *self = Place::Nowhere;
        };
        let wait = task.task().and_then(|own| own.remove_wait(*place));
        *self = Place::Nowhere;
        drop(wait);
    }
}

/// What asyncio throws at an await that could never end well.
fn mistaken_wait(
    task: &Rc<dyn Node>,
    node: &Rc<dyn Node>,
    core: &Core,
    tasks: &Tasks,
) -> Option<Error> {
    if same(task, node) {
        return Some(Error::runtime("Task cannot await on itself"));
    }
    let home = &**core.home();
    (!ptr::eq(home, tasks) && !home.on().ptr_eq(tasks.on()))
        .then(|| Error::runtime("Task got a future attached to a different loop"))
}

impl<N: HasCore + ?Sized> Wait<N> {
    pub(crate) fn new(node: Rc<N>) -> Wait<N> {
        Wait { node, place: Place::Nowhere }
    }

    pub(crate) fn node(&self) -> &N {
        &self.node
    }

    #[inline]
    pub(super) fn poll<T: Clone>(&mut self, waker: &Waker) -> Poll<Result<T>>
    where
        N: Typed<T>,
    {
        // The loop on which this is polled is the future's own, or it is a mistake.
        let core = self.node.core();
        let home = core.home();
        if !home.in_step() {
            return self.poll_elsewhere(waker);
        }
        Wait::poll_in(&self.node, core, &mut self.place, home, waker)
    }

    #[cold]
    fn poll_elsewhere<T: Clone>(&mut self, waker: &Waker) -> Poll<Result<T>>
    where
        N: Typed<T>,
    {
        let core = self.node.core();
        let running = Tasks::running();
        let tasks = running.as_ref().unwrap_or(core.home());
        Wait::poll_in(&self.node, core, &mut self.place, tasks, waker)
    }

    /// Polls it in a step of `tasks`.
    #[inline]
    fn poll_in<T: Clone>(
        node: &Rc<N>,
        core: &Core,
        place: &mut Place,
        tasks: &Tasks,
        waker: &Waker,
    ) -> Poll<Result<T>>
    where
        N: Typed<T>,
    {
        if let Some(error) = tasks.take_thrown() {
            // Its end was seen, though another error is thrown in its place: unless it was
            // cancelled itself, and says so in its own words.
            let own = core.outcome().err().filter(|_| core.done());
            let own = own.filter(|own| own.is_cancelled() && error.is_cancelled());
            place.unpark(core);
            return Poll::Ready(Err(own.unwrap_or(error)));
        }
        if core.done() {
            place.unpark(core);
            return Poll::Ready(node.read());
        }
        if place.is_left_by_current(tasks, waker) {
            Step::with(|step| step.set_holds(true));
            return Poll::Pending;
        }
        match place.park(node.clone().as_node(), core, tasks, waker) {
            Ok(()) => Poll::Pending,
            Err(mistake) => Poll::Ready(Err(mistake)),
        }
    }
}

impl<N: HasCore + ?Sized> Drop for Wait<N> {
    fn drop(&mut self) {
        self.place.unpark(self.node.core());
    }
}

impl<T: Clone + 'static> Future for Await<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        self.0.poll(cx.waker())
    }
}

impl<T: 'static> fmt::Debug for Await<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<Await of {}>", self.0.node.node().show())
    }
}
