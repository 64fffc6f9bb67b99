//! Many futures at once: `wait`, `gather`, `shield`, `task_group`.

mod gather;
mod shield;
mod task_group;
mod wait;

pub use gather::{gather, gather_outcomes};
pub use shield::shield;
pub use task_group::TaskGroup;
pub use wait::{AsCompleted, ReturnWhen, as_completed, wait};

pub(crate) use wait::Callbacks;
