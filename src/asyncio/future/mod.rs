//! Futures: `future_like` (their common methods, by value type), `loop_future`, `answer_to` (one that a
//! thread completes), `wrap_future` (another crate's future), `reusable_signal` and `timer_guard` (for
//! waits).

mod answer_to;
mod future_like;
mod loop_future;
mod reusable_signal;
mod timer_guard;
mod wrap_future;

pub use future_like::FutureLike;
pub use loop_future::LoopFuture;
pub use wrap_future::wrap_future;

pub(crate) use future_like::check_loop;
pub(crate) use loop_future::impl_handle;
pub(crate) use reusable_signal::ReusableSignal;
pub(crate) use timer_guard::{Timer, release};
