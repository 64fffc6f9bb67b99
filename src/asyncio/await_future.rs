//! [`Await`]: what `.await` on one of our futures polls, and where a task says what it waits on.

use alloc::rc::Rc;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use super::node::{Node, Typed, Waiting, add, remove_task, remove_waker, same};
use super::tasks::Tasks;
use crate::error::{Error, Result};

/// Waits for a future or a task, and returns its result.
///
/// # Cancellation
///
/// Cancelling a task that awaits it cancels what is awaited, and the await returns that
/// cancellation. Dropping it leaves nothing behind: what it waited for goes on.
#[must_use = "futures do nothing unless awaited"]
pub struct Await<T: 'static> {
    node: Rc<dyn Typed<T>>,
    place: Place,
}

/// Where an await has left word of itself.
enum Place {
    Nowhere,
    /// Among those who wait for the node, and in the task's list of what it waits on.
    Task(Rc<dyn Node>),
    /// Behind a waker, because somebody else's future stands between task and await. The task
    /// may still cancel what it waits on.
    Waker(Waker, Option<Rc<dyn Node>>),
}

impl<T: 'static> Await<T> {
    pub(crate) fn new(node: Rc<dyn Typed<T>>) -> Await<T> {
        Await { node, place: Place::Nowhere }
    }

    fn node(&self) -> Rc<dyn Node> {
        self.node.clone().as_node()
    }

    /// The tasks of the loop on which this is polled: the future's own loop, or a mistake.
    fn tasks(&self) -> Rc<Tasks> {
        let home = self.node.core().home();
        if home.current().is_none() {
            if let Some(running) = Tasks::running() {
                return running;
            }
        }
        home.clone()
    }

    /// Leaves word of itself. A mistake is thrown in the task's next step, as asyncio does;
    /// behind somebody else's waker there may be none, and it is returned.
    fn park(&mut self, tasks: &Rc<Tasks>, waker: &Waker) -> Result<()> {
        let node = self.node();
        let task = tasks.current();
        let direct = task.clone().filter(|task| tasks.is_waker_of(task, waker));
        if let Some(mistake) = task.as_ref().and_then(|task| mistaken_wait(task, &node, tasks)) {
            let Some(own) = direct.as_ref().and_then(|task| task.task()) else {
                return Err(mistake);
            };
            own.throw_next.set(Some(mistake));
            tasks.give_way();
            return Ok(());
        }
        match (&self.place, &direct) {
            (Place::Task(own), Some(task)) if same(own, task) => return Ok(()),
            (Place::Waker(own, _), None) if own.will_wake(waker) => return Ok(()),
            _ => self.unpark(),
        }
        if let Some(own) = task.as_ref().and_then(|task| task.task()) {
            own.waits.borrow_mut().push(node.clone());
        }
        self.place = match direct {
            Some(task) => {
                add(&node, Waiting::Task(task.clone()));
                Place::Task(task)
            }
            None => {
                add(&node, Waiting::Waker(waker.clone()));
                Place::Waker(waker.clone(), task)
            }
        };
        Ok(())
    }

    /// Takes back the word that was left.
    fn unpark(&mut self) {
        let node = match self.place {
            Place::Nowhere => return,
            _ => self.node(),
        };
        let place = core::mem::replace(&mut self.place, Place::Nowhere);
        // Of a node that is done, what waited is on its way and not to be touched.
        let pending = !node.core().done();
        let task = match place {
            Place::Nowhere => None,
            Place::Task(task) => {
                if pending {
                    remove_task(node.core(), &task);
                }
                Some(task)
            }
            Place::Waker(waker, task) => {
                if pending {
                    remove_waker(node.core(), &waker);
                }
                task
            }
        };
        if let Some(own) = task.as_ref().and_then(|task| task.task()) {
            let wait = own.waits.borrow_mut().remove(&node);
            drop(wait);
        }
    }
}

/// What asyncio throws at an await that could never end well.
fn mistaken_wait(task: &Rc<dyn Node>, node: &Rc<dyn Node>, tasks: &Rc<Tasks>) -> Option<Error> {
    if same(task, node) {
        return Some(Error::runtime("Task cannot await on itself"));
    }
    let home = node.core().home();
    (!home.on().ptr_eq(tasks.on()))
        .then(|| Error::runtime("Task got a future attached to a different loop"))
}

impl<T: Clone + 'static> Future for Await<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        let tasks = self.tasks();
        if let Some(error) = tasks.take_thrown() {
            self.unpark();
            // Its end was seen, though another error is thrown in its place: unless it was
            // cancelled itself, and says so in its own words.
            let own = self.node.core().outcome().err().filter(|_| self.node.core().done());
            let own = own.filter(|own| own.is_cancelled() && error.is_cancelled());
            return Poll::Ready(Err(own.unwrap_or(error)));
        }
        if self.node.core().done() {
            self.unpark();
            return Poll::Ready(self.node.read());
        }
        match self.park(&tasks, cx.waker()) {
            Ok(()) => Poll::Pending,
            Err(mistake) => Poll::Ready(Err(mistake)),
        }
    }
}

impl<T: 'static> Drop for Await<T> {
    fn drop(&mut self) {
        self.unpark();
    }
}

impl<T: 'static> fmt::Debug for Await<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<Await of {}>", self.node.show())
    }
}
