//! Bridges to other crates' traits, each behind a feature that is off by default.
//!
//! | feature | brings |
//! | --- | --- |
//! | `futures-core` | `stream`: queues, tickers and generators as a `Stream`; `FusedFuture` for [`Await`](crate::Await) and [`Sleep`](crate::Sleep) |
//! | `futures-io` | `AsyncRead` and `AsyncWrite` for `io`'s streams |
//! | `hyper` | hyper's `Read` and `Write` for the same, `LoopExecutor`, `LoopTimer` |
//!
//! # Cancellation
//!
//! A task that is parked in another crate's future, and through that on something of this crate,
//! waits for the latter: a cancellation makes *it* return `Err(Cancelled)`, and the other crate
//! passes that on as any error, so that cleaning up is ordinary code here too. A stream gives it
//! as its last item. A socket gives it as a `std::io::Error`, which `?` turns into the
//! cancellation again; what another crate has wrapped once more,
//! [`Error::find_in`](crate::Error::find_in) finds.
//!
//! Where one task polls several at once, a cancellation ends the wait of each of them. That goes
//! also for one that was polled, is kept, and isn't polled any more: the next poll of it returns
//! that cancellation. So a stream or a socket that lost a race should be polled again, or dropped,
//! before the task goes on to wait for something else.

#[cfg(feature = "hyper")]
mod executor;
#[cfg(feature = "futures-core")]
mod fused;
#[cfg(feature = "futures-io")]
mod io_futures;
#[cfg(feature = "hyper")]
mod io_hyper;
#[cfg(feature = "futures-core")]
mod items;
#[cfg(feature = "hyper")]
mod timer;

#[cfg(feature = "hyper")]
pub use executor::LoopExecutor;
#[cfg(feature = "futures-core")]
pub use items::{Items, Next, stream};
#[cfg(feature = "hyper")]
pub use timer::{LoopSleep, LoopTimer};
