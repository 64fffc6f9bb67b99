//! [`ResultStreamer`]: the results of many tasks and generators, in the order of arrival.

use alloc::boxed::Box;
use alloc::rc::Rc;
use core::cell::Cell;
use core::fmt;
use core::future::Future;

use super::adding::{Adding, OnResult};
use super::catcher::Catcher;
use super::entry::Entry;
use super::stream_result::{GeneratorComplete, StreamContext, StreamResult, StreamValue};
use crate::collections::RefCell;
use crate::helpers::error_catcher::ErrorCatcher;
use crate::helpers::futures::ChildOfFuture;
use crate::helpers::futures::{background, reporter};
use crate::helpers::futures::{
    cancel_futures_and_wait, wait_for_all_futures, wait_for_first_future,
};
use crate::helpers::holder::TaskHolder;
use crate::helpers::queue::{Queue, QueueIter};
use crate::helpers::stop_generator::stop_async_generator;
use crate::{
    AnyFuture, AsyncGenerator, Callback, Error, Flat, Result, Task, WeakCallback, await_body,
};

/// Returns the results of tasks, coroutines and generators in the order of arrival:
/// `hp.ResultStreamer`.
///
/// More may be added while it is iterated. The iteration ends when
/// [`no_more_work`](ResultStreamer::no_more_work) was said and all that was added is over, or
/// when the streamer is finished. A task that fails gives a result too. Clones are the same
/// streamer.
///
/// ```
/// use std::time::Duration;
/// use callsoon::{helpers as hp, EventLoop, run_on, sleep};
///
/// run_on(&EventLoop::with_virtual_time(), async {
///     let stop = hp::create_future::<()>();
///     let streamer = hp::ResultStreamer::<u32, &str>::new(&stop);
///     streamer.scope(async |streamer| {
///         let slow = async { sleep(Duration::from_secs(2)).await.map(|()| 2) };
///         streamer.add_coroutine(slow, hp::Adding::new().context("slow")).await?;
///         streamer.add_value(1, hp::Adding::new()).await?;
///         streamer.no_more_work();
///         let mut seen = Vec::new();
///         let mut results = streamer.iter();
///         while let Some(result) = results.next().await? {
///             seen.push((result.value.ok(), result.context.get().copied()));
///         }
///         assert_eq!(seen, [(Some(1), None), (Some(2), Some("slow"))]);
///         Ok(())
///     }).await
/// }).unwrap();
/// ```
pub struct ResultStreamer<V: 'static, C: 'static = ()>(Rc<Inner<V, C>>);

struct Inner<V: 'static, C: 'static> {
    final_future: ChildOfFuture<()>,
    queue_future: ChildOfFuture<()>,
    queue: Queue<Entry<V, C>>,
    ts: TaskHolder,
    catcher: Flat<Catcher<V, C>>,
    /// The callback of the tasks that have nothing of their own for one.
    common: RefCell<Option<WeakCallback>>,
    /// The number of tasks that were added, less those that the iteration has seen end.
    registered: Cell<i64>,
    stop_on_completion: Cell<bool>,
}

impl<V: Clone + 'static, C: Clone + 'static> ResultStreamer<V, C> {
    /// A streamer that is over when `final_future` is done. Exceptions of its tasks are logged.
    ///
    /// # Panics
    ///
    /// Where no loop runs.
    #[must_use]
    #[track_caller]
    pub fn new(final_future: &dyn AnyFuture) -> Self {
        Self::made(final_future, Catcher::None)
    }

    /// Makes a streamer as [`new`](ResultStreamer::new) does. The results of tasks that fail or are
    /// cancelled also go to `catcher`: `error_catcher=...`. Exceptions are logged unless it
    /// [counts as true](ErrorCatcher::is_truthy) when the task is added.
    ///
    /// # Panics
    ///
    /// As [`new`](ResultStreamer::new).
    #[must_use]
    #[track_caller]
    pub fn with_error_catcher(
        final_future: &dyn AnyFuture,
        catcher: impl ErrorCatcher<StreamResult<V, C>> + 'static,
    ) -> Self {
        Self::made(final_future, Catcher::Results(Box::new(catcher)))
    }

