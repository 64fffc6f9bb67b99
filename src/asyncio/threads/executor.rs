//! [`ThreadPoolExecutor`], [`LoopRef::run_in_executor`] and [`to_thread`]: blocking functions
//! on threads of a pool.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use core::cell::Cell;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::time::Duration;

use crate::asyncio::core::{CancelHook, Ending, LoopExtension, Stage, TaskRegistry, WaitReason};
use crate::asyncio::future::LoopFuture;
use crate::asyncio::time::timeout;
use crate::collections::CellExt;
use crate::error::{Error, ErrorKind, Result};
use crate::event_loop::{LoopRef, Seconds, WorkItem, running_loop};
use crate::logging::say;
use crate::sync::{Arc, AtomicBool, Ordering};
use crate::threads::{Crew, WorkQueue, caught, logged};

/// What a thread is given to do.
trait Job: Send {
    fn work(self: Box<Self>);
}

/// A function that is to be called, unless somebody was here before.
struct Unless<F> {
    taken: Arc<AtomicBool>,
    func: F,
}

impl<F: FnOnce() -> Result<T> + Send + 'static, T: Send + 'static> Job for WorkItem<Unless<F>, T> {
    fn work(self: Box<Self>) {
        let mut called = false;
        let given = self.run(|Unless { taken, func }| {
            called = !taken.swap(true, Ordering::Relaxed);
            if called { caught(func).and_then(|outcome| outcome) } else { Err(Error::cancelled()) }
        });
        if called && given.is_err() {
            say!(Error, "event loop closed before the function returned; its result is lost");
        }
    }
}

/// A bounded pool of threads for functions that block: `concurrent.futures.ThreadPoolExecutor`,
/// as far as a loop uses it. Threads are started as they are needed. Clones are the same pool.
///
/// Dropping the last clone lets the threads run what they were given, and leave; nobody waits
/// for them.
///
/// ```
/// use callsoon::{ThreadPoolExecutor, run, running_loop};
///
/// run(async {
///     let pool = ThreadPoolExecutor::new(2)?;
///     let sum = running_loop()?.run_in_executor(Some(&pool), || Ok((1..=10).sum::<u32>()))?;
///     assert_eq!(sum.await?, 55);
///     pool.shutdown(false).await
/// }).unwrap();
/// ```
#[derive(Clone)]
pub struct ThreadPoolExecutor(Rc<Pool>);

struct Pool {
    jobs: Arc<WorkQueue<Box<dyn Job>>>,
    crew: Crew,
    max_workers: usize,
    thread_name_prefix: String,
}

impl ThreadPoolExecutor {
    /// A pool of up to `max_workers` threads.
    ///
    /// # Errors
    ///
    /// [`Value`](crate::ErrorKind::Value) if that is none.
    pub fn new(max_workers: usize) -> Result<ThreadPoolExecutor> {
        ThreadPoolExecutor::named(max_workers, "ThreadPoolExecutor")
    }

    /// As [`new`](ThreadPoolExecutor::new); the threads are called `thread_name_prefix` and
    /// their number.
    ///
    /// # Errors
    ///
    /// As `new`.
    pub fn named(max_workers: usize, thread_name_prefix: &str) -> Result<ThreadPoolExecutor> {
        if max_workers == 0 {
            return Err(Error::new(ErrorKind::Value, "max_workers must be greater than 0"));
        }
        Ok(ThreadPoolExecutor(Rc::new(Pool {
            jobs: Arc::new(WorkQueue::new(true)),
            crew: Crew::default(),
            max_workers,
            thread_name_prefix: thread_name_prefix.to_owned(),
        })))
    }

