//! The middle floor: the promises. Futures with callbacks, tasks that can be cancelled, and
//! what is built on them, as asyncio has it.
//!
//! In reading order: `callback`, `watcher` and `future_like` (what all futures share), `look_into`
//! (how a cell's content is looked at), `waitings` (those who wait for an end), `node` (a future or
//! task whatever its value), `shown` (one in words), `future`, `step` (what a task's step tells the
//! futures in it), `await_future` (what `.await` polls), `answer_to` (a future that a thread
//! settles), `task_core`, `waker` and `tasks` (what a loop knows of its tasks), `task_cell` (a task in
//! one block), `task`, `any_task`, `cancel`, `purpose` and `task_tree` (who waits for what), `timer` (a
//! limit on a wait), `nap` and `sleep`, `foreign` (other crates' futures), `generator`, `runner`;
//! `executor` and `threadsafe` (other threads); `line`, `waiters` (a line of those who wait), and on
//! it `lock`, `event`, `condition`, `semaphore`, `barrier`, `queue`; for many futures at once
//! `wait`, `gather`, `shield`, `timeout`, `wait_for`, `task_group`.

mod answer_to;
mod any_task;
mod await_future;
mod barrier;
mod callback;
mod cancel;
mod condition;
mod event;
#[cfg(feature = "std")]
mod executor;
mod foreign;
mod future;
mod future_like;
mod gather;
mod generator;
mod generators;
#[cfg(all(unix, feature = "signals"))]
mod interrupted;
mod line;
mod lock;
mod look_into;
mod nap;
mod node;
mod purpose;
mod queue;
mod runner;
mod semaphore;
mod shield;
mod shown;
mod sleep;
mod step;
mod task;
mod task_cell;
mod task_core;
mod task_group;
mod task_tree;
mod tasks;
#[cfg(feature = "std")]
mod threadsafe;
mod timeout;
mod timer;
mod wait;
mod wait_for;
mod waiters;
mod waitings;
mod waker;
mod watcher;

pub use any_task::{AnyTask, all_tasks, current_task};
pub use await_future::Await;
pub use barrier::Barrier;
pub use callback::{Callback, WeakCallback};
pub use condition::Condition;
pub use event::Event;
#[cfg(feature = "std")]
pub use executor::{ThreadPoolExecutor, to_thread};
pub use foreign::wrap_future;
pub use future::LoopFuture;
pub use future_like::{AnyFuture, FutureId, FutureLike, WeakFuture};
pub use gather::{gather, gather_outcomes};
pub use generator::{AsyncGenerator, Yielder, generator};
pub use lock::{Lock, LockGuard};
pub(crate) use nap::Naps;
pub use queue::{LifoQueue, PriorityQueue, Queue};
#[cfg(feature = "std")]
pub use runner::run;
pub use runner::{EnsureFuture, Runner, run_on};
pub use semaphore::{BoundedSemaphore, Permit, Semaphore};
pub use shield::shield;
pub use sleep::{Sleep, YieldNow, sleep, yield_now};
pub use task::{Task, create_task};
pub use task_group::TaskGroup;
pub use task_tree::{Awaited, TaskInfo, TaskState, task_tree};
#[cfg(feature = "std")]
pub use threadsafe::ConcurrentFuture;
pub use timeout::{Timeout, timeout, timeout_at};
pub use wait::{AsCompleted, ReturnWhen, as_completed, wait};
pub use wait_for::wait_for;
pub use watcher::Watcher;

#[cfg(feature = "std")]
pub(crate) use {await_future::Wait, nap::Nap, purpose::Purpose, tasks::Tasks};
