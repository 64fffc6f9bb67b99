//! An event loop that keeps asyncio's semantics exactly, on one thread, and the async helpers
//! of Photons on it.
//!
//! Cancelling a task doesn't drop its future: the await that it is parked on returns
//! `Err(Cancelled)`, so that cleaning up is ordinary code, and may await. Callbacks run in a
//! written, total order. Time can be virtual.
//!
//! ```
//! use std::time::Duration;
//! use callsoon::{create_task, run, sleep};
//!
//! run(async {
//!     let worker = create_task(async {
//!         let outcome = sleep(Duration::from_secs(3600)).await; // Err(Cancelled) when cancelled
//!         sleep(Duration::from_millis(1)).await?; // cleaning up may await
//!         println!("cleaned up after {outcome:?}");
//!         outcome
//!     })?;
//!     sleep(Duration::ZERO).await?;
//!     worker.cancel();
//!     assert!((&worker).await.unwrap_err().is_cancelled());
//!     Ok(())
//! }).unwrap();
//! ```
//!
//! # What it guarantees
//!
//! - **Order.** Which callback runs before which is written down, rule by rule, with a test for
//!   each (`docs/order.md`). What is ready runs first in, first out; behind it come the calls of
//!   other threads, the sockets and the timers; what a turn schedules runs in the next.
//! - **Cancellation.** [`Task::cancel`] makes the await return an error, and what follows is the
//!   task's. Dropping a task's handle cancels nothing. At another crate's future, the body of the
//!   innermost scope is dropped, and the scope goes on; without a scope the task is dropped, unless
//!   [`wrap_future`] stands between (`docs/cancellation.md`).
//! - **Virtual time.** [`EventLoop::with_virtual_time`] jumps from timer to timer when nothing
//!   is ready, and stands still while a thread owes an answer. Without threads and sockets, a run
//!   is the same each time.
//! - **No stall without an error.** Where nothing could ever happen any more, running the loop returns
//!   [`Stalled`](ErrorKind::Stalled), and the loop stays sound.
//! - **No loss in silence.** A panic in a callback or a task is an error. An error that nothing reads
//!   goes to the [exception handler](LoopRef::set_exception_handler): by default to the logger of
//!   the crate `log`, or to standard error where no logger takes it.
//! - **Threads.** A loop and all on it stay on one thread, and the compiler sees to it. Only
//!   [`LoopHandle`], [`Answer`], `ConcurrentFuture`, the helpers' `SyncQueue` and wakers may be
//!   sent. Loom and shuttle try what crosses threads.
//! - **Unsafe code** stands in a few rooms (`docs/unsafe.md`), and each block says why it is sound.
//!
//! # The floors
//!
//! Each uses only those below: [`event_loop`] runs callbacks; `threads`, which is private, is what
//! threads that work for a loop are made of; [`asyncio`] has futures, tasks and what is built on
//! them; [`helpers`] has Photons' own. Beside the helpers, and with std only, `io` has sockets and
//! pipes. On the roof, each behind a feature, `bridges` lead to other crates' traits. Everything
//! of `event_loop` and `asyncio` is also here at the root.
//!
//! Who comes from Python finds each name in `docs/from-asyncio.md` and `docs/from-photons.md`; who
//! opens the source starts with `docs/tour.md`.
#![cfg_attr(not(feature = "std"), no_std)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(unsafe_code)]
#![warn(missing_docs)]

extern crate alloc;

pub mod asyncio;
mod blocks;
#[cfg(any(feature = "futures-core", feature = "futures-io", feature = "hyper"))]
pub mod bridges;
mod collections;
mod error;
pub mod event_loop;
mod flat_drops;
pub mod helpers;
#[cfg(feature = "std")]
pub mod io;
mod logging;
mod panics;
mod sync;
#[cfg(feature = "std")]
mod threads;

/// What threads may do to each other: see `loom-tests`.
#[cfg(all(test, any(loom, shuttle)))]
#[path = "../loom-tests/models/mod.rs"]
mod models;

pub use asyncio::*;
pub(crate) use asyncio::{ReusableSignal, await_body};
pub use error::{Error, ErrorKind, Result};
pub(crate) use event_loop::drop_flat;
pub use event_loop::*;
pub(crate) use flat_drops::Flat;

/// The programs of the README and the docs, which have to run.
#[cfg(all(doctest, feature = "std"))]
mod docs {
    #[doc = include_str!("../README.md")]
    mod readme {}

    #[doc = include_str!("../docs/cancellation.md")]
    mod cancellation {}

    #[doc = include_str!("../docs/from-asyncio.md")]
    mod from_asyncio {}

    #[doc = include_str!("../docs/from-photons.md")]
    mod from_photons {}

    #[doc = include_str!("../docs/inside.md")]
    mod inside {}

    #[doc = include_str!("../docs/order.md")]
    mod order {}

    #[doc = include_str!("../docs/tour.md")]
    mod tour {}
}
