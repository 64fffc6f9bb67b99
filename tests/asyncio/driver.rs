//! Runs a loop for these tests: on virtual time, with the turns counted and the reports kept.

use std::cell::{Cell, RefCell};
use std::future::IntoFuture;
use std::rc::Rc;
use std::time::Duration;

use callsoon::{EventLoop, ExceptionContext, LoopRef, Result, run_on, running_loop};

use crate::support::log_lines::log_nowhere;

/// Runs `main` as `callsoon::run` does, on a new loop with virtual time.
pub(crate) fn run<T: Clone + 'static>(
    main: impl Future<Output = Result<T>> + 'static,
) -> Result<T> {
    log_nowhere();
    run_on(&EventLoop::with_virtual_time(), main)
}

pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Runs turns without waiting until nothing is ready any more.
pub(crate) fn settle(event_loop: &EventLoop) {
    log_nowhere();
    for _ in 0..100 {
        if event_loop.run_once(Some(Duration::ZERO)).expect("the loop runs") == 0 {
            return;
        }
    }
    panic!("the loop doesn't come to rest");
}

/// Runs `turns` turns without waiting.
pub(crate) fn turn(event_loop: &EventLoop, turns: usize) {
    log_nowhere();
    for _ in 0..turns {
        event_loop.run_once(Some(Duration::ZERO)).expect("the loop runs");
    }
}

/// Awaits `awaited` and says how many turns went by meanwhile, as a callback that schedules
/// itself again sees them.
pub(crate) async fn turns_of<F: IntoFuture>(awaited: F) -> Result<(usize, F::Output)> {
    let on = running_loop()?;
    let turns = Rc::new(Cell::new(0));
    let counting = Rc::new(Cell::new(true));
    count(&on, turns.clone(), counting.clone())?;
    let output = awaited.await;
    counting.set(false);
    Ok((turns.get(), output))
}

fn count(on: &LoopRef, turns: Rc<Cell<usize>>, counting: Rc<Cell<bool>>) -> Result<()> {
    let again = on.clone();
    let tick = move || {
        if counting.get() {
            turns.set(turns.get() + 1);
            count(&again, turns, counting)?;
        }
        Ok(())
    };
    on.call_soon(tick).map(drop)
}

/// The contexts that a loop's exception handler is called with.
#[derive(Clone)]
pub(crate) struct Reports(Rc<RefCell<Vec<ExceptionContext>>>);

impl Reports {
    /// Keeps what `on` reports from now on.
    pub(crate) fn of(on: &LoopRef) -> Reports {
        let reports = Reports(Rc::default());
        let kept = reports.0.clone();
        on.set_exception_handler(Some(Rc::new(move |_: &LoopRef, context: &ExceptionContext| {
            kept.borrow_mut().push(context.clone());
        })));
        reports
    }

    pub(crate) fn take(&self) -> Vec<ExceptionContext> {
        self.0.take()
    }

    /// The messages since the last time.
    pub(crate) fn messages(&self) -> Vec<String> {
        self.take().into_iter().map(|context| context.message).collect()
    }
}
