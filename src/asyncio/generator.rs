//! [`AsyncGenerator`]: PEP 525's async generator, a coroutine that yields values.
//!
//! The body is a Rust future that the consumer's own task polls, so that what the body awaits
//! is what the task waits on, and a cancellation reaches into it. [`Yielder::give`] leaves the
//! value in the channel and returns `Pending` once; the step finds the value there and hands
//! it on. What the consumer sends or throws waits in the channel when the body is polled next.
//!
//! Four flags hold its state, as in CPython: `started`; `running`, while a consumer's step is under
//! way; `closed`, from `aclose` on or when the exit went through; and finished, when there is no
//! body any more.

use alloc::boxed::Box;
use alloc::format;
use alloc::rc::{Rc, Weak};
use alloc::string::String;
use core::cell::Cell;
use core::fmt;
use core::future::{Future, poll_fn};
use core::pin::Pin;
use core::task::{Context, Poll};

use super::core::{RegistryHandle, TaskRegistry, note_held, throw_in_step};
use super::generators::{Closing, Generators, Iterated};
use super::scope::Stop;
use crate::collections::RefCell;
use crate::error::{Error, ErrorKind, Result};
use crate::event_loop::{LoopRef, drop_quietly};
use crate::flat_drops::drop_on_thread;

/// The slots by which the body and its consumer hand each other values.
struct Channel<Y, S> {
    given: Cell<Option<Y>>,
    /// The return value of the body's `give`, set before the body is polled again.
    resume: Cell<Option<Result<Option<S>>>>,
}

/// The body's side of an [`AsyncGenerator`]: Python's `yield`.
pub struct Yielder<Y, S = ()>(Rc<Channel<Y, S>>);

impl<Y, S> Yielder<Y, S> {
    /// Gives `value` to the consumer, and waits until it asks for the next: `x = yield value`.
    /// Returns what it sends: something for `asend(Some(_))`, `None` for `anext` and in a
    /// `while let`.
    ///
    /// # Errors
    ///
    /// What the consumer throws in; an error of kind
    /// [`GeneratorExit`](crate::ErrorKind::GeneratorExit) when it closes the generator. The
    /// body may await while it cleans up, but must not give another value then.
    ///
    /// # Cancellation
    ///
    /// The body isn't part of any task while it waits here.
    pub async fn give(&self, value: Y) -> Result<Option<S>> {
        let mut value = Some(value);
        poll_fn(|_| match value.take() {
            Some(value) => {
                self.0.given.set(Some(value));
                // A scope around this is not to be left by a cancellation of the consumer.
                note_held();
                Poll::Pending
            }
            None => self.0.resume.take().map_or(Poll::Pending, Poll::Ready),
        })
        .await
    }
}

impl<Y, S> fmt::Debug for Yielder<Y, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Yielder")
    }
}

type Body = Pin<Box<dyn Future<Output = Result<()>>>>;

/// The outcome of a step of the body.
enum Step<Y> {
    Gave(Y),
    Returned,
    Failed(Error),
}

struct State<Y: 'static, S: 'static> {
    channel: Rc<Channel<Y, S>>,
    /// Away while it is polled, and for good once it is over.
    body: Cell<Option<Body>>,
    finished: Cell<bool>,
    started: Cell<bool>,
    /// The body is at a `give`.
    gave: Cell<bool>,
    running: Cell<bool>,
    closed: Cell<bool>,
    /// The part that the handles share.
    owner: Weak<Owner<Y, S>>,
    /// The loop that it was first iterated on, and its key there.
    registered: RefCell<Option<(RegistryHandle, u64)>>,
}

impl<Y: 'static, S: 'static> State<Y, S> {
    /// Enters it at the running loop, which closes it at its end: at the first iteration, as
    /// CPython's hooks do.
    fn register(self: &Rc<Self>) {
        if self.finished.get() || self.registered.borrow().is_some() {
            return;
        }
        if let Ok(tasks) = TaskRegistry::running() {
            let weak: Weak<dyn Iterated> = Rc::downgrade(&(self.clone() as Rc<dyn Iterated>));
            let key = tasks.extension::<Generators>().add(weak);
            self.registered.replace(Some((tasks, key)));
        }
    }

