//! Loops that end by a panic: without std no panic of a drop is caught, and what outlives a loop outlives that too.

use std::any::Any;
use std::future::pending;
use std::rc::Rc;
use std::time::Duration;

use callsoon::{AnyFuture, Await, EventLoop, FutureLike, LoopFuture, Result, Task, gather};

use crate::{SECOND, new_loop, panics};

struct Fails;

impl Drop for Fails {
    fn drop(&mut self) {
        panic!("a drop fails on purpose");
    }
}

/// Ends the loop by the panic of a drop.
fn end(event_loop: EventLoop) {
    assert!(panics(|| drop(event_loop)));
}

pub(crate) fn timers_outlive_a_loop_that_ends_by_a_panic() {
    let event_loop = new_loop();
    let fails = Fails;
    event_loop.call_later(SECOND, move || drop(fails)).expect("the loop is open");
    let left = event_loop.call_later(2 * SECOND, || ()).expect("the loop is open");
    end(event_loop);
    assert_eq!((left.when(), left.cancelled()), (2 * SECOND, false));
    left.clone().cancel();
    assert!(left.cancelled());
}

pub(crate) fn futures_outlive_a_loop_that_ends_by_a_panic() {
    let event_loop = new_loop();
    let fails = Fails;
    let task = event_loop.create_task(async move {
        let _fails = fails;
        pending::<Result<()>>().await
    });
    let task = task.expect("the loop is open");
    event_loop.run_once(Some(Duration::ZERO)).expect("the loop runs");
    let future = event_loop.create_future::<u32>();
    end(event_loop);
    assert!(!future.done());
    future.set_result(1).expect("it is pending");
    assert_eq!(future.result().expect("it is set"), 1);
    drop((task, future));
}

/// A future that cancels a task in its place, and then panics or not.
#[derive(Clone, Debug)]
struct Cancels {
    own: LoopFuture<()>,
    task: Task<()>,
    panics: bool,
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

/// A cancellation enters what it has deferred until the rest is through also after a panic amid it.
pub(crate) fn a_panic_amid_a_cancellation_loses_nothing_that_was_deferred() {
    const DEEP: usize = 150;
    let event_loop = new_loop();
    let settle = || (0..4).for_each(|_| _ = event_loop.run_once(Some(Duration::ZERO)));
    let first: LoopFuture<()> = event_loop.create_future();
    let waits = first.clone();
    let mut tasks =
        vec![event_loop.create_task(async move { waits.await }).expect("the loop is open")];
    for level in 1..DEEP {
        let task = tasks[level - 1].clone();
        let child = Cancels { own: event_loop.create_future(), task, panics: level == DEEP - 5 };
        let gathered = gather([&child]);
        let waits = event_loop.create_task(async move { gathered.await.map(drop) });
        tasks.push(waits.expect("the loop is open"));
    }
    settle();
    assert!(panics(|| tasks[DEEP - 1].cancel()) && !first.cancelled());
    settle();
    assert!(first.cancelled() && tasks[0].cancelled());
}
