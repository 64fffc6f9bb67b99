//! [`run`]: a main task, and an orderly end: asyncio's `Runner`.

use alloc::rc::Rc;
use core::cell::Cell;
use core::future::Future;

use super::any_task::AnyTask;
use super::future::LoopFuture;
use super::future_like::{AnyFuture, FutureLike};
use super::task::Task;
use crate::error::{Error, ErrorKind, Result};
use crate::event_loop::{EventLoop, ExceptionContext, LoopRef};

/// What can be run until it is done: a Rust future, which becomes a task, or a future or task
/// of the loop itself, which is awaited as it is: asyncio's `ensure_future`.
pub trait EnsureFuture<T: Clone + 'static> {
    /// The future that stands for it on `on`.
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed) where a task would have to be made after the loop
    /// has closed.
    fn ensure_future(self, on: &LoopRef) -> Result<Rc<dyn FutureLike<T>>>;
}

impl<T: Clone + 'static, F: Future<Output = Result<T>> + 'static> EnsureFuture<T> for F {
    fn ensure_future(self, on: &LoopRef) -> Result<Rc<dyn FutureLike<T>>> {
        Ok(Rc::new(on.create_main_task(self)?))
    }
}

impl<T: Clone + 'static> EnsureFuture<T> for LoopFuture<T> {
    fn ensure_future(self, on: &LoopRef) -> Result<Rc<dyn FutureLike<T>>> {
        check_loop(&self.get_loop(), on)?;
        Ok(Rc::new(self))
    }
}

impl<T: Clone + 'static> EnsureFuture<T> for Task<T> {
    fn ensure_future(self, on: &LoopRef) -> Result<Rc<dyn FutureLike<T>>> {
        check_loop(&self.get_loop(), on)?;
        Ok(Rc::new(self))
    }
}

fn check_loop(own: &LoopRef, on: &LoopRef) -> Result<()> {
    if own.ptr_eq(on) {
        return Ok(());
    }
    let message = "The future belongs to a different loop than the one specified as the loop \
                   argument";
    Err(Error::new(ErrorKind::Value, message))
}

fn stop_loop(_done: &dyn AnyFuture) {
    if let Ok(on) = crate::event_loop::running_loop() {
        on.stop();
    }
}

impl EventLoop {
    /// Runs until `future` is done, and returns its result: asyncio's `run_until_complete`.
    /// The loop stops at the end of the turn in which the future's callbacks run; whatever
    /// else is scheduled stays for the next run.
    ///
    /// # Errors
    ///
    /// The future's exception or cancellation; [`Runtime`](crate::ErrorKind::Runtime) if the
    /// loop was stopped before it was done; otherwise as
    /// [`run_forever`](EventLoop::run_forever).
    #[track_caller]
    pub fn run_until_complete<T: Clone + 'static>(
        &self,
        future: impl EnsureFuture<T>,
    ) -> Result<T> {
        self.check_open()?;
        self.check_not_running()?;
        let future = future.ensure_future(self)?;
        let stop = super::callback::Callback::new(stop_loop);
        future.add_callback(stop.clone());
        let ran = self.run_forever();
        future.remove_done_callback(&stop);
        ran?;
        if !future.done() {
            return Err(Error::runtime("Event loop stopped before Future completed."));
        }
        future.result()
    }

    /// Ends what is left on the loop as `asyncio.run` does: cancels the tasks that are not
    /// over, oldest first, runs until they are, reports what went wrong with them, closes the
    /// async generators, and closes the loop.
    ///
    /// # Errors
    ///
    /// [`Stalled`](crate::ErrorKind::Stalled) if tasks that would not be cancelled wait for
    /// what can't happen any more; the loop is closed all the same, and the tasks reported as
    /// destroyed. Otherwise as [`run_until_complete`](EventLoop::run_until_complete).
    pub fn wind_down(&self) -> Result<()> {
        let outcome = self.cancel_all_tasks().and_then(|()| {
            let on = LoopRef::clone(self);
            self.run_until_complete(async move { on.shutdown_asyncgens().await })
        });
        let closed = self.close();
        outcome.and(closed)
    }

    fn cancel_all_tasks(&self) -> Result<()> {
        let left = self.all_tasks();
        if left.is_empty() {
            return Ok(());
        }
        for task in &left {
            task.cancel();
        }
        self.run_until_complete(all_done(self, &left))?;
        for task in left {
            if task.cancelled() {
                continue;
            }
            if let Ok(Some(error)) = task.exception() {
                let message = "unhandled exception during run() shutdown";
                let mut context = ExceptionContext::new(message);
                context.exception = Some(error);
                context.task = Some(alloc::format!("{task:?}"));
                self.call_exception_handler(&context);
            }
        }
        Ok(())
    }
}

/// A future that is done once all `tasks` are.
pub(crate) fn all_done(on: &LoopRef, tasks: &[AnyTask]) -> LoopFuture<()> {
    let done = on.create_future();
    let left = Rc::new(Cell::new(tasks.len()));
    for task in tasks {
        let (done, left) = (done.clone(), left.clone());
        task.add_callback(super::callback::Callback::new(move |_: &dyn AnyFuture| {
            left.set(left.get() - 1);
            if left.get() == 0 { done.set_result(()) } else { Ok(()) }
        }));
    }
    done
}

/// Runs `main` on a new loop, and ends what it leaves behind: `asyncio.run`. When `main` is
/// over, the tasks that are not are cancelled, oldest first, and awaited; async generators are
/// closed; then the loop is.
///
/// # Errors
///
/// `main`'s own. If `main` went well, what went wrong in the winding down.
///
/// ```
/// let answer = callsoon::run(async {
///     let task = callsoon::create_task(async { Ok(6) })?;
///     Ok(task.await? * 7)
/// });
/// assert_eq!(answer.unwrap(), 42);
/// ```
#[cfg(feature = "std")]
pub fn run<T: Clone + 'static>(main: impl Future<Output = Result<T>> + 'static) -> Result<T> {
    run_on(&EventLoop::new(), main)
}

/// As [`run`](crate::run), on a loop that the caller has made: one with virtual time, or on a
/// host of its own. The loop is closed at the end.
///
/// # Errors
///
/// As `run`.
pub fn run_on<T: Clone + 'static>(
    event_loop: &EventLoop,
    main: impl Future<Output = Result<T>> + 'static,
) -> Result<T> {
    let outcome = event_loop.run_until_complete(main);
    let ended = event_loop.wind_down();
    match (&outcome, ended) {
        // What main says comes first; that something stalled follows from it.
        (Err(_), _) => outcome,
        (Ok(_), Err(error)) if error.kind() != ErrorKind::Stalled => Err(error),
        (Ok(_), _) => outcome,
    }
}
