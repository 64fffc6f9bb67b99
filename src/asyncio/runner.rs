//! [`Runner`] and [`run`]: asyncio's `runners`. They run a main task, then shut the loop down in order.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::String;
use core::cell::Cell;
#[cfg(feature = "contextvars")]
use core::cell::OnceCell;
use core::fmt;
use core::future::Future;
use core::panic::Location;

use super::core::{
    AnyFuture, BorrowedFuture, Callback, ErasedFuture, Stage, TaskRegistry, with_borrowed,
};
use super::future::FutureLike;
#[cfg(feature = "signals")]
use super::interrupted::run_until_interrupted;
use super::task::{AnyTask, EnsureFuture, Task};
use crate::collections::RefCell;
#[cfg(feature = "contextvars")]
use crate::context::{Context, copy_context};
use crate::error::{Error, ErrorKind, Result};
use crate::event_loop::{
    EventLoop, ExceptionContext, Job, JobCell, JobKind, LoopRef, running_loop,
};
use crate::flat_drops::Flat;

/// Stops the loop, as a callback of a future would.
struct Stop;

impl Job for Stop {
    fn run(_this: Rc<JobCell<Self>>, on: &LoopRef) {
        on.stop();
    }

    fn kind(&self) -> JobKind {
        JobKind::FutureDone
    }

    fn describe(&self) -> String {
        "<stop of the loop>".into()
    }
}

fn stop_loop(on: &LoopRef) {
    on.stop();
}

fn stopped_early() -> Error {
    Error::runtime("Event loop stopped before Future completed.")
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
        match future.erased() {
            Some(own) => self.run_until_own_done(own)?,
            None => self.run_until_done(&future)?,
        }
        future.result()
    }

    /// Runs until `future` is done, and returns its value. It runs as a task of its own, like that of
    /// [`run_until_complete`](EventLoop::run_until_complete), but it may borrow, and its value need
    /// not be `Clone`.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](ErrorKind::Cancelled) if the task was cancelled and its future dropped for it;
    /// otherwise as `run_until_complete`. Where the loop ends before the future, the future is dropped.
    ///
    /// ```
    /// use callsoon::{EventLoop, sleep};
    ///
    /// let event_loop = EventLoop::with_virtual_time();
    /// let mut words = vec!["tick".to_owned()];
    /// let count = event_loop.block_on(async {
    ///     sleep(std::time::Duration::from_secs(60)).await?;
    ///     words.push("tock".to_owned());
    ///     Ok::<_, callsoon::Error>(words.len())
    /// })??;
    /// assert_eq!((count, words.len()), (2, 2));
    /// # Ok::<(), callsoon::Error>(())
    /// ```
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> Result<F::Output> {
        self.check_open()?;
        self.check_not_running()?;
        let created_at = Location::caller();
        let mut made = None;
        let outcome = with_value(async { Ok(future.await) }, |body| {
            let task = self.create_main_task_at(body, created_at)?;
            made = Some(task.clone());
            self.run_until_complete(task)
        });
        if let Some(task) = made.filter(|task| !task.done()) {
            // Its future is gone: in its next step it ends.
            task.cancel();
        }
        outcome
    }

    /// Does as `run_until_done`, and links no search among callbacks and no method of `AnyFuture`.
    fn run_until_own_done(&self, future: &ErasedFuture) -> Result<()> {
        let key = future.push_callback(Callback::on_loop(stop_loop));
        let ran = self.run_forever();
        future.remove_callback_at(key);
        ran?;
        if future.done() { Ok(()) } else { Err(stopped_early()) }
    }

    /// Runs until `future` is done. To be stopped before is an error.
    fn run_until_done(&self, future: &dyn AnyFuture) -> Result<()> {
        let stop = Callback::on_loop(stop_loop);
        future.add_callback(stop.clone());
        let ran = self.run_forever();
        future.remove_done_callback(&stop);
        ran?;
        if future.done() { Ok(()) } else { Err(stopped_early()) }
    }

    /// Ends what is left on the loop as `asyncio.run` does: cancels the tasks that are not
    /// over, oldest first, runs until they are, reports what went wrong with them, closes the
    /// async generators, waits for its own pool's threads, and closes the loop.
    ///
    /// # Errors
    ///
    /// [`Stalled`](crate::ErrorKind::Stalled) if tasks that would not be cancelled wait for
    /// what can't happen any more; the loop is closed all the same, and the tasks reported as
    /// destroyed. Otherwise as [`run_until_complete`](EventLoop::run_until_complete).
    pub fn wind_down(&self) -> Result<()> {
        let outcome = self.cancel_all_tasks().and_then(|()| self.shut_down_extensions());
        let closed = self.close();
        outcome.and(closed)
    }

    /// Ends what the loop has besides tasks.
    fn shut_down_extensions(&self) -> Result<()> {
        self.run_stage(Stage::Generators)?;
        self.run_stage(Stage::Executor)?;
        if TaskRegistry::of(self).needs(Stage::DroppedGenerators) {
            self.run_stage(Stage::DroppedGenerators)?;
        }
        Ok(())
    }

    /// Runs `stage` to its end. What there is to end is looked up in the task's first step: the
    /// steps before it in that turn may have begun more.
    fn run_stage(&self, stage: Stage) -> Result<()> {
        let tasks = TaskRegistry::of(self);
        self.run_until_complete(BorrowedFuture::owning(async move {
            match tasks.begin_stage(stage) {
                Some(end) => end.await,
                None => Ok(()),
            }
        }))
    }

    /// Runs until all `tasks` are done, in as many turns as it takes to await a future of them all.
    fn run_until_all_done(&self, tasks: &[AnyTask]) -> Result<()> {
        self.check_not_running()?;
        let left = Rc::new(Cell::new(tasks.len()));
        for task in tasks {
            let left = left.clone();
            task.add_callback(Callback::on_loop(move |on| {
                left.set(left.get() - 1);
                if left.get() == 0 {
                    on.schedule(JobCell::new(Stop));
                }
            }));
        }
        self.run_forever()?;
        if left.get() == 0 { Ok(()) } else { Err(stopped_early()) }
    }

    fn cancel_all_tasks(&self) -> Result<()> {
        let left = self.all_tasks();
        if left.is_empty() {
            return Ok(());
        }
        for task in &left {
            task.cancel();
        }
        self.run_until_all_done(&left)?;
        for task in left {
            if task.cancelled() {
                continue;
            }
            if let Ok(Some(error)) = task.exception() {
                let message = "unhandled exception during run() shutdown";
                let mut context = ExceptionContext::new(message);
                context.exception = Some(error);
                context.task = Some(alloc::format!("{task:?}"));
                task.report(&context);
            }
        }
        Ok(())
    }
}