    /// The loop's own: as many threads as the machine runs at once and four more, at most 32.
    fn default_sized() -> Result<ThreadPoolExecutor> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        ThreadPoolExecutor::named(32.min(cores + 4), "asyncio")
    }

    fn submit(&self, job: Box<dyn Job>) -> Result<()> {
        let pool = &*self.0;
        if pool.jobs.gate().is_finished() {
            return Err(Error::runtime("cannot schedule new futures after shutdown"));
        }
        if !pool.jobs.gate().has_sleeper() && pool.crew.len() < pool.max_workers {
            let started = self.start_thread();
            // Where there is no room for another thread, those that are there do the work.
            if pool.crew.len() == 0 {
                started?;
            }
        }
        pool.jobs.push(job);
        Ok(())
    }

    fn start_thread(&self) -> Result<()> {
        let pool = &*self.0;
        let jobs = Arc::clone(&pool.jobs);
        pool.crew.start(format!("{}_{}", pool.thread_name_prefix, pool.crew.len()), move || {
            while let Some(job) = jobs.next() {
                // What is left to panic is the drop of something that the function brought.
                logged("a panic after a function", || job.work());
            }
        })
    }

    /// Takes no more functions, and returns when those it has are done and its threads have
    /// ended; with `cancel_futures` those that were not begun are cancelled instead.
    ///
    /// # Errors
    ///
    /// The cancellation of the task that waits, and [`Runtime`](crate::ErrorKind::Runtime)
    /// where no loop runs.
    ///
    /// # Cancellation
    ///
    /// The pool is shut down all the same, without being waited for.
    pub async fn shutdown(&self, cancel_futures: bool) -> Result<()> {
        self.0.jobs.gate().finish();
        if cancel_futures {
            while let Some(job) = self.0.jobs.take() {
                // Its future is cancelled by that.
                logged("a panic in a drop of a function", || drop(job));
            }
        }
        let on = running_loop()?;
        let gone = LoopFuture::with_reason(&on, WaitReason::Executor);
        self.0.crew.when_gone(on.answer_to(&gone)?);
        gone.await?;
        self.0.crew.join();
        Ok(())
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.jobs.gate().finish();
    }
}

impl fmt::Debug for ThreadPoolExecutor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadPoolExecutor")
            .field("max_workers", &self.0.max_workers)
            .field("threads", &self.0.crew.len())
            .finish_non_exhaustive()
    }
}

/// A pool as the loop has it whose own it is. Behind a `dyn`, because every loop ends its pool: a
/// program that never has one does without the code for it.
trait Own {
    fn executor(&self) -> ThreadPoolExecutor;
    fn end(self: Rc<Self>, limit: Option<Duration>) -> Pin<Box<dyn Future<Output = Result<()>>>>;
}

impl Own for ThreadPoolExecutor {
    fn executor(&self) -> ThreadPoolExecutor {
        self.clone()
    }

    fn end(self: Rc<Self>, limit: Option<Duration>) -> Pin<Box<dyn Future<Output = Result<()>>>> {
        Box::pin(async move {
            match timeout(limit, async |_| self.shutdown(false).await).await {
                Err(error) if error.kind() == ErrorKind::Timeout => {
                    let limit = Seconds(limit.unwrap_or_default());
                    say!(Warn, "the executor's threads have not ended within {limit} seconds");
                    Ok(())
                }
                outcome => outcome,
            }
        })
    }
}

/// How long an ending waits for functions that still run on threads: asyncio's
/// `THREAD_JOIN_TIMEOUT`.
const THREAD_JOIN_TIMEOUT: Duration = Duration::from_secs(300);

fn shut_down() -> Error {
    Error::runtime("Executor shutdown has been called")
}

/// The executor that a loop uses where it is told of none.
#[derive(Default)]
pub(crate) struct DefaultExecutor {
    executor: Cell<Option<Rc<dyn Own>>>,
    shut: Cell<bool>,
}

impl DefaultExecutor {
    fn get(&self) -> Result<ThreadPoolExecutor> {
        if self.shut.get() {
            return Err(shut_down());
        }
        if let Some(own) = self.peek() {
            return Ok(own.executor());
        }
        let executor = ThreadPoolExecutor::default_sized()?;
        self.executor.set(Some(Rc::new(executor.clone())));
        Ok(executor)
    }

    fn peek(&self) -> Option<Rc<dyn Own>> {
        self.executor.with(|executor| executor.clone())
    }

    /// None is to be made any more.
    fn shut(&self) {
        self.shut.set(true);
    }
}

