//! [`TaskHolder`]: tasks that are let end, or ended, before their holder goes.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::fmt;
use core::future::Future;

use super::background::async_as_background;
use super::child_of_future::ChildOfFuture;
use super::resettable_future::ResettableFuture;
use super::waiting::{wait_for_all_futures, wait_for_first_future};
use crate::{AnyFuture, Error, FutureId, Result, Task};

/// Holds tasks, and doesn't finish before they do: `hp.TaskHolder`.
///
/// While its final future is pending, [`finish`](TaskHolder::finish) waits for the tasks, and
/// for those that are added meanwhile. When that future is done, or `finish` is given an
/// error, they are cancelled first. Clones are the same holder.
///
/// ```
/// use std::time::Duration;
/// use callsoon::{EventLoop, helpers as hp, run_on, sleep};
///
/// run_on(&EventLoop::with_virtual_time(), async {
///     let stop = hp::create_future::<()>()?;
///     let holder = hp::TaskHolder::new(&stop)?;
///     holder.scope(async |holder| {
///         holder.add(sleep(Duration::from_secs(2)))?;
///         holder.add(sleep(Duration::from_secs(3)))?;
///         assert_eq!(holder.pending(), 2);
///         Ok(())
///     }).await?;
///     assert_eq!(callsoon::running_loop()?.time(), Duration::from_secs(3));
///     Ok(())
/// }).unwrap();
/// ```
pub struct TaskHolder(Rc<Inner>);

struct Inner {
    ts: RefCell<Vec<Rc<dyn AnyFuture>>>,
    final_future: ChildOfFuture<()>,
    cleaner: RefCell<Option<Task<()>>>,
    /// Done when a task has ended since the cleaner looked.
    cleaner_waiter: ResettableFuture<()>,
}

impl TaskHolder {
    /// A holder whose tasks are cancelled at the latest when `final_future` is done and the
    /// holder finishes.
    ///
    /// # Errors
    ///
    /// [`Runtime`](crate::ErrorKind::Runtime) where no loop runs.
    pub fn new(final_future: &dyn AnyFuture) -> Result<TaskHolder> {
        Ok(TaskHolder(Rc::new(Inner {
            ts: RefCell::default(),
            final_future: ChildOfFuture::new(final_future)?,
            cleaner: RefCell::new(None),
            cleaner_waiter: ResettableFuture::new()?,
        })))
    }