/// Runs main tasks on one loop, one after the other, and shuts the loop down in order: asyncio's
/// `Runner`.
///
/// The loop is made when it is needed first, by [`run`](Runner::run) or
/// [`get_loop`](Runner::get_loop). What a main task leaves behind is there for the next one:
/// tasks go on, timers wait, generators stay open. [`close`](Runner::close) ends all of that. A
/// `Runner` that is dropped without it closes its loop as a dropped [`EventLoop`] is closed:
/// nothing runs any more, and the tasks that were pending are reported.
///
/// ```
/// use callsoon::{EventLoop, Runner};
///
/// let runner = Runner::with_loop_factory(EventLoop::with_virtual_time);
/// let task = runner.run(async { Ok(callsoon::create_task(async { Ok(6) })) })?;
/// assert_eq!(runner.run(async { Ok(task.await? * 7) })?, 42);
/// runner.close()?;
/// # Ok::<(), callsoon::Error>(())
/// ```
pub struct Runner {
    state: RefCell<State>,
    /// Turns debug mode on or off, if that was asked for.
    debug: Option<fn(&LoopRef)>,
    /// True if Ctrl-C cancels the main task.
    #[cfg(feature = "signals")]
    interruptible: bool,
    /// The context of all main tasks, a copy of the one in which the loop was made.
    #[cfg(feature = "contextvars")]
    context: OnceCell<Context>,
}

enum State {
    /// None while the factory makes the loop, and for ever if it panicked.
    Created(Option<Box<dyn FnOnce() -> EventLoop>>),
    Initialized(Rc<EventLoop>),
    Closed,
}

impl Runner {
    /// One that will run on an [`EventLoop::new`].
    #[cfg(feature = "std")]
    #[must_use]
    #[expect(clippy::new_without_default, reason = "a default would hide a whole loop")]
    pub fn new() -> Runner {
        Runner::with_loop_factory(EventLoop::new)
    }

    /// Returns a runner that calls `factory` for a loop when it needs one: asyncio's `loop_factory`.
    #[must_use]
    pub fn with_loop_factory(factory: impl FnOnce() -> EventLoop + 'static) -> Runner {
        let factory = Flat::new(factory);
        let state = RefCell::new(State::Created(Some(Box::new(move || factory.into_inner()()))));
        Runner {
            state,
            debug: None,
            #[cfg(feature = "signals")]
            interruptible: false,
            #[cfg(feature = "contextvars")]
            context: OnceCell::new(),
        }
    }

