//! [`TaskHolder`]: tasks that are let end, or ended, before their holder goes.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::fmt;
use core::future::Future;

use super::background::async_as_background;
use super::child_of_future::ChildOfFuture;
use super::held_tasks::{HeldTasks, Key};
use super::holder_wait::HolderWait;
use super::waiting::{unique, wait_for_all_futures, wait_for_what_is_done};
use crate::{AnyFuture, Callback, Error, Result, ReusableSignal, Task, Watcher, await_body};

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
    /// The `finish` that was the last to put its callback on that.
    last_to_follow: Cell<u64>,
    finishes: Cell<u64>,
    cleaner: RefCell<Option<Task<()>>>,
    to_clean: Rc<ToClean>,
    /// What says that there is something to clean: on every task.
    call_cleaner: Callback,
    /// The `finish`es that wait for a task to end.
    waits: RefCell<Vec<Rc<HolderWait>>>,
}

/// What the cleaner waits for.
#[derive(Default)]
struct ToClean {
    /// A task has ended since the cleaner looked.
    called: Cell<bool>,
    /// The cleaner's waits for that.
    waits: ReusableSignal,
    /// The wait for that was cancelled, and so is each that comes before the next call. In the
    /// original it is one future, that stays cancelled until it is made anew.
    cancelled: Cell<bool>,
}

impl ToClean {
    fn call(&self) {
        self.cancelled.set(false);
        if !self.called.replace(true) {
            self.waits.complete();
        }
    }

    async fn wait(&self) -> Result<()> {
        if self.cancelled.get() {
            return Err(Error::cancelled());
        }
        if self.called.take() {
            return Ok(());
        }
        let outcome = self.waits.begin()?.await;
        if outcome.is_ok() {
            self.called.set(false);
        } else if !self.called.get() {
            self.cancelled.set(true);
        }
        outcome
    }
}

/// A holder hears of its tasks' ends as they come, and asks none of them.
impl Watcher for Inner {
    fn ended(&self, token: u64) {
        let mut ts = self.ts.borrow_mut();
        let Some(key) = ts.key(token) else { return };
        ts.note_end(key);
        if !ts.is_again(key) {
            self.waits.borrow().iter().for_each(|wait| wait.note_end(key));
        }
    }

