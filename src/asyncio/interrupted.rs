//! [`run_until_interrupted`]: a main task that Ctrl-C cancels.

use alloc::format;
use alloc::rc::Rc;
use core::cell::Cell;
use core::future::Future;

use super::task::Task;
use crate::error::{Error, ErrorKind, Result};
use crate::event_loop::{EventLoop, ExceptionContext, LoopRef};

/// The effect of an interrupt so far.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Interrupted {
    No,
    /// It has cancelled main.
    Main,
    /// It arrived after main's end.
    AfterMain,
}

/// Runs `main` until it is done. The first Ctrl-C cancels it, unless the loop has a handler for that
/// signal. `prepare` is called with the task before its first step.
///
/// # Errors
///
/// As [`Runner::run`](crate::Runner::run).
#[track_caller]
pub(super) fn run_until_interrupted(
    event_loop: &EventLoop,
    main: impl Future<Output = Result<()>> + 'static,
    prepare: impl FnOnce(&Task<()>),
) -> Result<()> {
    let on = LoopRef::clone(event_loop);
    let task = event_loop.create_main_task(async move {
        let outcome = main.await;
        // A signal of the last step finds the task before its end.
        on.take_interrupt();
        outcome
    })?;
    prepare(&task);
    let interrupted = Rc::new(Cell::new(Interrupted::No));
    let (main, seen) = (task.clone(), interrupted.clone());
    let interrupt = move || match seen.get() {
        Interrupted::No if main.done() => seen.set(Interrupted::AfterMain),
        Interrupted::No => {
            seen.set(Interrupted::Main);
            main.cancel();
        }
        // The signal came again before its hook was out.
        Interrupted::Main | Interrupted::AfterMain => {}
    };
    // Where signals can't be handled, main never runs.
    let engaged = event_loop.engage_interrupt(interrupt).inspect_err(|_| _ = task.cancel())?;
    let outcome = event_loop.run_until_complete(task.clone());
    let released = engaged.map_or(Ok(()), |engaged| event_loop.release_interrupt(&engaged));
    match (outcome, interrupted.get()) {
        (outcome, Interrupted::AfterMain) => {
            report_lost(&task, outcome);
            Err(Error::new(ErrorKind::KeyboardInterrupt, ""))
        }
        (Err(error), Interrupted::Main) if error.is_cancelled() && task.uncancel() == 0 => {
            Err(Error::new(ErrorKind::KeyboardInterrupt, ""))
        }
        (Ok(()), _) => released,
        (failed, _) => failed,
    }
}

/// Reports main's error where `run` has another to return.
fn report_lost(task: &Task<()>, outcome: Result<()>) {
    let Err(error) = outcome else { return };
    if error.is_cancelled() {
        return;
    }
    let mut context = ExceptionContext::new("Task exception was never retrieved");
    context.exception = Some(error);
    context.future = Some(format!("{task:?}"));
    task.erased().report(&context);
}