impl LoopExtension for DefaultExecutor {
    fn end(self: Rc<Self>, event_loop: &LoopRef, stage: Stage) -> Option<Ending> {
        let on = event_loop.clone();
        (stage == Stage::Executor).then(|| -> Ending {
            Box::pin(async move { on.shutdown_default_executor(Some(THREAD_JOIN_TIMEOUT)).await })
        })
    }

    /// The threads may end, and nothing waits for them.
    fn close(&self, _event_loop: &LoopRef) {
        self.shut();
        drop(self.executor.take());
    }

    fn into_any(self: Rc<Self>) -> Rc<dyn core::any::Any> {
        self
    }
}

impl LoopRef {
    /// Has `func` called on a thread of `executor`, or of the loop's own pool, and returns the
    /// future for what it returns: asyncio's `run_in_executor`. An error, or a panic, is the
    /// future's exception.
    ///
    /// Cancelling the future keeps `func` from being called, if no thread has begun with it.
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed) after the loop has closed,
    /// [`Runtime`](crate::ErrorKind::Runtime) after the executor was shut down, and what the
    /// machine says if not even a first thread can be started.
    #[track_caller]
    pub fn run_in_executor<T: Send + 'static>(
        &self,
        executor: Option<&ThreadPoolExecutor>,
        func: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<LoopFuture<T>> {
        self.check_open()?;
        let executor = match executor {
            Some(executor) => executor.clone(),
            None => {
                let registry = TaskRegistry::of(self);
                if registry.has_begun(Stage::Executor) {
                    return Err(shut_down());
                }
                registry.extension::<DefaultExecutor>().get()?
            }
        };
        #[cfg(feature = "trace")]
        let trace = self.trace_of(&func);
        #[cfg(feature = "trace")]
        let func = move || {
            let _span = trace.begin();
            func()
        };
        // Set by the first: the thread that begins, or the cancellation.
        let taken = Arc::new(AtomicBool::new(false));
        let future = LoopFuture::new(self);
        future.set_reason(WaitReason::Executor);
        future.set_cancel_hook(CancelHook::Flag(Arc::clone(&taken)));
        let answer = self.answer_to(&future)?;
        executor.submit(WorkItem::of(Unless { taken, func }, answer))?;
        Ok(future)
    }

    /// Makes `executor` the one that the loop uses where it is told of none: asyncio's
    /// `set_default_executor`.
    pub fn set_default_executor(&self, executor: &ThreadPoolExecutor) {
        let registry = TaskRegistry::of(self);
        let own = registry.extension::<DefaultExecutor>();
        let before = own.executor.replace(Some(Rc::new(executor.clone())));
        drop(before);
    }

    /// Shuts the loop's own pool down: asyncio's `shutdown_default_executor`, which
    /// [`run`](crate::run) does at its end. It returns when its functions are done and its
    /// threads have ended, or, with a warning in the log, when `limit` is over (`None`: without
    /// a limit). May be called again, and waits again.
    ///
    /// On a virtual clock `limit` is never over: the clock stands still while a thread works.
    ///
    /// # Errors
    ///
    /// The cancellation of the task that waits.
    pub async fn shutdown_default_executor(&self, limit: Option<Duration>) -> Result<()> {
        let executor = {
            let own = TaskRegistry::of(self).extension::<DefaultExecutor>();
            own.shut();
            own.peek()
        };
        match executor {
            Some(executor) => executor.end(limit).await,
            None => Ok(()),
        }
    }
}

/// Calls `func` on a thread of the running loop's own pool, and gives what it returns:
/// `asyncio.to_thread`.
///
/// # Errors
///
/// `func`'s, a panic of it included, and as [`run_in_executor`](LoopRef::run_in_executor).
///
/// # Cancellation
///
/// `func` isn't called if no thread has begun with it. Else it goes on, and what it returns is
/// dropped.
///
/// ```
/// callsoon::run(async {
///     let text = callsoon::to_thread(|| Ok(std::fs::read_to_string("/proc/self/comm")?)).await;
///     println!("{text:?}");
///     Ok(())
/// }).unwrap();
/// ```
pub async fn to_thread<T: Clone + Send + 'static>(
    func: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    running_loop()?.run_in_executor(None, func)?.await
}