    fn joined(&self, token: u64) {
        let waits = self.waits.borrow();
        if waits.is_empty() {
            return;
        }
        if let Some(key) = self.ts.borrow().key(token) {
            waits.iter().for_each(|wait| wait.note_joined(key));
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
        let to_clean = Rc::new(ToClean::default());
        let called = to_clean.clone();
        let call_cleaner = Callback::new(move |_: &dyn AnyFuture| called.call());
        Ok(TaskHolder(Rc::new(Inner {
            ts: RefCell::default(),
            final_future,
            last_to_follow: Cell::new(0),
            finishes: Cell::new(0),
            cleaner: RefCell::new(None),
            to_clean,
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
        let done = task.done();
        let again = done || task.has_callback(&self.0.call_cleaner);
        task.add_callback(self.0.call_cleaner.clone());
        let key = self.0.ts.borrow().next_key();
        let watcher: Rc<dyn Watcher> = self.0.clone();
        let tells = task.watch(&watcher, key.token());
        let task = (task.to_any(), task.id());
        let mut ts = self.0.ts.borrow_mut();
        ts.add(task, tells, again || !tells);
        if tells {
            if done {
                ts.note_end(key);
            }
            self.0.waits.borrow().iter().for_each(|wait| wait.note_added(key));
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
    fn asked_done(&self) -> Vec<Key> {
        let ts = self.0.ts.borrow();
        if ts.nobody_to_ask() {
            return Vec::new();
        }
        let to_ask = ts.to_ask();
        drop(ts);
        to_ask.into_iter().filter(|(_, task)| task.done()).map(|(key, _)| key).collect()
    }

    /// Those that have to be asked, each once.
    fn to_ask(&self) -> Vec<Rc<dyn AnyFuture>> {
        let ts = self.0.ts.borrow();
        if ts.nobody_to_ask() {
            return Vec::new();
        }
        let to_ask = ts.to_ask();
        drop(ts);
        unique(to_ask.into_iter().map(|(_, task)| task))
    }

    fn drop_done(&self) {
        let asked_done = self.asked_done();
        let removed = self.0.ts.borrow_mut().remove_done(&asked_done);
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
        if !task.done() && task.has_callback(&self.0.call_cleaner) {
            // What is pending stays, once it was added.
            return true;
        }
        let id = task.id();
        self.0.ts.borrow().contains(id)
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
                waiting.next(self.to_ask()).await?;
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
        let last = async_as_background(
            async move { holder.clean(&ReusableSignal::default()).await },
            false,
        )?;
        wait_for_all_futures([&last]).await
    }

    /// Lets go of the tasks that are done, once all their callbacks have been called. What is
    /// added meanwhile stays.
    async fn clean(&self, naps: &ReusableSignal) -> Result<()> {
        let asked_done = self.asked_done();
        let (name, gone) = {
            let mut ts = self.0.ts.borrow_mut();
            let name = ts.begin_clean(&asked_done);
            let gone = match ts.gone() {
                [] => Gone::Nobody,
                gone if ts.all_tell(gone) => Gone::ForGood,
                gone => Gone::Asked(gone.iter().filter_map(|key| ts.get(*key).cloned()).collect()),
            };
            (name, gone)
        };
        let waited = match gone {
            Gone::Nobody => Ok(()),
            Gone::ForGood => wait_for_what_is_done(naps).await,
            Gone::Asked(tasks) => wait_for_all_futures(tasks).await,
        };
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
        let outcome = await_body!(body(&self));
        self.finish(outcome.as_ref().err().cloned()).await?;
        outcome
    }
}

/// Whose callbacks a clean-up waits for.
enum Gone {
    Nobody,
    /// Tasks and plain futures: whatever happens, they are done.
    ForGood,
    /// Some that stand on others may be pending again.
    Asked(Vec<Rc<dyn AnyFuture>>),
}

/// While it lives, a `finish` waits.
struct Waiting<'a> {
    holder: &'a TaskHolder,
    wait: Rc<HolderWait>,
    /// On the tasks.
    callback: Callback,
    /// On the final future.
    follow: Callback,
    name: u64,
}

impl Waiting<'_> {
    fn new(holder: &TaskHolder, wait: Rc<HolderWait>) -> Waiting<'_> {
        holder.0.waits.borrow_mut().push(wait.clone());
        let name = holder.0.finishes.get() + 1;
        holder.0.finishes.set(name);
        let ends = wait.clone();
        let follow = Callback::new(move |_: &dyn AnyFuture| ends.end());
        Waiting { holder, callback: wait.callback(), wait, follow, name }
    }

    /// Waits until a task, the final future, or one of `others`, has called back.
    async fn next(&self, others: Vec<Rc<dyn AnyFuture>>) -> Result<()> {
        self.follow();
        self.wait.next(&self.callback, &self.holder.0.ts, others).await
    }

    /// Stands last among the `finish`es that follow the final future, which is pending: each does
    /// so anew for each of its rounds.
    fn follow(&self) {
        let TaskHolder(inner) = self.holder;
        if inner.last_to_follow.replace(self.name) != self.name {
            inner.final_future.remove_done_callback(&self.follow);
            inner.final_future.add_done_callback(&self.follow);
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.holder.0.waits.borrow_mut().retain(|wait| !Rc::ptr_eq(wait, &self.wait));
        self.holder.0.final_future.remove_done_callback(&self.follow);
        for task in self.holder.tasks() {
            task.remove_done_callback(&self.callback);
        }
    }
}

async fn clean_for_ever(holder: TaskHolder) -> Result<()> {
    let naps = ReusableSignal::default();
    loop {
        holder.0.to_clean.wait().await?;
        holder.clean(&naps).await?;
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
