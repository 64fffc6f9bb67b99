//! asyncio: futures with callbacks, tasks that can be cancelled, and the modules built on them.
//!
//! In reading order: `core` (what a future and a task are made of), `future`, `task`, `scope` (the
//! bodies of scopes), `time`, `sync` (what tasks share), `combine` (many futures at once),
//! `generator` and `generators`, `threads`, `memory`; `close`, `runner`, and `interrupted`, which is Ctrl-C.

mod close;
mod combine;
mod core;
mod future;
mod generator;
mod generators;
#[cfg(feature = "signals")]
mod interrupted;
mod memory;
mod runner;
mod scope;
mod sync;
mod task;
#[cfg(feature = "std")]
mod threads;
mod time;

pub use combine::{
    AsCompleted, Gather, GatherOne, ReturnWhen, TaskGroup, as_completed, gather, gather_outcomes,
    shield, wait,
};
pub(crate) use future::ReusableSignal;
#[cfg(feature = "std")]
pub(crate) use future::release;
pub use future::{FutureLike, LoopFuture, wrap_future};
pub use generator::{AsyncGenerator, Yielder, generator};
#[cfg(feature = "std")]
pub use runner::run;
pub use runner::{Runner, run_on};
pub(crate) use scope::{ScopedBody, await_body};
pub use sync::{
    Barrier, BoundedSemaphore, Condition, Event, Lock, LockGuard, Permit, Queue, Semaphore,
};
pub use task::{
    AnyTask, Awaited, EnsureFuture, Task, TaskInfo, TaskState, all_tasks, create_eager_task,
    create_task, current_task, task_tree, try_create_task,
};
#[cfg(feature = "std")]
pub use threads::{ConcurrentFuture, ThreadPoolExecutor, to_thread};
pub use time::{
    Sleep, Timeout, WaitFor, YieldNow, sleep, timeout, timeout_at, wait_for, yield_now,
};

pub use self::core::{AnyFuture, Await, Callback, FutureId, WeakCallback, WeakFuture};
#[doc(hidden)]
pub use self::core::{Child, ErasedFuture, Watcher};
#[cfg(feature = "std")]
pub(crate) use self::core::{
    LoopExtension, TaskRegistry, TaskWait, WaitHandle, WaitReason, with_registry_of,
};
#[cfg(feature = "std")]
pub(crate) use sync::{LoopBinding, WaitQueue};