    /// Makes a streamer as [`with_error_catcher`](ResultStreamer::with_error_catcher) does, but
    /// `catcher` gets the exceptions alone, and no cancellations:
    /// `exceptions_only_to_error_catcher=True`.
    ///
    /// # Panics
    ///
    /// As [`new`](ResultStreamer::new).
    #[must_use]
    #[track_caller]
    pub fn with_exception_catcher(
        final_future: &dyn AnyFuture,
        catcher: impl ErrorCatcher<Error> + 'static,
    ) -> Self {
        Self::made(final_future, Catcher::Exceptions(Box::new(catcher)))
    }

    #[track_caller]
    fn made(parent: &dyn AnyFuture, catcher: Catcher<V, C>) -> Self {
        let final_future = ChildOfFuture::new(parent);
        let queue_future = ChildOfFuture::new(parent);
        let queue = Queue::emptied_on_finished(&queue_future);
        let ts = TaskHolder::new(&final_future);
        ResultStreamer(Rc::new(Inner {
            final_future,
            queue_future,
            queue,
            ts,
            catcher: Flat::new(catcher),
            common: RefCell::new(None),
            registered: Cell::new(0),
            stop_on_completion: Cell::new(false),
        }))
    }

    /// Streams what `generator` gives. The task that drives it ends with
    /// [`GeneratorComplete`]; when it ends in whatever way, the generator is stopped.
    ///
    /// # Errors
    ///
    /// The cancellation of the task that adds; [`Runtime`](crate::ErrorKind::Runtime) where no
    /// loop runs.
    ///
    /// # Cancellation
    ///
    /// What was added before the cancellation stays.
    pub async fn add_generator<S: 'static>(
        &self,
        generator: AsyncGenerator<V, S>,
        adding: Adding<V, C>,
    ) -> Result<Task<GeneratorComplete>> {
        self.add_generator_as(generator, adding, GeneratorComplete).await
    }

    /// Adds a generator as [`add_generator`](ResultStreamer::add_generator) does, with a task that
    /// ends with `complete`: for code that keeps the tasks of generators and others in one place.
    ///
    /// # Errors
    ///
    /// As [`add_generator`](ResultStreamer::add_generator).
    ///
    /// # Cancellation
    ///
    /// As [`add_generator`](ResultStreamer::add_generator).
    pub async fn add_generator_as<S: 'static, T: 'static>(
        &self,
        generator: AsyncGenerator<V, S>,
        adding: Adding<V, C>,
        complete: T,
    ) -> Result<Task<T>> {
        let Adding { context, on_each, on_done, .. } = adding;
        let run = self.clone().drive(generator.clone(), context.clone(), on_each, complete);
        let task = background(run, self.0.catcher.reporter())?;
        let on_end = move |streamer: &Self, done: &dyn AnyFuture| {
            let result =
                StreamResult::of_end(done, context.clone(), |_| Ok(StreamValue::GeneratorComplete));
            streamer.pass_on(result, on_done.as_ref())
        };
        if !self.add_any(&task, || self.end_callback(on_end))? {
            refuse(&task, false).await?;
        }
        if self.0.final_future.done() {
            cancel_futures_and_wait([&task]).await?;
            let close = background(async move { generator.aclose().await }, reporter())?;
            wait_for_first_future([&close]).await?;
        }
        Ok(task)
    }

    /// The body of a generator's task.
    async fn drive<S: 'static, T>(
        self,
        generator: AsyncGenerator<V, S>,
        context: StreamContext<C>,
        on_each: Option<OnResult<V, C>>,
        complete: T,
    ) -> Result<T> {
        let outcome = self.pass_on_each(&generator, &context, on_each).await;
        let error = outcome.as_ref().err().cloned();
        let stop = async move { stop_async_generator(&generator, None, error).await };
        let stop = background(stop, self.0.catcher.reporter())?;
        let on_end = |streamer: &Self, done: &dyn AnyFuture| {
            let result: StreamResult<V, C> = StreamResult::of_stop(done);
            if !result.successful {
                streamer.0.catcher.catch(&result)?;
            }
            streamer.0.queue.append(Entry::Stopped);
            streamer.0.queue.append(Entry::FinishedTask);
            Ok(())
        };
        if !self.add_any(&stop, || self.end_callback(on_end))? {
            refuse(&stop, true).await?;
        }
        outcome.map(|()| complete)
    }

    async fn pass_on_each<S: 'static>(
        &self,
        generator: &AsyncGenerator<V, S>,
        context: &StreamContext<C>,
        on_each: Option<OnResult<V, C>>,
    ) -> Result<()> {
        while let Some(value) = generator.next().await? {
            let result = StreamResult {
                value: StreamValue::Value(value),
                context: context.clone(),
                successful: true,
            };
            let Some(on_each) = &on_each else {
                self.0.queue.append(Entry::Result(result));
                continue;
            };
            self.0.queue.append(Entry::Result(result.clone()));
            on_each(&result);
        }
        Ok(())
    }

    /// Starts `coroutine` as a task, and streams its result.
    ///
    /// # Errors
    ///
    /// As [`add_generator`](ResultStreamer::add_generator).
    ///
    /// # Cancellation
    ///
    /// As [`add_generator`](ResultStreamer::add_generator).
    pub async fn add_coroutine(
        &self,
        coroutine: impl Future<Output = Result<V>> + 'static,
        adding: Adding<V, C>,
    ) -> Result<Task<V>> {
        let task = background(coroutine, self.0.catcher.reporter())?;
        self.add_task(&task, adding).await?;
        Ok(task)
    }

    /// Streams `value`, by way of a task.
    ///
    /// # Errors
    ///
    /// As [`add_generator`](ResultStreamer::add_generator).
    ///
    /// # Cancellation
    ///
    /// As [`add_generator`](ResultStreamer::add_generator).
    pub async fn add_value(&self, value: V, adding: Adding<V, C>) -> Result<Task<V>> {
        self.add_coroutine(async move { Ok(value) }, adding).await
    }

    /// Streams the result of a task, or of any future-like thing of `V`, that is there already.
    /// Once the streamer is finished the task is cancelled and waited for; with
    /// [`force`](Adding::force) only waited for.
    ///
    /// # Errors
    ///
    /// As [`add_generator`](ResultStreamer::add_generator).
    ///
    /// # Cancellation
    ///
    /// As [`add_generator`](ResultStreamer::add_generator).
    pub async fn add_task(&self, task: &dyn AnyFuture, adding: Adding<V, C>) -> Result<()> {
        let Adding { context, on_done, force, .. } = adding;
        let callback = || match (context, on_done) {
            (StreamContext::None, None) => self.common_callback(),
            (context, on_done) => {
                self.end_callback(move |streamer: &Self, done: &dyn AnyFuture| {
                    let result =
                        StreamResult::of_end(done, context.clone(), StreamValue::of_result);
                    streamer.pass_on(result, on_done.as_ref())
                })
            }
        };
        if !self.add_any(task, callback)? {
            Box::pin(refuse(task, force)).await?;
        }
        Ok(())
    }

    /// Has a callback called with the end of `task`. Returns false where the streamer is over.
    fn add_any(&self, task: &dyn AnyFuture, callback: impl FnOnce() -> Callback) -> Result<bool> {
        if self.0.final_future.done() {
            return Ok(false);
        }
        task.add_callback(callback());
        self.0.ts.hold(task)?;
        self.0.registered.set(self.0.registered.get() + 1);
        Ok(true)
    }

    /// A callback that calls `on_end` with the end of a task.
    fn end_callback(
        &self,
        on_end: impl Fn(&Self, &dyn AnyFuture) -> Result<()> + 'static,
    ) -> Callback {
        let streamer = self.clone();
        Callback::new(move |done: &dyn AnyFuture| on_end(&streamer, done))
    }

    /// The callback of all tasks that were added without a context and a function: one, for as long as
    /// one of them has it.
    fn common_callback(&self) -> Callback {
        let common = self.0.common.borrow().as_ref().and_then(WeakCallback::upgrade);
        common.unwrap_or_else(|| {
            let common = self.end_callback(|streamer: &Self, done: &dyn AnyFuture| {
                let result =
                    StreamResult::of_end(done, StreamContext::None, StreamValue::of_result);
                streamer.pass_on(result, None)
            });
            let gone = self.0.common.replace(Some(common.downgrade()));
            drop(gone);
            common
        })
    }

    /// A task has ended with `result`, which is the last of it.
    #[cfg_attr(feature = "std", inline(always))]
    fn pass_on(&self, result: StreamResult<V, C>, on_done: Option<&OnResult<V, C>>) -> Result<()> {
        let told = on_done.map(|on_done| (on_done, result.clone()));
        let is_streamed = !matches!(result.value, StreamValue::GeneratorComplete);
        if is_streamed && !result.successful {
            self.0.catcher.catch(&result)?;
        }
        let Some((on_done, told)) = told else {
            self.0.queue.append(if is_streamed {
                Entry::Last(result)
            } else {
                Entry::FinishedTask
            });
            return Ok(());
        };
        if is_streamed {
            self.0.queue.append(Entry::Result(result));
        }
        on_done(&told);
        self.0.queue.append(Entry::FinishedTask);
        Ok(())
    }

    /// Lets the iteration end when all that was added is over.
    pub fn no_more_work(&self) {
        self.0.stop_on_completion.set(true);
    }

    /// The results, as they come: `async for result in streamer`.
    #[must_use]
    pub fn iter(&self) -> StreamIter<V, C> {
        StreamIter { streamer: self.clone(), entries: None, over: false }
    }

    fn complete(&self) -> bool {
        self.0.stop_on_completion.get() && self.0.ts.pending() == 0
    }

    /// Ends it: what it holds is cancelled and waited for.
    ///
    /// # Errors
    ///
    /// The cancellation of the task that waits.
    ///
    /// # Cancellation
    ///
    /// It is finished all the same, without waiting for its tasks.
    pub async fn finish(&self, error: Option<Error>) -> Result<()> {
        self.0.final_future.cancel();
        let finished = self.0.ts.finish(error).await;
        if self.0.registered.get() == 0 {
            self.0.queue_future.cancel();
            self.0.queue.finish().await;
        }
        finished
    }

    /// Runs `body` with the streamer, and [finishes](ResultStreamer::finish) it however that
    /// ends: `async with hp.ResultStreamer(...) as streamer`.
    ///
    /// # Errors
    ///
    /// That of `finish`, where that fails; else the body's.
    pub async fn scope<R>(self, body: impl AsyncFnOnce(&Self) -> Result<R>) -> Result<R> {
        let outcome = await_body!(body(&self));
        self.finish(outcome.as_ref().err().cloned()).await?;
        outcome
    }
}

