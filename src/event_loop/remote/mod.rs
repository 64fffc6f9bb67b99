//! What other threads hold of a loop: `loop_handle` to call it, `answer` for what they owe it, and
//! `work_item`, work and its answer in one block.

mod answer;
mod loop_handle;
#[cfg(feature = "std")]
mod work_item;

pub use answer::Answer;
pub use loop_handle::LoopHandle;

pub(crate) use answer::Receiver;
pub(crate) use loop_handle::running_here;
#[cfg(feature = "std")]
pub(crate) use work_item::WorkItem;