    /// The same, with the loop in debug mode or out of it whatever the factory did: asyncio's
    /// `debug`. See [`set_debug`](LoopRef::set_debug).
    #[must_use]
    pub fn with_debug(self, debug: bool) -> Runner {
        let set: fn(&LoopRef) =
            if debug { |on| on.set_debug(true) } else { |on| on.set_debug(false) };
        Runner { debug: Some(set), ..self }
    }

    /// The same runner, of which Ctrl-C (`SIGINT`) cancels the main task, as asyncio's does: the
    /// clean-up of `main` is awaited, and [`run`](Runner::run) returns a
    /// [`KeyboardInterrupt`](ErrorKind::KeyboardInterrupt) error if `main` lets the cancellation
    /// through, and otherwise what `main` returns. The cancellation comes at the end of the callback
    /// or step in which the signal arrives; several signals in one step are one. A signal that
    /// arrives after `main` has ended, and before `run` has returned, is a `KeyboardInterrupt` error
    /// too: an error of `main`'s then goes to the exception handler.
    ///
    /// A second Ctrl-C does what it does by default, and so does one while no main runs. A handler
    /// that the loop has for the signal ([`add_signal_handler`](LoopRef::add_signal_handler)) stays,
    /// and `main` isn't cancelled; one that is added while `main` runs takes over, and stays after
    /// it. A handler that is set with `signal-hook` itself runs beside all of that.
    ///
    /// While a main runs, its loop is never [stalled](ErrorKind::Stalled), and looks at its sockets
    /// in every turn.
    ///
    /// ```
    /// use callsoon::{ErrorKind, Runner, sleep};
    /// use signal_hook::{consts::SIGINT, low_level::raise};
    ///
    /// let runner = Runner::new().with_interrupts();
    /// let outcome = runner.run(async {
    ///     raise(SIGINT)?;
    ///     sleep(std::time::Duration::from_secs(3600)).await
    /// });
    /// assert_eq!(outcome.unwrap_err().kind(), ErrorKind::KeyboardInterrupt);
    /// # runner.close().unwrap();
    /// ```
    #[cfg(feature = "signals")]
    #[must_use]
    pub fn with_interrupts(self) -> Runner {
        Runner { interruptible: true, ..self }
    }

    /// The loop on which all runs, made now if it was not before.
    ///
    /// # Errors
    ///
    /// [`Closed`](ErrorKind::Closed) after `close`; [`Runtime`](ErrorKind::Runtime) while the
    /// factory makes the loop, and for ever if it panicked.
    pub fn get_loop(&self) -> Result<LoopRef> {
        self.event_loop().map(|event_loop| LoopRef::clone(&event_loop))
    }

    /// Runs `main` as a task until it is over, and returns its result. Whatever else is on the
    /// loop goes on meanwhile, and is left there. Context variables that `main` sets keep their values
    /// for the next main.
    ///
    /// # Errors
    ///
    /// `main`'s own; [`Runtime`](ErrorKind::Runtime) if a loop runs on this thread, this one or
    /// another; otherwise as [`get_loop`](Runner::get_loop) and
    /// [`run_until_complete`](EventLoop::run_until_complete).
    #[track_caller]
    pub fn run<T: 'static>(&self, main: impl Future<Output = Result<T>> + 'static) -> Result<T> {
        if running_loop().is_ok() {
            let message = "Runner.run() cannot be called from a running event loop";
            return Err(Error::runtime(message));
        }
        let event_loop = self.event_loop()?;
        let value = Rc::new(Cell::new(None));
        let place = value.clone();
        self.run_main(&event_loop, async move {
            place.set(Some(main.await?));
            Ok(())
        })?;
        value.take().ok_or_else(stopped_early)
    }

    #[track_caller]
    fn run_main(
        &self,
        event_loop: &EventLoop,
        main: impl Future<Output = Result<()>> + 'static,
    ) -> Result<()> {
        #[cfg(feature = "signals")]
        if self.interruptible {
            return run_until_interrupted(event_loop, main, |task| self.adopt(task));
        }
        let task = event_loop.create_main_task(main)?;
        self.adopt(&task);
        event_loop.run_until_complete(task)
    }

    /// Has a main task run in the runner's context, where what it sets is there for the next.
    fn adopt(&self, _main: &Task<()>) {
        #[cfg(feature = "contextvars")]
        _main.header().set_context(self.context.get_or_init(copy_context).clone());
    }

    /// Ends what is left and closes the loop, as [`wind_down`](EventLoop::wind_down) does.
    /// Closing again does nothing, and neither does closing before there is a loop: one may
    /// still be made.
    ///
    /// # Errors
    ///
    /// As `wind_down`. Where a loop runs, tasks may have been cancelled, but the loop stays
    /// open and the runner can be used and closed again.
    pub fn close(&self) -> Result<()> {
        let event_loop = match &*self.state.borrow() {
            State::Initialized(event_loop) => event_loop.clone(),
            _ => return Ok(()),
        };
        let ended = event_loop.wind_down();
        if event_loop.is_closed() {
            let before = self.state.replace(State::Closed);
            drop(before);
        }
        ended
    }

    fn event_loop(&self) -> Result<Rc<EventLoop>> {
        let factory = match &mut *self.state.borrow_mut() {
            State::Created(factory) => factory.take(),
            State::Initialized(event_loop) => return Ok(event_loop.clone()),
            State::Closed => return Err(Error::new(ErrorKind::Closed, "Runner is closed")),
        };
        let Some(factory) = factory else {
            return Err(Error::runtime("Runner has no event loop yet"));
        };
        let event_loop = Rc::new(factory());
        if let Some(set_debug) = self.debug {
            set_debug(&event_loop);
        }
        self.state.replace(State::Initialized(event_loop.clone()));
        #[cfg(feature = "contextvars")]
        self.context.get_or_init(copy_context);
        Ok(event_loop)
    }
}

