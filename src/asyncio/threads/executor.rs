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
use core::panic::Location;
use core::pin::Pin;
use core::time::Duration;

use crate::asyncio::core::{Claim, Ending, LoopExtension, Stage, TaskRegistry, WaitReason};
use crate::asyncio::future::LoopFuture;
use crate::asyncio::time::timeout;
use crate::collections::CellExt;
use crate::error::{Error, ErrorKind, Result};
use crate::event_loop::{LoopRef, Seconds, WorkItem, running_loop};
use crate::logging::say;
use crate::sync::Arc;
use crate::threads::{WorkQueue, WorkerGroup, caught, logged};

/// Work for a thread, of any type.
trait Job: Send {
    fn work(self: Box<Self>);
}

/// A function to call, unless its future was cancelled before.
struct Cancellable<F> {
    claim: Claim,
    func: F,
}

impl<F: FnOnce() -> Result<T> + Send + 'static, T: Send + 'static> Job
    for WorkItem<Cancellable<F>, Result<T>>
{
    fn work(self: Box<Self>) {
        let mut called = false;
        let given = self.run(|Cancellable { claim, func }| {
            called = claim.take();
            if called {
                Ok(caught(func).and_then(|outcome| outcome))
            } else {
                Err(Error::cancelled())
            }
        });
        if called && given.is_err() {
            say!(Error, "event loop closed before the function returned; its result is lost");
        }
    }
}

/// A bounded pool of threads for functions that block: `concurrent.futures.ThreadPoolExecutor`,
/// as far as a loop uses it. Threads are started as they are needed. Clones are the same pool.
///
/// After the last clone is dropped the threads run the functions that they were given, and exit;
/// nothing waits for them.
///
/// ```
/// use callsoon::{ThreadPoolExecutor, run, running_loop};
///
/// run(async {
///     let pool = ThreadPoolExecutor::new(2)?;
///     let sum = running_loop()?.run_in_executor(Some(&pool), || Ok((1..=10).sum::<u32>()))?;
///     assert_eq!(sum.await?, 55);
///     pool.shutdown().await
/// }).unwrap();
/// ```
#[derive(Clone)]
pub struct ThreadPoolExecutor(Rc<Pool>);

struct Pool {
    jobs: Arc<WorkQueue<Box<dyn Job>>>,
    workers: WorkerGroup,
    max_workers: usize,
    thread_name_prefix: String,
}

impl ThreadPoolExecutor {
    /// Returns a pool of up to `max_workers` threads.
    ///
    /// # Errors
    ///
    /// [`Value`](crate::ErrorKind::Value) if `max_workers` is 0.
    pub fn new(max_workers: usize) -> Result<ThreadPoolExecutor> {
        ThreadPoolExecutor::named(max_workers, "ThreadPoolExecutor")
    }

    /// Does as [`new`](ThreadPoolExecutor::new), with threads named `thread_name_prefix` and their
    /// number.
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
            workers: WorkerGroup::default(),
            max_workers,
            thread_name_prefix: thread_name_prefix.to_owned(),
        })))
    }

    /// A loop's default pool: as many threads as the machine runs at once and four more, at most 32.
    fn default_sized() -> Result<ThreadPoolExecutor> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        ThreadPoolExecutor::named(32.min(cores + 4), "asyncio")
    }

    fn submit(&self, job: Box<dyn Job>) -> Result<()> {
        let pool = &*self.0;
        if pool.jobs.parker().is_closed() {
            return Err(Error::runtime("cannot schedule new futures after shutdown"));
        }
        if !pool.jobs.parker().has_sleeper() && pool.workers.len() < pool.max_workers {
            let started = self.start_thread();
            // Where there is no room for another thread, the others do the work.
            if pool.workers.len() == 0 {
                started?;
            }
        }
        pool.jobs.push(job);
        Ok(())
    }

    fn start_thread(&self) -> Result<()> {
        let pool = &*self.0;
        let jobs = Arc::clone(&pool.jobs);
        pool.workers.start(
            format!("{}_{}", pool.thread_name_prefix, pool.workers.len()),
            move || {
                while let Some(job) = jobs.next() {
                    // A drop of what the function captured may still panic.
                    logged("a panic after a function", || job.work());
                }
            },
        )
    }

    /// Takes no more functions, and returns when the functions that it has are done and its threads
    /// have ended.
    ///
    /// # Errors
    ///
    /// The cancellation of the waiting task; [`Runtime`](crate::ErrorKind::Runtime) where no loop
    /// runs.
    ///
    /// # Cancellation
    ///
    /// The pool is shut down all the same, and nothing waits for its threads.
    pub async fn shutdown(&self) -> Result<()> {
        self.0.jobs.parker().close();
        let event_loop = running_loop()?;
        let exited = LoopFuture::with_reason(&event_loop, WaitReason::Executor);
        self.0.workers.on_all_exited(event_loop.answer_to(&exited)?);
        exited.await?;
        self.0.workers.join();
        Ok(())
    }

    /// Like [`shutdown`](ThreadPoolExecutor::shutdown), but cancels the functions that no thread has
    /// begun: `shutdown(cancel_futures=True)`.
    ///
    /// # Errors
    ///
    /// Like `shutdown`.
    ///
    /// # Cancellation
    ///
    /// Like `shutdown`.
    pub async fn shutdown_cancelling(&self) -> Result<()> {
        self.0.jobs.parker().close();
        while let Some(job) = self.0.jobs.take() {
            // Its future is cancelled by that.
            logged("a panic in a drop of a function", || drop(job));
        }
        self.shutdown().await
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.jobs.parker().close();
    }
}

