//! [`TaskHolder`]: tasks that end, or are cancelled, before their holder is left.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::Cell;
use core::fmt;
use core::future::Future;

use super::held::{Held, Removed};
use super::held_tasks::{Gone, HeldTasks};
use super::holder_wait::HolderWait;
use crate::collections::{Key, RefCell};
use crate::helpers::futures::ChildOfFuture;
use crate::helpers::futures::{Callbacks, unique, wait_for_all_futures};
use crate::helpers::futures::{background, reporter, silent_reporter};
use crate::{
    AnyFuture, Callback, Error, Result, ReusableSignal, Task, Watcher, await_body, expect_possible,
};

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
///     let stop = hp::create_future::<()>();
///     let holder = hp::TaskHolder::new(&stop);
///     holder.scope(async |holder| {
///         holder.add(sleep(Duration::from_secs(2)));
///         holder.add(sleep(Duration::from_secs(3)));
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
    last_listener: Cell<u64>,
    finishes: Cell<u64>,
    cleaner: RefCell<Option<Task<()>>>,
    cleanup: CleanupSignal,
    /// The `finish`es that wait for a task to end, in the order in which their rounds began.
    waits: RefCell<Vec<Rc<HolderWait>>>,
    /// The number of times that a waiter was added behind a watch.
    joins: Cell<u64>,
}

/// The cleaner's wait for tasks to end.
#[derive(Default)]
struct CleanupSignal {
    /// A task has ended since the cleaner looked.
    called: Cell<bool>,
    /// The cleaner's waits for that.
    waits: ReusableSignal,
    /// The wait for that was cancelled, and so is each that comes before the next call. In the
    /// original it is one future, that stays cancelled until it is made anew.
    cancelled: Cell<bool>,
}

impl CleanupSignal {
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
        let outcome = self.waits.wait().await;
        if outcome.is_ok() {
            self.called.set(false);
        } else if !self.called.get() {
            self.cancelled.set(true);
        }
        outcome
    }
}

/// The watch on a task stands for the callback that calls the cleaner, and for those of the `finish`es
/// that wait.
impl Watcher for Inner {
    fn ended(&self, key: u64) {
        self.ts.borrow_mut().note_end(key);
    }

    fn joined(&self, key: u64) {
        self.joins.set(self.joins.get() + 1);
        self.ts.borrow_mut().note_joined(key);
        self.waits.borrow().iter().for_each(|wait| wait.note_joined(key));
    }

    fn called(&self, key: u64) {
        self.cleanup.call();
        let mut removed = Removed::default();
        let end = self.ts.borrow_mut().note_called(key, &mut removed);
        if let Some(end) = end {
            self.waits.borrow().iter().for_each(|wait| wait.called(end));
        }
        drop(removed);
    }
}

impl TaskHolder {
    /// Makes a holder. Its tasks are cancelled at the latest when `final_future` is done and the
    /// holder finishes.
    ///
    /// # Panics
    ///
    /// Where no loop runs.
    #[must_use]
    #[track_caller]
    pub fn new(final_future: &dyn AnyFuture) -> TaskHolder {
        let final_future = ChildOfFuture::new(final_future);
        TaskHolder(Rc::new(Inner {
            ts: RefCell::default(),
            final_future,
            last_listener: Cell::new(0),
            finishes: Cell::new(0),
            cleaner: RefCell::new(None),
            cleanup: CleanupSignal::default(),
            waits: RefCell::default(),
            joins: Cell::new(0),
        }))
    }

