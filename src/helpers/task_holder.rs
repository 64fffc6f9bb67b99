//! [`TaskHolder`]: tasks that are let end, or ended, before their holder goes.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::fmt;
use core::future::Future;

use super::background::async_as_background;
use super::child_of_future::ChildOfFuture;
use super::held_tasks::{HeldTasks, Number};
use super::holder_wait::HolderWait;
use super::resettable_future::ResettableFuture;
use super::waiting::{unique, wait_for_all_futures};
use crate::{AnyFuture, Callback, Error, Result, Task, Watcher};

/// Holds tasks, and doesn't finish before they do: `hp.TaskHolder`.
///
/// While its final future is pending, [`finish`](TaskHolder::finish) waits for the tasks, and
/// for those that are added meanwhile. When that future is done, or `finish` is given an
/// error, they are cancelled first, and their clean-up is waited for. Clones are the same holder.
/// Without a [`scope`](TaskHolder::scope), call `finish` whatever happens in between.
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
    ts: RefCell<HeldTasks>,
    final_future: ChildOfFuture<()>,
    cleaner: RefCell<Option<Task<()>>>,
    /// Done when a task has ended since the cleaner looked.
    cleaner_waiter: ResettableFuture<()>,
    /// What makes it so: on every task.
    call_cleaner: Callback,
    /// The `finish`es that wait for a task to end.
    waits: RefCell<Vec<Rc<HolderWait>>>,
}

/// A holder hears of its tasks' ends as they come, and asks none of them.
impl Watcher for Inner {
    fn ended(&self, number: u64) {
        let mut ts = self.ts.borrow_mut();
        ts.note_end(number);
        if let Some(task) = ts.get(number) {
            for wait in &*self.waits.borrow() {
                wait.note_end(task.id());
            }
        }
    }

    fn joined(&self, number: u64) {
        for wait in &*self.waits.borrow() {
            wait.note_joined(number);
        }
    }
}

impl TaskHolder {
    /// A holder whose tasks are cancelled at the latest when `final_future` is done and the
    /// holder finishes.
    ///
    /// # Errors
    ///
    /// [`Runtime`](crate::ErrorKind::Runtime) where no loop runs.
    pub fn new(final_future: &dyn AnyFuture) -> Result<TaskHolder> {
        let final_future = ChildOfFuture::new(final_future)?;
        let cleaner_waiter = ResettableFuture::new()?;
        let called = cleaner_waiter.clone();
        let call_cleaner = Callback::new(move |_: &dyn AnyFuture| {
            called.reset(false);
            called.set_result(())
        });
        Ok(TaskHolder(Rc::new(Inner {
            ts: RefCell::default(),
            final_future,
            cleaner: RefCell::new(None),
            cleaner_waiter,
            call_cleaner,
            waits: RefCell::default(),
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
        task.add_callback(self.0.call_cleaner.clone());
        let number = self.0.ts.borrow().next();
        let watcher: Rc<dyn Watcher> = self.0.clone();
        let tells = task.watch(&watcher, number);
        self.0.ts.borrow_mut().add(task.to_any(), tells);
        if tells && task.done() {
            self.0.ts.borrow_mut().note_end(number);
        }
        if tells {
            for wait in &*self.0.waits.borrow() {
                wait.note_added(number);
            }
        }
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

    /// Those of the tasks that have to be asked and are done.
    fn asked_done(&self) -> Vec<Number> {
        let to_ask = self.0.ts.borrow().to_ask();
        to_ask.into_iter().filter(|(_, task)| task.done()).map(|(number, _)| number).collect()
    }

    fn drop_done(&self) {
        let asked_done = self.asked_done();
        let removed = {
            let mut ts = self.0.ts.borrow_mut();
            let done = ts.done(&asked_done);
            ts.remove(done)
        };
        drop(removed);
    }

    /// How many of its tasks are not done.
    #[must_use]
    pub fn pending(&self) -> usize {
        let asked_done = self.asked_done().len();
        self.0.ts.borrow().pending(asked_done)
    }

    /// Whether it holds `task`. A task that is done is let go a little later.
    #[must_use]
    pub fn contains(&self, task: &dyn AnyFuture) -> bool {
        self.0.ts.borrow().contains(task.id())
    }

    /// What it holds at the moment.
    pub fn iter(&self) -> impl Iterator<Item = Rc<dyn AnyFuture>> + use<> {
        self.tasks().into_iter()
    }

    fn tasks(&self) -> Vec<Rc<dyn AnyFuture>> {
        self.0.ts.borrow().all()
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
        if self.pending() == 0 {
            return Ok(());
        }
        let watched = self.0.ts.borrow().watched();
        let waiting = Waiting::new(self, HolderWait::new(watched));
        let final_future = &self.0.final_future;
        while self.pending() > 0 {
            if final_future.done() {
                let tasks = self.tasks();
                for task in &tasks {
                    task.cancel();
                }
                let waited = core::iter::once(final_future.to_any()).chain(tasks);
                wait_for_all_futures(waited).await?;
            } else {
                let to_ask = self.0.ts.borrow().to_ask();
                let to_ask = to_ask.into_iter().map(|(_, task)| task);
                let others = core::iter::once(final_future.to_any()).chain(to_ask);
                waiting.next(unique(others)).await?;
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
        let asked_done = self.asked_done();
        let (name, gone) = {
            let mut ts = self.0.ts.borrow_mut();
            let done = ts.done(&asked_done);
            ts.begin_clean(done)
        };
        let waited = wait_for_all_futures(gone).await;
        let removed = self.0.ts.borrow_mut().end_clean(name, waited.is_ok());
        drop(removed);
        waited
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

/// While it lives, a `finish` waits.
struct Waiting<'a> {
    holder: &'a TaskHolder,
    wait: Rc<HolderWait>,
    callback: Callback,
}

impl Waiting<'_> {
    fn new(holder: &TaskHolder, wait: Rc<HolderWait>) -> Waiting<'_> {
        holder.0.waits.borrow_mut().push(wait.clone());
        let callback = wait.callback();
        Waiting { holder, wait, callback }
    }

    /// Waits until a task, or one of `others`, has called back.
    async fn next(&self, others: Vec<Rc<dyn AnyFuture>>) -> Result<()> {
        let task = |number| self.holder.0.ts.borrow().get(number).cloned();
        self.wait.next(&self.callback, task, others).await
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.holder.0.waits.borrow_mut().retain(|wait| !Rc::ptr_eq(wait, &self.wait));
        for task in self.holder.tasks() {
            task.remove_done_callback(&self.callback);
        }
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
