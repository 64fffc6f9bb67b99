//! The top floor: Photons' helpers, a file each. `use callsoon::helpers as hp;`
//!
//! It uses only what the floors below export.

mod background;
mod child_of_future;
mod named_future;
mod reporter;
mod resettable_future;
mod stop_generator;
mod transfer;
mod waiting;

pub use background::async_as_background;
pub use child_of_future::ChildOfFuture;
pub use named_future::{create_future, create_future_on, fut_has_callback, fut_to_string};
pub use reporter::{reporter, silent_reporter};
pub use resettable_future::ResettableFuture;
pub use stop_generator::stop_async_generator;
pub use transfer::{Process, transfer_result};
pub use waiting::{cancel_futures_and_wait, wait_for_all_futures, wait_for_first_future};
