//! The middle floor: the promises. Futures with callbacks, tasks that can be cancelled, and
//! what is built on them, as asyncio has it.
//!
//! In reading order: `callback` and `future_like` (what all futures share), `node` (a future
//! or task whatever its value), `future`, `await_future` (what `.await` polls), `task_core`,
//! `task_slab`, `waker` and `tasks` (what a loop knows of its tasks), `task`, `any_task`,
//! `sleep`, `foreign` (other crates' futures), `generator`, `runner`; `waiters` (a line of those
//! who wait), and on it `lock`, `event`, `condition`, `semaphore`, `barrier`, `queue`.

mod any_task;
mod await_future;
mod callback;
mod foreign;
mod future;
mod future_like;
mod generator;
mod node;
mod runner;
mod sleep;
mod task;
mod task_core;
mod task_slab;
mod tasks;
mod waker;

pub use any_task::{AnyTask, all_tasks, current_task};
pub use await_future::Await;
pub use callback::Callback;
pub use foreign::wrap_future;
pub use future::LoopFuture;
pub use future_like::{AnyFuture, FutureId, FutureLike, WeakFuture};
pub use generator::{AsyncGenerator, Yielder, generator};
#[cfg(feature = "std")]
pub use runner::run;
pub use runner::{EnsureFuture, run_on};
pub use sleep::{YieldNow, sleep, yield_now};
pub use task::{Task, create_task};