/// Waits for a task that came when its streamer was over, which is cancelled, unless that is to `force`
/// it.
async fn refuse(task: &dyn AnyFuture, force: bool) -> Result<()> {
    if force { wait_for_all_futures([task]).await } else { cancel_futures_and_wait([task]).await }
}

/// An iteration over a [`ResultStreamer`].
pub struct StreamIter<V: 'static, C: 'static> {
    streamer: ResultStreamer<V, C>,
    entries: Option<QueueIter<Entry<V, C>>>,
    over: bool,
}

impl<V: Clone + 'static, C: Clone + 'static> StreamIter<V, C> {
    /// The next result, or `None` at the end, and from then on.
    ///
    /// # Errors
    ///
    /// The cancellation of the task that waits, after which the iteration is over.
    ///
    /// # Cancellation
    ///
    /// No result is lost: it is taken and returned in one go. Dropped half-way it ends the
    /// iteration, too; another [`iter`](ResultStreamer::iter) takes what comes.
    pub async fn next(&mut self) -> Result<Option<StreamResult<V, C>>> {
        if self.over {
            return Ok(None);
        }
        // Until a result is there to be returned: an error, too, ends the iteration.
        self.over = true;
        let registered = &self.streamer.0.registered;
        let mut complete = match &self.entries {
            None => self.streamer.complete() && registered.get() == 0,
            Some(_) => self.streamer.complete() && registered.get() <= 0,
        };
        let entries = self.entries.get_or_insert_with(|| self.streamer.0.queue.iter());
        while !complete {
            match entries.next_by(Entry::take).await? {
                None => return Ok(None),
                Some(Entry::Result(result) | Entry::Last(result)) => {
                    self.over = false;
                    return Ok(Some(result));
                }
                Some(Entry::Stopped) => {}
                Some(Entry::FinishedTask) => {
                    registered.set(registered.get() - 1);
                    complete = self.streamer.complete() && registered.get() <= 0;
                }
            }
        }
        Ok(None)
    }
}

impl<V: 'static, C: 'static> Clone for ResultStreamer<V, C> {
    fn clone(&self) -> Self {
        ResultStreamer(self.0.clone())
    }
}

impl<V: 'static, C: 'static> fmt::Debug for ResultStreamer<V, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResultStreamer")
            .field("pending", &self.0.ts.pending())
            .field("registered", &self.0.registered.get())
            .finish_non_exhaustive()
    }
}

impl<V: 'static, C: 'static> fmt::Debug for StreamIter<V, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamIter").field("streamer", &self.streamer).finish_non_exhaustive()
    }
}
