//! [`Cancels`], a future that cancels a task in its place, and a [`chain`] of tasks that await such futures.

use std::any::Any;
use std::rc::Rc;

use callsoon::{AnyFuture, Await, EventLoop, FutureLike, LoopFuture, Result, Task, gather};

/// A future that cancels a task in its place, and then panics or not.
#[derive(Clone, Debug)]
pub(crate) struct Cancels {
    pub(crate) own: LoopFuture<()>,
    pub(crate) task: Task<()>,
    pub(crate) panics: bool,
}

impl AnyFuture for Cancels {
    fn base(&self) -> &dyn AnyFuture {
        &self.own
    }
    fn cancel(&self) -> bool {
        let accepted = self.task.cancel();
        assert!(!self.panics, "on purpose");
        accepted
    }
    fn to_any(&self) -> Rc<dyn AnyFuture> {
        Rc::new(self.clone())
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl FutureLike<()> for Cancels {
    fn result(&self) -> Result<()> {
        self.own.result()
    }
    fn set_result(&self, value: ()) -> Result<()> {
        self.own.set_result(value)
    }
    fn wait(&self) -> Await<()> {
        self.own.wait()
    }
    fn to_future_like(&self) -> Rc<dyn FutureLike<()>> {
        Rc::new(self.clone())
    }
}

/// Cancellations inside of each other, of which some are deferred.
pub(crate) const DEEP: usize = 150;

/// A future, and `DEEP` tasks, of which the first awaits it and each other a future that cancels the task before. The
/// one that is fifth from the end panics then.
pub(crate) fn chain(event_loop: &EventLoop) -> (LoopFuture<()>, Vec<Task<()>>) {
    let first: LoopFuture<()> = event_loop.create_future();
    let waits = first.clone();
    let mut tasks = vec![event_loop.create_task(async move { waits.await }).unwrap()];
    for level in 1..DEEP {
        let task = tasks[level - 1].clone();
        let child = Cancels { own: event_loop.create_future(), task, panics: level == DEEP - 5 };
        let gathered = gather([&child]);
        tasks.push(event_loop.create_task(async move { gathered.await.map(drop) }).unwrap());
    }
    (first, tasks)
}