    /// Starts `coroutine` as a task and holds it. Its exception is logged, or, if it is
    /// `silent`, only read.
    ///
    /// # Panics
    ///
    /// Like [`create_task`](crate::create_task()).
    #[track_caller]
    pub fn add<T: 'static>(&self, coroutine: impl Future<Output = Result<T>> + 'static) -> Task<T> {
        self.add_background(coroutine, reporter())
    }

    /// Adds a task as [`add`](TaskHolder::add) does, but its exception isn't logged: `silent=True`.
    ///
    /// # Panics
    ///
    /// As [`add`](TaskHolder::add).
    #[track_caller]
    pub fn add_silent<T: 'static>(
        &self,
        coroutine: impl Future<Output = Result<T>> + 'static,
    ) -> Task<T> {
        self.add_background(coroutine, silent_reporter())
    }

    #[track_caller]
    fn add_background<T: 'static>(
        &self,
        coroutine: impl Future<Output = Result<T>> + 'static,
        reporter: Callback,
    ) -> Task<T> {
        let task = expect_possible(background(coroutine, reporter));
        self.add_task(&task);
        task
    }

    /// Holds a task, or any future-like thing, that is there already.
    ///
    /// # Panics
    ///
    /// As [`add`](TaskHolder::add).
    #[track_caller]
    pub fn add_task(&self, task: &dyn AnyFuture) {
        expect_possible(self.hold(task));
    }

    /// Like [`add_task`](TaskHolder::add_task).
    ///
    /// # Errors
    ///
    /// Where the cleaner's task can't be made.
    pub(crate) fn hold(&self, task: &dyn AnyFuture) -> Result<()> {
        self.ensure_cleaner()?;
        let inner = &self.0;
        let held = Held::new(task);
        let key = inner.ts.borrow_mut().add(held);
        let Some(own) = task.erased() else {
            let inner = inner.clone();
            task.add_callback(Callback::new(move |_: &dyn AnyFuture| inner.cleanup.call()));
            return Ok(());
        };
        let (done, joins) = (own.done(), inner.joins.get());
        own.watch(inner.clone(), key);
        // A task that was added before has another watch of this holder.
        if done || inner.joins.get() != joins {
            inner.ts.borrow_mut().set_again(key);
        }
        if done {
            inner.ts.borrow_mut().note_end(key);
        }
        Ok(())
    }

    fn ensure_cleaner(&self) -> Result<()> {
        if self.0.cleaner.borrow().is_some() {
            return Ok(());
        }
        let cleaner = background(cleanup_loop(self.clone()), reporter())?;
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
    #[inline]
    fn asked_done(&self) -> Vec<Key> {
        let Some(to_ask) = self.0.ts.borrow().to_ask() else { return Vec::new() };
        to_ask.into_iter().filter(|(_, task)| task.done()).map(|(key, _)| key).collect()
    }

    /// Those that have to be asked, each once, if there are any.
    fn to_ask(&self) -> Option<Vec<Rc<dyn AnyFuture>>> {
        let to_ask = self.0.ts.borrow().to_ask()?;
        Some(unique(to_ask.into_iter().map(|(_, task)| task)))
    }

    fn drop_done(&self) {
        let asked_done = self.asked_done();
        let removed = self.0.ts.borrow_mut().remove_done(&asked_done);
        drop(removed);
    }

    /// Returns the number of its tasks that are not done.
    #[must_use]
    pub fn pending(&self) -> usize {
        let asked_done = self.asked_done().len();
        self.0.ts.borrow().pending(asked_done)
    }

    /// Returns true if it holds `task`. A task that is done is dropped a little later.
    #[must_use]
    pub fn contains(&self, task: &dyn AnyFuture) -> bool {
        let id = task.id();
        self.0.ts.borrow().contains(id)
    }

    /// Returns the tasks that it holds at the moment.
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
        let joined = self.0.ts.borrow().joined();
        let waiting = Waiting::new(self, HolderWait::new(joined));
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
                let others = self.to_ask();
                waiting.follow();
                waiting.round(others).await?;
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
        let last = async move { holder.clean().await };
        let last = background(last, reporter())?;
        wait_for_all_futures([&last]).await
    }

    fn begin_clean(&self) -> (usize, Gone) {
        let asked_done = self.asked_done();
        self.0.ts.borrow_mut().begin_clean(&asked_done)
    }

    /// Drops the tasks that are done, once all their callbacks have been called. What is
    /// added meanwhile stays.
    async fn clean(&self) -> Result<()> {
        let (number, gone) = self.begin_clean();
        let waited = match gone {
            Gone::None => Ok(()),
            // They call back in the next turn, and the wait is over in the one after.
            Gone::ForGood => ReusableSignal::wait_in_turn().await,
            // Few have it: a box keeps the others short.
            Gone::Asked(tasks) => Box::pin(wait_for_all_futures(tasks)).await,
        };
        let removed = self.0.ts.borrow_mut().end_clean(number, waited.is_ok());
        drop(removed);
        waited
    }

    /// Runs `body` with the holder, and [finishes](TaskHolder::finish) it with what the body
    /// fails with: `async with hp.TaskHolder(...) as ts`.
    ///
    /// # Errors
    ///
    /// That of `finish`, where that fails; else the body's.
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

/// The callbacks of a wait on tasks that can't be watched.
type Others = Box<Callbacks<Rc<dyn AnyFuture>>>;

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
        let name = holder.0.finishes.get() + 1;
        holder.0.finishes.set(name);
        let ends = wait.clone();
        let follow = Callback::new(move |_: &dyn AnyFuture| ends.end());
        Waiting { holder, callback: wait.callback(), wait, follow, name }
    }

    /// Waits until a task, the final future, or one of `others`, has called back. The others are the tasks
    /// that can't be watched; they have callbacks for as long as this waits.
    #[inline]
    async fn round(&self, mut others: Option<Vec<Rc<dyn AnyFuture>>>) -> Result<()> {
        let mut held = None;
        self.wait.round(|| held = self.begin_round(&mut others)).await
    }

    fn begin_round(&self, others: &mut Option<Vec<Rc<dyn AnyFuture>>>) -> Option<Others> {
        self.wait.begin_round(&self.holder.0.ts);
        self.begin_last();
        let held = others
            .take()
            .map(|all| Box::new(Callbacks::add(all, self.wait.callback_of_this_round())));
        self.wait.put_last(&self.callback, &self.holder.0.ts);
        held
    }

    /// Moves the wait behind those that began their rounds before.
    fn begin_last(&self) {
        let mut waits = self.holder.0.waits.borrow_mut();
        let is_own = |wait: &Rc<HolderWait>| Rc::ptr_eq(wait, &self.wait);
        if !waits.last().is_some_and(is_own) {
            waits.retain(|wait| !is_own(wait));
            waits.push(self.wait.clone());
        }
    }

    /// Stands last among the `finish`es that follow the final future, which is pending: each does
    /// so anew for each of its rounds.
    fn follow(&self) {
        let TaskHolder(inner) = self.holder;
        if inner.last_listener.replace(self.name) != self.name {
            inner.final_future.remove_done_callback(&self.follow);
            inner.final_future.add_done_callback(&self.follow);
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.holder.0.waits.borrow_mut().retain(|wait| !Rc::ptr_eq(wait, &self.wait));
        self.holder.0.final_future.remove_done_callback(&self.follow);
        let joined = self.holder.0.ts.borrow().joined();
        for key in joined {
            let task = self.holder.0.ts.borrow().to_follow(key);
            if let Some(task) = task {
                task.to_any().remove_done_callback(&self.callback);
            }
        }
    }
}

async fn cleanup_loop(holder: TaskHolder) -> Result<()> {
    loop {
        holder.0.cleanup.wait().await?;
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
