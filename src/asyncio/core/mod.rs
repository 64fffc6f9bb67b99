//! What a future and a task are made of.
//!
//! In reading order:
//!
//! - `any_future`, `watcher`, `callback`: what all futures offer, and what is called at their end;
//! - `header` and `rare`: what a block begins with, and what few have; `node` and `weak`: its handles;
//!   `wait_reason` and `describe`: how a future is shown;
//! - `waiters`, `many`, `completion`: what waits for an end, and the end;
//! - `future_block`, `task_header`, `task_entry` and `task_block`: the two sorts of blocks; a task's step is here;
//! - `step`: what a task that is polled and the futures in it tell each other;
//! - `await_future`: what `.await` polls; `waker`: other crates' way to wake a task;
//! - `cancel`: how a cancellation goes down;
//! - `registry` and `pending_tasks`: what a loop knows of its futures and tasks;
//! - `erased`: what a handle offers as a future.

mod any_future;
mod await_future;
mod callback;
mod cancel;
mod completion;
mod describe;
mod erased;
mod future_block;
mod header;
mod many;
mod node;
mod pending_tasks;
mod rare;
mod registry;
mod step;
mod task_block;
mod task_entry;
mod task_header;
mod wait_reason;
mod waiters;
mod waker;
mod watcher;
mod weak;

#[doc(hidden)]
pub use any_future::Child;
pub use any_future::{AnyFuture, FutureId, WeakFuture};
pub use await_future::Await;
pub use callback::{Callback, WeakCallback};
pub use watcher::Watcher;

pub(crate) use any_future::{any_future_by, forward};
pub(crate) use cancel::cancel;
pub(crate) use future_block::{FutureRef, Signal};
#[doc(hidden)]
pub use node::ErasedFuture;
pub(crate) use node::TypedFuture;
pub(crate) use rare::{CancelHook, CancelledChild, CancelledChildren};
pub(crate) use registry::{Ending, LoopExtension, Stage, TaskRegistry};
pub(crate) use step::{PartWaits, in_step, note_held, poll_part, with_running};
pub(crate) use task_block::{Handle, spawn};
pub(crate) use task_header::{Parked, TaskHeader};
pub(crate) use wait_reason::WaitReason;
#[cfg(feature = "std")]
pub(crate) use waker::RemoteTask;