impl fmt::Debug for ThreadPoolExecutor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadPoolExecutor")
            .field("max_workers", &self.0.max_workers)
            .field("threads", &self.0.workers.len())
            .finish_non_exhaustive()
    }
}

/// The default pool of a loop. Behind a `dyn`, because the end of every loop shuts its pool down: a
/// program that never has a pool does without the code for it.
trait DefaultPool {
    fn executor(&self) -> ThreadPoolExecutor;
    fn shut_down(
        self: Rc<Self>,
        limit: Option<Duration>,
    ) -> Pin<Box<dyn Future<Output = Result<()>>>>;
}

impl DefaultPool for ThreadPoolExecutor {
    fn executor(&self) -> ThreadPoolExecutor {
        self.clone()
    }

    fn shut_down(
        self: Rc<Self>,
        limit: Option<Duration>,
    ) -> Pin<Box<dyn Future<Output = Result<()>>>> {
        Box::pin(async move {
            match timeout(limit, async |_| self.shutdown().await).await {
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

/// Limit on the wait for functions that still run on threads when a loop ends: asyncio's
/// `THREAD_JOIN_TIMEOUT`.
const THREAD_JOIN_TIMEOUT: Duration = Duration::from_secs(300);

fn shutdown_error() -> Error {
    Error::runtime("Executor shutdown has been called")
}

/// The executor of calls that name none.
#[derive(Default)]
pub(crate) struct DefaultExecutor {
    executor: Cell<Option<Rc<dyn DefaultPool>>>,
    closed: Cell<bool>,
}

impl DefaultExecutor {
    fn get(&self) -> Result<ThreadPoolExecutor> {
        if self.closed.get() {
            return Err(shutdown_error());
        }
        if let Some(pool) = self.pool() {
            return Ok(pool.executor());
        }
        let executor = ThreadPoolExecutor::default_sized()?;
        self.executor.set(Some(Rc::new(executor.clone())));
        Ok(executor)
    }

    fn pool(&self) -> Option<Rc<dyn DefaultPool>> {
        self.executor.with(|executor| executor.clone())
    }

    /// Refuses to make a pool from now on.
    fn close_for_new(&self) {
        self.closed.set(true);
    }
}

impl LoopExtension for DefaultExecutor {
    fn end(self: Rc<Self>, event_loop: &LoopRef, stage: Stage) -> Option<Ending> {
        let event_loop = event_loop.clone();
        (stage == Stage::Executor).then(|| -> Ending {
            Box::pin(async move {
                event_loop.shutdown_default_executor(Some(THREAD_JOIN_TIMEOUT)).await
            })
        })
    }

    /// The threads may end, and nothing waits for them.
    fn close(&self, _event_loop: &LoopRef) {
        self.close_for_new();
        drop(self.executor.take());
    }

    fn into_any(self: Rc<Self>) -> Rc<dyn core::any::Any> {
        self
    }
}

impl LoopRef {
    /// Calls `func` on a thread of `executor`, or of the loop's default pool, and returns the future
    /// of its result: asyncio's `run_in_executor`. An error or a panic of `func` is the future's
    /// exception, and so is a cancellation that `func` returns: the future is not cancelled by it.
    ///
    /// Cancelling the future keeps `func` from being called, if no thread has begun with it.
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed) after the loop has closed,
    /// [`Runtime`](crate::ErrorKind::Runtime) after the executor was shut down, and the
    /// system's error if not even a first thread can be started.
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
                    return Err(shutdown_error());
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
        let (future, claim) = LoopFuture::with_claim(self, WaitReason::Executor);
        future.erased().note_made_at(Location::caller());
        let answer = future.outcome_on(self)?;
        executor.submit(WorkItem::of(Cancellable { claim, func }, answer))?;
        Ok(future)
    }

    /// Makes `executor` the default pool of the loop: asyncio's `set_default_executor`.
    pub fn set_default_executor(&self, executor: &ThreadPoolExecutor) {
        let registry = TaskRegistry::of(self);
        let default = registry.extension::<DefaultExecutor>();
        let before = default.executor.replace(Some(Rc::new(executor.clone())));
        drop(before);
    }

    /// Shuts the loop's default pool down: asyncio's `shutdown_default_executor`, which
    /// [`run`](crate::run) calls at its end. It returns when the pool's functions are done and its
    /// threads have ended, or, with a warning in the log, when `limit` is over (`None`: no limit).
    /// It may be called again, and waits again.
    ///
    /// On a virtual clock `limit` is never over: the clock stands still while a thread works.
    ///
    /// # Errors
    ///
    /// The cancellation of the waiting task.
    pub async fn shutdown_default_executor(&self, limit: Option<Duration>) -> Result<()> {
        let executor = {
            let default = TaskRegistry::of(self).extension::<DefaultExecutor>();
            default.close_for_new();
            default.pool()
        };
        match executor {
            Some(executor) => executor.shut_down(limit).await,
            None => Ok(()),
        }
    }
}

/// Calls `func` on a thread of the running loop's default pool, and returns its result:
/// `asyncio.to_thread`.
///
/// # Errors
///
/// `func`'s, a panic of it included, and as [`run_in_executor`](LoopRef::run_in_executor).
///
/// # Cancellation
///
/// `func` isn't called if no thread has begun with it. Otherwise it goes on, and its result is
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
