//! A cancellation amid which the program panics: what was deferred until the rest is through is
//! cancelled all the same.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use callsoon::{AnyFuture, Await, EventLoop, FutureLike, LoopFuture, Result, Task, gather};

use crate::driver::settle;

/// Cancellations inside of each other, of which some are deferred.
const DEEP: usize = 150;

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

#[test]
fn panic_amid_a_cancellation_loses_nothing_that_was_deferred() {
    let event_loop = EventLoop::with_virtual_time();
    let first: LoopFuture<()> = event_loop.create_future();
    let waits = first.clone();
    let mut tasks = vec![event_loop.create_task(async move { waits.await }).unwrap()];
    for level in 1..DEEP {
        let task = tasks[level - 1].clone();
        let child = Cancels { own: event_loop.create_future(), task, panics: level == DEEP - 5 };
        let gathered = gather([&child]);
        tasks.push(event_loop.create_task(async move { gathered.await.map(drop) }).unwrap());
    }
    settle(&event_loop);
    let cancelled = catch_unwind(AssertUnwindSafe(|| tasks[DEEP - 1].cancel()));
    assert!(cancelled.is_err() && !first.cancelled());
    #[cfg(feature = "trace")]
    event_loop.start_trace(1000);
    settle(&event_loop);
    assert!(first.cancelled() && tasks[0].cancelled());
    #[cfg(feature = "trace")]
    {
        let mut trace = Vec::new();
        event_loop.stop_trace().unwrap().write(&mut trace).unwrap();
        let trace = String::from_utf8(trace).unwrap();
        assert!(trace.contains("<cancellations that were deferred>"), "{trace}");
    }
}
