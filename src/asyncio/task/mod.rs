//! Tasks: `task` and `any_task`, `ensure_future`, and `tree` (the waits of all tasks).

mod any_task;
mod ensure_future;
#[expect(clippy::module_inception, reason = "a file has the name of its type")]
mod task;
mod tree;

pub use any_task::{AnyTask, all_tasks, current_task};
pub use ensure_future::EnsureFuture;
pub use task::{Task, create_eager_task, create_task, try_create_task};
pub use tree::{Awaited, TaskInfo, TaskState, task_tree};