impl fmt::Debug for Runner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A writer of the program's may call back into the runner: nothing is borrowed while it writes.
        let shown = match &*self.state.borrow() {
            State::Created(_) => "<Runner [created]>",
            State::Initialized(_) => "<Runner [initialized]>",
            State::Closed => "<Runner [closed]>",
        };
        f.write_str(shown)
    }
}

/// Runs `main` on a new loop, and shuts the loop down: `asyncio.run`. When `main` is done, the other
/// tasks are cancelled, oldest first, and awaited; then async generators are closed; then the loop is.
/// `main` may borrow from the caller. [`Runner`](crate::Runner) runs several mains on one loop.
///
/// An error that nothing reads, such as that of a task that is never awaited, goes to the logger of the crate
/// `log`, or to standard error where no logger takes it. To route it elsewhere, set an [exception
/// handler](LoopRef::set_exception_handler) in `main`; after `run` it is gone, for a task returned from it, too.
///
/// # Errors
///
/// `main`'s own. If `main` went well, the error of the winding down.
/// [`Runtime`](crate::ErrorKind::Runtime) if a loop runs on this thread.
///
/// ```
/// let answer = callsoon::run(async {
///     let task = callsoon::create_task(async { Ok(6) });
///     Ok(task.await? * 7)
/// });
/// assert_eq!(answer.unwrap(), 42);
/// ```
#[cfg(feature = "std")]
#[track_caller]
pub fn run<T>(main: impl Future<Output = Result<T>>) -> Result<T> {
    if running_loop().is_ok() {
        return Err(Error::runtime("run() cannot be called from a running event loop"));
    }
    run_on(&EventLoop::new(), main)
}

/// Does as [`run`](crate::run), on a loop that the caller has made, as one with virtual time or with a
/// host of the program. The loop is closed at the end.
///
/// # Errors
///
/// As `run`. Where a loop runs on this thread nothing is run, and nothing closed.
#[track_caller]
pub fn run_on<T>(event_loop: &EventLoop, main: impl Future<Output = Result<T>>) -> Result<T> {
    event_loop.check_not_running()?;
    let created_at = Location::caller();
    with_value(main, |body| {
        let task = event_loop.create_main_task_at(body, created_at);
        main_first(
            task.and_then(|task| event_loop.run_until_complete(task)),
            event_loop.wind_down(),
        )
    })
}

/// Calls `run` with the body of a task that polls `future`, and returns the value that the body has
/// left, or the error of `run`.
fn with_value<T>(
    future: impl Future<Output = Result<T>>,
    run: impl FnOnce(BorrowedFuture) -> Result<()>,
) -> Result<T> {
    let mut value = None;
    let body = async {
        value = Some(future.await?);
        Ok(())
    };
    with_borrowed(body, run)?;
    value.ok_or_else(stopped_early)
}

/// Returns main's outcome, or where that is no error, the error of the loop's end. That something
/// stalled after main follows from main's outcome, and doesn't replace it.
fn main_first(outcome: Result<()>, ended: Result<()>) -> Result<()> {
    match (&outcome, ended) {
        (Ok(_), Err(error)) if error.kind() != ErrorKind::Stalled => Err(error),
        _ => outcome,
    }
}