    /// Starts a step; `what` names it in the error if one is under way.
    fn begin(self: &Rc<Self>, what: &str) -> Result<Running<Y, S>> {
        self.register();
        if self.running.replace(true) {
            let message = format!("{what}: asynchronous generator is already running");
            return Err(Error::runtime(message));
        }
        Ok(Running(self.clone()))
    }

    fn finish(&self) {
        self.finished.set(true);
        let body = self.body.take();
        drop(body);
    }

    /// Drops a body that has not started, or has no await at which `error` could come out.
    fn fail(&self, error: Error) -> Step<Y> {
        self.finish();
        Step::Failed(error)
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<Step<Y>> {
        let Some(mut body) = self.body.take() else { return Poll::Ready(Step::Returned) };
        let outcome = body.as_mut().poll(cx);
        if outcome.is_pending() {
            self.body.set(Some(body));
            let Some(value) = self.channel.given.take() else { return Poll::Pending };
            self.gave.set(true);
            return Poll::Ready(Step::Gave(value));
        }
        drop(body);
        self.finish();
        outcome.map(|result| match result {
            Ok(()) => Step::Returned,
            // Out of a body it would be taken for the generator's own end.
            Err(error) if error.kind() == ErrorKind::StopAsyncIteration => {
                Step::Failed(Error::runtime("async generator raised StopAsyncIteration"))
            }
            Err(error) => Step::Failed(error),
        })
    }

    /// Resumes the body with what its `give` is to return, until it gives a value or ends.
    ///
    /// If the last step of the body was dropped half way, the body is not at a `give`: it resumes
    /// where it is, and an error is thrown at what it awaits there.
    async fn advance(&self, resume: Result<Option<S>>) -> Step<Y> {
        let started = self.started.replace(true);
        match resume {
            Err(error) if !started => return self.fail(error),
            resume if self.gave.replace(false) => self.channel.resume.set(Some(resume)),
            Err(error) => {
                if let Ok(tasks) = TaskRegistry::running() {
                    throw_in_step(&tasks, error);
                }
            }
            Ok(_) => {}
        }
        let mut stop = Stop::default();
        let step = poll_fn(|cx| stop.poll(cx, |cx| self.poll(cx).map(Ok))).await;
        step.unwrap_or_else(|error| self.fail(error))
    }
}

impl<Y: 'static, S: 'static> Drop for State<Y, S> {
    fn drop(&mut self) {
        if let Some((tasks, key)) = self.registered.take() {
            tasks.extension::<Generators>().remove(key);
        }
        // It may hold the next generator of a long chain.
        drop_on_thread(self.body.take());
    }
}

/// While it lives, a step is under way.
struct Running<Y: 'static, S: 'static>(Rc<State<Y, S>>);

impl<Y: 'static, S: 'static> Drop for Running<Y, S> {
    fn drop(&mut self) {
        self.0.running.set(false);
    }
}

impl<Y: 'static, S: 'static> Running<Y, S> {
    /// Runs one step to its end, and returns its outcome as the consumer sees it.
    async fn step(self, resume: Result<Option<S>>) -> Result<Y> {
        match self.0.advance(resume).await {
            Step::Gave(value) => Ok(value),
            Step::Returned => {
                self.0.closed.set(true);
                Err(Error::new(ErrorKind::StopAsyncIteration, ""))
            }
            Step::Failed(error) => {
                if error.kind() == ErrorKind::GeneratorExit {
                    self.0.closed.set(true);
                }
                Err(error)
            }
        }
    }
}

/// An async generator: values from a body that may await between them, in step with the consumer.
///
/// Clones are the same generator. One that was started and is dropped unfinished is closed by
/// the loop, in a task of its own, so that its clean-up may await.
///
/// ```
/// use callsoon::generator;
///
/// callsoon::run(async {
///     let squares = generator(async |y| {
///         for n in 1..=3 {
///             callsoon::yield_now().await?;
///             y.give(n * n).await?;
///         }
///         Ok(())
///     });
///     let mut seen = Vec::new();
///     while let Some(square) = squares.next().await? {
///         seen.push(square);
///     }
///     assert_eq!(seen, [1, 4, 9]);
///     Ok(())
/// }).unwrap();
/// ```
pub struct AsyncGenerator<Y: 'static, S: 'static = ()>(Rc<Owner<Y, S>>);

/// The part that the handles share: when the last one is dropped, the generator is closed.
struct Owner<Y: 'static, S: 'static>(Rc<State<Y, S>>);

/// Makes an async generator with a body that receives no values, the usual one. See [`AsyncGenerator`].
pub fn generator<Y: 'static>(
    body: impl AsyncFnOnce(Yielder<Y>) -> Result<()> + 'static,
) -> AsyncGenerator<Y> {
    AsyncGenerator::new(body)
}

