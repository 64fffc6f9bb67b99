//! asyncio: futures with callbacks, tasks that can be cancelled, and what is built on them.
//!
//! In reading order: `core` (what a future and a task are made of), `future_like` and `future`,
//! `task` and `any_task`, `answer_to` (a future that a thread completes), `task_tree` (which task waits
//! for what), `timer` (a limit on a wait), `sleep`, `foreign` (other crates' futures), `scope` (the bodies
//! of scopes), `generator`, `runner`; `executor` and `threadsafe` (other threads); `wait_queue` (the waiters of a primitive),
//! `reusable_signal`, and `lock`, `event`, `condition`, `semaphore`, `barrier`, `queue`; for many
//! futures at once `wait`, `as_completed`, `gather`, `shield`, `timeout`, `wait_for`, `task_group`.

mod answer_to;
mod any_task;
mod as_completed;
mod barrier;
mod condition;
mod core;
mod event;
#[cfg(feature = "std")]
mod executor;
mod foreign;
mod future;
mod future_like;
mod gather;
mod generator;
mod generators;
mod heap;
#[cfg(all(unix, feature = "signals"))]
mod interrupted;
mod lock;
mod memory;
mod queue;
mod reusable_signal;
mod runner;
mod scope;
mod semaphore;
mod shield;
mod sleep;
mod task;
mod task_group;
mod task_tree;
#[cfg(feature = "std")]
mod threadsafe;
mod timeout;
mod timer;
mod wait;
mod wait_for;
mod wait_queue;

pub use any_task::{AnyTask, all_tasks, current_task};
pub use as_completed::{AsCompleted, as_completed};
pub use barrier::Barrier;
pub use condition::Condition;
pub use event::Event;
#[cfg(feature = "std")]
pub use executor::{ThreadPoolExecutor, to_thread};
pub use foreign::wrap_future;
pub use future::LoopFuture;
pub use future_like::FutureLike;
pub use gather::{gather, gather_outcomes};
pub use generator::{AsyncGenerator, Yielder, generator};
pub use lock::{Lock, LockGuard};
pub use queue::{LifoQueue, PriorityQueue, Queue};
pub(crate) use reusable_signal::ReusableSignal;
#[cfg(feature = "std")]
pub use runner::run;
pub use runner::{EnsureFuture, Runner, run_on};
pub(crate) use scope::{ScopedBody, await_body};
pub use semaphore::{BoundedSemaphore, Permit, Semaphore};
pub use shield::shield;
pub use sleep::{Sleep, YieldNow, sleep, yield_now};
pub use task::{Task, create_task};
pub use task_group::TaskGroup;
pub use task_tree::{Awaited, TaskInfo, TaskState, task_tree};
#[cfg(feature = "std")]
pub use threadsafe::ConcurrentFuture;
pub use timeout::{Timeout, timeout, timeout_at};
pub use wait::{ReturnWhen, wait};
pub use wait_for::wait_for;

#[doc(hidden)]
pub use self::core::ErasedFuture;
pub use self::core::{AnyFuture, Await, Callback, FutureId, Watcher, WeakCallback, WeakFuture};
#[cfg(feature = "std")]
pub(crate) use self::core::{Signal, TaskRegistry, WaitReason};
