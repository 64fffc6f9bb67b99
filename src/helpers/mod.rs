//! The top layer: Photons' helpers, a file each. `use callsoon::helpers as hp;`
//!
//! They use only the public items of the layers below.

mod error_catcher;
mod futures;
mod holder;
mod pauser;
mod queue;
mod stop_generator;
mod streamer;
#[cfg(feature = "std")]
mod threads;
mod ticker;
mod timeout;

pub use error_catcher::{ErrorCatcher, add_error, just_log_exceptions};
pub use futures::ChildOfFuture;
pub use futures::ResettableFuture;
pub use futures::{Process, TransferOptions, transfer_result, transfer_result_with};
pub use futures::{async_as_background, async_as_background_silent};
pub use futures::{cancel_futures_and_wait, wait_for_all_futures, wait_for_first_future};
pub use futures::{create_future, create_future_on, fut_has_callback};
pub use futures::{find_and_apply_result, noncancelled_results_from_futs};
pub use futures::{fut_state_to_string, fut_to_string};
pub use futures::{reporter, silent_reporter};
pub use holder::TaskHolder;
pub use pauser::Pauser;
#[cfg(feature = "std")]
pub use queue::SyncQueue;
pub use queue::{Queue, QueueEntry, QueueIter};
pub use stop_generator::stop_async_generator;
pub use streamer::{Adding, OnResult};
pub use streamer::{GeneratorComplete, StreamContext, StreamResult, StreamValue};
pub use streamer::{ResultStreamer, StreamIter};
#[cfg(feature = "std")]
pub use threads::ThreadHooks;
#[cfg(feature = "std")]
pub use threads::{ThreadToAsyncQueue, ThreadToAsyncQueueBuilder};
pub use ticker::{ATicker, MinWait, Tick, TickerOptions, tick};
pub use timeout::{TimeoutOptions, async_with_timeout};
