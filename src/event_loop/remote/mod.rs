//! Handles of a loop for other threads: `loop_handle` to call it, `answer` for the results that they
//! owe it, and `work_item`, work and its answer in one block. Without std `call_slots`, the slots for
//! calls of interrupt handlers, and `wake_call`, a callback after each wake.

mod answer;
#[cfg(not(feature = "std"))]
mod call_slots;
mod loop_handle;
#[cfg(not(feature = "std"))]
mod wake_call;
#[cfg(feature = "std")]
mod work_item;

pub use answer::Answer;
pub use loop_handle::LoopHandle;

pub(crate) use loop_handle::running_here;
#[cfg(feature = "std")]
pub(crate) use work_item::WorkItem;
