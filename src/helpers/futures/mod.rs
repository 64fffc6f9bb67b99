//! Futures that delegate to others (`resettable_future`; `child_of_future`, with `ancestry`, its
//! parents; `stands_on_a_future`, their common methods) or have a name (`named_future`), and functions
//! of futures: `reporter`, `transfer`, `find_result`, `waiting`, `background`.

mod ancestry;
mod background;
mod child_of_future;
mod find_result;
mod named_future;
mod reporter;
mod resettable_future;
mod stands_on_a_future;
mod transfer;
mod waiting;

pub(crate) use background::background;
pub use background::{async_as_background, async_as_background_silent};
pub use child_of_future::ChildOfFuture;
pub use find_result::{find_and_apply_result, noncancelled_results_from_futs};
pub use named_future::{create_future, create_future_on, fut_has_callback};
pub use named_future::{fut_state_to_string, fut_to_string};
pub use reporter::{reporter, silent_reporter};
pub use resettable_future::ResettableFuture;
pub use transfer::{Process, TransferOptions, transfer_result, transfer_result_with};
pub use waiting::{cancel_futures_and_wait, wait_for_all_futures, wait_for_first_future};

pub(crate) use reporter::log_exception;
pub(crate) use waiting::Callbacks;
pub(crate) use waiting::unique;