impl<Y: 'static, S: 'static> AsyncGenerator<Y, S> {
    /// A generator with `body`, which doesn't run before the first value is asked for.
    pub fn new(body: impl AsyncFnOnce(Yielder<Y, S>) -> Result<()> + 'static) -> Self {
        let channel = Rc::new(Channel { given: Cell::new(None), resume: Cell::new(None) });
        let yielder = Yielder(channel.clone());
        let body: Body = Box::pin(async move { body(yielder).await });
        let state = |owner: &Weak<_>| State {
            channel,
            body: Cell::new(Some(body)),
            finished: Cell::new(false),
            started: Cell::new(false),
            gave: Cell::new(false),
            running: Cell::new(false),
            closed: Cell::new(false),
            owner: owner.clone(),
            registered: RefCell::new(None),
        };
        AsyncGenerator(Rc::new_cyclic(|owner| Owner(Rc::new(state(owner)))))
    }

    fn state(&self) -> &Rc<State<Y, S>> {
        &self.0.0
    }

    /// The next value, or `None` at the end: what `async for` asks.
    ///
    /// # Errors
    ///
    /// The body's error; [`Runtime`](crate::ErrorKind::Runtime) while another step is under way.
    ///
    /// # Cancellation
    ///
    /// The cancellation is thrown into the body, at the await where it is.
    pub async fn next(&self) -> Result<Option<Y>> {
        match self.anext().await {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.kind() == ErrorKind::StopAsyncIteration => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Does as [`next`](AsyncGenerator::next), but returns the end as an error: `__anext__`.
    ///
    /// # Errors
    ///
    /// [`StopAsyncIteration`](crate::ErrorKind::StopAsyncIteration) at the end; the rest as
    /// [`next`](AsyncGenerator::next).
    pub async fn anext(&self) -> Result<Y> {
        self.state().begin("anext()")?.step(Ok(None)).await
    }

    /// Resumes the body with `value`, and waits for what it gives next.
    ///
    /// # Errors
    ///
    /// As [`anext`](AsyncGenerator::anext); [`Type`](crate::ErrorKind::Type) for a value when
    /// the body hasn't started and nothing of it waits for one.
    pub async fn asend(&self, value: Option<S>) -> Result<Y> {
        let running = self.state().begin("anext()")?;
        if value.is_some() && !self.state().started.get() {
            let message = "can't send non-None value to a just-started async generator";
            return Err(Error::new(ErrorKind::Type, message));
        }
        running.step(Ok(value)).await
    }

    /// Throws `error` into the body, where it gave its last value, and waits for what it gives
    /// next. `None` says that it had finished before.
    ///
    /// # Errors
    ///
    /// As [`anext`](AsyncGenerator::anext); `error` itself, if the body lets it through or
    /// hasn't started.
    pub async fn athrow(&self, error: Error) -> Result<Option<Y>> {
        if self.state().finished.get() {
            return Ok(None);
        }
        let running = self.state().begin("athrow()")?;
        if self.state().closed.get() {
            return Err(Error::new(ErrorKind::StopAsyncIteration, ""));
        }
        running.step(Err(error)).await.map(Some)
    }

    /// Closes the generator: its `give` returns a
    /// [`GeneratorExit`](crate::ErrorKind::GeneratorExit) error, and what the body does about
    /// it is awaited. A body that hasn't started never runs. Closing what has finished does
    /// nothing.
    ///
    /// # Errors
    ///
    /// The body's error; [`Runtime`](crate::ErrorKind::Runtime) if it gives another value, or while
    /// another step is under way; [`StopAsyncIteration`](crate::ErrorKind::StopAsyncIteration) if
    /// it was closed before and went on all the same.
    pub async fn aclose(&self) -> Result<()> {
        aclose(self.state()).await
    }
}

async fn aclose<Y: 'static, S: 'static>(state: &Rc<State<Y, S>>) -> Result<()> {
    if state.finished.get() {
        return Ok(());
    }
    let _running = state.begin("aclose()")?;
    // A closing task that was cancelled before its first step throws that instead, and leaves the
    // generator open if the body goes on.
    let exit = match TaskRegistry::running().ok().and_then(|tasks| tasks.take_thrown()) {
        Some(cancelled) => cancelled,
        None if state.closed.replace(true) => {
            return Err(Error::new(ErrorKind::StopAsyncIteration, ""));
        }
        None => Error::new(ErrorKind::GeneratorExit, ""),
    };
    match state.advance(Err(exit)).await {
        Step::Gave(_) => Err(Error::runtime("async generator ignored GeneratorExit")),
        Step::Returned => Ok(()),
        Step::Failed(error) if error.kind() == ErrorKind::GeneratorExit => Ok(()),
        Step::Failed(error) => Err(error),
    }
}

impl<Y: 'static, S: 'static> Clone for AsyncGenerator<Y, S> {
    fn clone(&self) -> Self {
        AsyncGenerator(self.0.clone())
    }
}

impl<Y: 'static, S: 'static> fmt::Debug for AsyncGenerator<Y, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.show())
    }
}

