//! The parts of a future and a task.
//!
//! In reading order:
//!
//! - `header`: what a block begins with; `node`: its handles; `wait_reason`: why a future is awaited;
//! - `any_future`, `callback`: what all futures offer, and what is called at their end;
//! - `registry` and `step`: what a loop knows of its futures and tasks, and of the step that goes on;
//! - `many`, `waiters`, `completion`: what waits for an end, and the end;
//! - `task_header`, `waker` (other crates' way to wake a task), `cancel` (how a cancellation goes down),
//!   `task_entry`, `task_block`: a task, and its step; `future_block`: futures, and the methods of handles;
//! - `await_future`: what `.await` polls; `borrowed_future`: a task's body that is lent to it; `scheduler`:
//!   the tasks as their loop sees them.
//!
//! Much of this is inlined with std only: a program without it, which is built for size, has each part once.

mod any_future;
mod await_future;
mod borrowed_future;
mod callback;
mod cancel;
mod completion;
mod future_block;
mod header;
mod many;
mod node;
mod registry;
mod scheduler;
mod step;
mod task_block;
mod task_entry;
mod task_header;
mod wait_reason;
mod waiters;
mod waker;

#[doc(hidden)]
pub use any_future::Child;
pub use any_future::{AnyFuture, Callback, FutureId, Watcher, WeakFuture};
pub use await_future::Await;
pub use callback::WeakCallback;

pub(crate) use any_future::{any_future_by, forward, identity_traits};
pub(crate) use borrowed_future::{BorrowedFuture, with_borrowed};
#[cfg(feature = "std")]
pub(crate) use cancel::{Claim, RemoteTask};
pub(crate) use cancel::{again, cancel, throw_in_step};
pub(crate) use future_block::FutureRef;
pub(crate) use future_block::signal::Signal;
#[doc(hidden)]
pub use header::ErasedFuture;
pub(crate) use header::handle::{Handle, handle};
pub(crate) use header::{CancelledChild, CancelledChildren};
pub(crate) use node::TypedFuture;
pub(crate) use registry::{Ending, LoopExtension, RegistryHandle, Stage, TaskRegistry};
#[cfg(feature = "std")]
pub(crate) use step::with_registry_of;
pub(crate) use step::{PartWaits, in_step, note_held, poll_part, with_running};
pub(crate) use task_block::spawn;
pub(crate) use task_header::own_sleep::OwnSleep;
pub(crate) use task_header::task_wait::{TaskWait, WaitHandle};
pub(crate) use task_header::{Parked, TaskHeader};
pub(crate) use wait_reason::WaitReason;