    /// Starts `coroutine` as a task and holds it. Its exception is logged, or, if it is
    /// `silent`, only read.
    ///
    /// # Errors
    ///
    /// [`Runtime`](crate::ErrorKind::Runtime) where no loop runs.
    #[track_caller]
    pub fn add<T: 'static>(
        &self,
        coroutine: impl Future<Output = Result<T>> + 'static,
    ) -> Result<Task<T>> {
        self.add_background(coroutine, false)
    }

    /// As [`add`](TaskHolder::add), and the exception isn't logged: `silent=True`.
    ///
    /// # Errors
    ///
    /// As [`add`](TaskHolder::add).
    #[track_caller]
    pub fn add_silent<T: 'static>(
        &self,
        coroutine: impl Future<Output = Result<T>> + 'static,
    ) -> Result<Task<T>> {
        self.add_background(coroutine, true)
    }

    #[track_caller]
    fn add_background<T: 'static>(
        &self,
        coroutine: impl Future<Output = Result<T>> + 'static,
        silent: bool,
    ) -> Result<Task<T>> {
        let task = async_as_background(coroutine, silent)?;
        self.add_task(&task)?;
        Ok(task)
    }

    /// Holds a task, or any future-like thing, that is there already.
    ///
    /// # Errors
    ///
    /// As [`add`](TaskHolder::add).
    pub fn add_task(&self, task: &dyn AnyFuture) -> Result<()> {
        self.ensure_cleaner()?;
        let waiter = self.0.cleaner_waiter.clone();
        task.add_callback(crate::Callback::new(move |_: &dyn AnyFuture| {
            waiter.reset(false);
            waiter.set_result(())
        }));
        self.0.ts.borrow_mut().push(task.to_any());
        Ok(())
    }

    fn ensure_cleaner(&self) -> Result<()> {
        if self.0.cleaner.borrow().is_some() {
            return Ok(());
        }
        let cleaner = async_as_background(clean_for_ever(self.clone()), false)?;
        self.0.cleaner.replace(Some(cleaner.clone()));
        let (holder, id) = (self.clone(), cleaner.id());
        cleaner.add_done_callback(move |_: &dyn AnyFuture| {
            let is_it = holder.0.cleaner.borrow().as_ref().is_some_and(|own| own.id() == id);
            if is_it {
                let gone = holder.0.cleaner.take();
                drop(gone);
            }
        });
        Ok(())
    }

    fn tasks(&self) -> Vec<Rc<dyn AnyFuture>> {
        self.0.ts.borrow().clone()
    }

    fn drop_done(&self) {
        let kept = self.tasks().into_iter().filter(|task| !task.done()).collect();
        let before = self.0.ts.replace(kept);
        drop(before);
    }

    /// How many of its tasks are not done.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.tasks().iter().filter(|task| !task.done()).count()
    }

    /// Whether it holds `task`. A task that is done is let go a little later.
    #[must_use]
    pub fn contains(&self, task: &dyn AnyFuture) -> bool {
        let id = task.id();
        self.0.ts.borrow().iter().any(|own| own.id() == id)
    }

    /// What it holds at the moment.
    pub fn iter(&self) -> impl Iterator<Item = Rc<dyn AnyFuture>> + use<> {
        self.tasks().into_iter()
    }

    /// Waits for the tasks: cancelled if the final future is done, which `error` makes it.
    ///
    /// # Errors
    ///
    /// The cancellation of the task that waits; `error` is for the tasks and not returned.
    ///
    /// # Cancellation
    ///
    /// The holder is finished all the same, without waiting for its tasks.
    pub async fn finish(&self, error: Option<Error>) -> Result<()> {
        if let Some(error) = error.filter(|_| !self.0.final_future.done()) {
            self.0.final_future.set_exception(error)?;
        }
        let ended = self.wait_for_tasks().await;
        let cleaned = self.stop_cleaning().await;
        self.0.final_future.cancel();
        cleaned.and(ended)
    }

    async fn wait_for_tasks(&self) -> Result<()> {
        let final_future = &self.0.final_future;
        while self.pending() > 0 {
            let stopping = final_future.done();
            let tasks = self.tasks();
            if stopping {
                for task in &tasks {
                    task.cancel();
                }
            }
            let waited = core::iter::once(final_future.to_any()).chain(tasks);
            if stopping {
                wait_for_all_futures(waited).await?;
            } else {
                wait_for_first_future(waited).await?;
            }
            self.drop_done();
        }
        Ok(())
    }

    async fn stop_cleaning(&self) -> Result<()> {
        let cleaner = self.0.cleaner.borrow().clone();
        if let Some(cleaner) = cleaner {
            cleaner.cancel();
            wait_for_all_futures([&cleaner]).await?;
        }
        let holder = self.clone();
        let last = async_as_background(async move { holder.clean().await }, false)?;
        wait_for_all_futures([&last]).await
    }

    /// Lets go of the tasks that are done, once all their callbacks have been called. What is
    /// added meanwhile stays.
    async fn clean(&self) -> Result<()> {
        let (gone, kept): (Vec<_>, Vec<_>) = self.tasks().into_iter().partition(|t| t.done());
        let known: Vec<FutureId> = gone.iter().chain(&kept).map(AnyFuture::id).collect();
        wait_for_all_futures(gone).await?;
        let new = self.tasks().into_iter().filter(|task| !known.contains(&task.id()));
        let now = kept.into_iter().chain(new).collect();
        let before = self.0.ts.replace(now);
        drop(before);
        Ok(())
    }

    /// Runs `body` with the holder, and [finishes](TaskHolder::finish) it with what the body
    /// fails with: `async with hp.TaskHolder(...) as ts`.
    ///
    /// # Errors
    ///
    /// The body's; else that of `finish`.
    ///
    /// # Cancellation
    ///
    /// The body is told at its await, and the tasks are then cancelled and waited for.
    pub async fn scope<R>(self, body: impl AsyncFnOnce(&TaskHolder) -> Result<R>) -> Result<R> {
        let outcome = body(&self).await;
        self.finish(outcome.as_ref().err().cloned()).await?;
        outcome
    }
}

async fn clean_for_ever(holder: TaskHolder) -> Result<()> {
    loop {
        (&holder.0.cleaner_waiter).await?;
        holder.0.cleaner_waiter.reset(false);
        holder.clean().await?;
    }
}

impl Clone for TaskHolder {
    fn clone(&self) -> TaskHolder {
        TaskHolder(self.0.clone())
    }
}

impl fmt::Debug for TaskHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskHolder").field("pending", &self.pending()).finish_non_exhaustive()
    }
}