impl<Y: 'static, S: 'static> Drop for Owner<Y, S> {
    fn drop(&mut self) {
        let state = self.0.clone();
        let Some((tasks, key)) = state.registered.borrow().clone() else { return };
        tasks.extension::<Generators>().withdraw(key);
        if state.finished.get() || state.closed.get() {
            return;
        }
        let on = tasks.event_loop().clone();
        let open = tasks.extension::<Generators>().half_way(&on);
        let close = move || {
            let closing = async move {
                let _open = open;
                aclose(&state).await
            };
            on.create_started_task(closing).map(drop)
        };
        // A loop that has closed closes no generators: the body is dropped as it is. So it is where
        // there is no memory for the callback.
        tasks.event_loop().call_soon_or_report(close);
    }
}

impl<Y: 'static, S: 'static> Iterated for State<Y, S> {
    fn handle(&self) -> Option<Rc<dyn Closing>> {
        Some(self.owner.upgrade()?)
    }

    fn abandon(&self, on: &LoopRef) {
        self.finished.set(true);
        drop_quietly(on, self.body.take());
        drop_quietly(on, self.registered.take());
    }
}

impl<Y: 'static, S: 'static> Closing for Owner<Y, S> {
    fn close(self: Rc<Self>) -> Pin<Box<dyn Future<Output = Result<()>>>> {
        Box::pin(async move { aclose(&self.0).await })
    }

    fn show(&self) -> String {
        let own = &self.0;
        let state = match (own.finished.get(), own.running.get(), own.started.get()) {
            (true, _, _) => "finished",
            (_, true, _) => "running",
            (_, _, true) => "suspended",
            _ => "unstarted",
        };
        format!("<async_generator {state}>")
    }
}
