//! The top floor: Photons' helpers, a file each. `use callsoon::helpers as hp;`
//!
//! It uses only what the floors below export.

mod adding;
mod ancestry;
mod background;
mod child_of_future;
mod error_catcher;
mod find_result;
mod held;
mod held_tasks;
mod holder_wait;
mod named_future;
mod pauser;
mod queue;
mod reader;
mod reporter;
mod resettable_future;
mod result_streamer;
mod stands_on_a_future;
mod stop_generator;
mod stream_result;
#[cfg(feature = "std")]
mod sync_queue;
mod task_holder;
#[cfg(feature = "std")]
mod thread_hooks;
#[cfg(feature = "std")]
mod thread_to_async_queue;
mod ticker;
mod timeout;
mod transfer;
mod waiting;

pub use adding::{Adding, OnResult};
pub use background::async_as_background;
pub use child_of_future::ChildOfFuture;
pub use error_catcher::{ErrorCatcher, add_error, just_log_exceptions};
pub use find_result::{find_and_apply_result, noncancelled_results_from_futs};
pub use named_future::{create_future, create_future_on, fut_has_callback, fut_to_string};
pub use pauser::Pauser;
pub use queue::{Queue, QueueEntry, QueueIter};
pub use reporter::{reporter, silent_reporter};
pub use resettable_future::ResettableFuture;
pub use result_streamer::{ResultStreamer, StreamIter};
pub use stop_generator::stop_async_generator;
pub use stream_result::{GeneratorComplete, StreamContext, StreamResult, StreamValue};
#[cfg(feature = "std")]
pub use sync_queue::SyncQueue;
pub use task_holder::TaskHolder;
#[cfg(feature = "std")]
pub use thread_hooks::ThreadHooks;
#[cfg(feature = "std")]
pub use thread_to_async_queue::{ThreadToAsyncQueue, ThreadToAsyncQueueBuilder};
pub use ticker::{ATicker, MinWait, Tick, TickerOptions, tick};
pub use timeout::{TimeoutOptions, async_with_timeout};
pub use transfer::{Process, transfer_result};
pub use waiting::{cancel_futures_and_wait, wait_for_all_futures, wait_for_first_future};
