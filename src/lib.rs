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
//! The house has three floors, and each uses only those below: [`event_loop`] runs callbacks,
//! [`asyncio`] has futures, tasks and what is built on them, [`helpers`] has Photons' own.
//! Beside the helpers, and with std only, `io` has sockets and pipes. Everything of the first
//! two is also here at the root.
#![cfg_attr(not(feature = "std"), no_std)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(unsafe_code)]
#![warn(missing_docs)]

extern crate alloc;

pub mod asyncio;
mod error;
pub mod event_loop;
pub mod helpers;
#[cfg(feature = "std")]
pub mod io;
mod panics;
mod sync;
#[cfg(feature = "std")]
mod threads;

/// What threads may do to each other: see `loom-tests`.
#[cfg(all(test, any(loom, shuttle)))]
#[path = "../loom-tests/models/mod.rs"]
mod models;

pub use asyncio::*;
pub use error::{Error, ErrorKind, Result};
pub use event_loop::*;

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

    #[doc = include_str!("../docs/order.md")]
    mod order {}

    #[doc = include_str!("../docs/tour.md")]
    mod tour {}
}
