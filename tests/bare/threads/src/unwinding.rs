//! Loops that end by a panic: without std no panic of a drop is caught, and what outlives a loop outlives that too.

use std::future::pending;
use std::time::Duration;

use callsoon::{EventLoop, Result};

use crate::cancels::{DEEP, chain};
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

/// A cancellation enters what it has deferred until the rest is through also after a panic amid it.
pub(crate) fn a_panic_amid_a_cancellation_loses_nothing_that_was_deferred() {
    let event_loop = new_loop();
    let settle = || (0..4).for_each(|_| _ = event_loop.run_once(Some(Duration::ZERO)));
    let (first, tasks) = chain(&event_loop);
    settle();
    assert!(panics(|| tasks[DEEP - 1].cancel()) && !first.cancelled());
    settle();
    assert!(first.cancelled() && tasks[0].cancelled());
}
