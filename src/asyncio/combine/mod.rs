//! Many futures at once: `wait`, `as_completed`, `gather`, `shield`, `task_group`.

mod as_completed;
mod children;
mod gather;
mod shield;
mod task_group;
mod wait;

pub use as_completed::{AsCompleted, as_completed};
pub use children::{Gather, GatherOne};
pub use gather::{gather, gather_outcomes};
pub use shield::shield;
pub use task_group::TaskGroup;
pub use wait::{ReturnWhen, wait};

pub(crate) use wait::Callbacks;
