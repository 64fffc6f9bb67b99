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
//!     });
//!     sleep(Duration::ZERO).await?;
//!     worker.cancel();
//!     assert!((&worker).await.unwrap_err().is_cancelled());
//!     Ok(())
//! }).unwrap();
//! ```
//!
//! # Items
//!
//! Each is listed by its usual path. Items from asyncio have asyncio's names.
//!
//! | group | items |
//! | --- | --- |
//! | running | [`run`], [`run_on`], [`Runner`], [`EventLoop`], [`LoopRef`], [`running_loop`] |
//! | tasks | [`create_task`], [`create_eager_task`], [`Task`], [`AnyTask`], [`current_task`], [`all_tasks`], [`EnsureFuture`], [`Awaited`] |
//! | futures | [`LoopFuture`], [`FutureLike`], [`AnyFuture`], [`FutureId`], [`WeakFuture`], [`Await`], [`wrap_future`] |
//! | callbacks | [`Callback`], [`WeakCallback`], [`CallbackOutput`], [`Handle`], [`TimerHandle`] |
//! | time | [`sleep`], [`yield_now`], [`timeout`](fn@timeout), [`timeout_at`], [`wait_for`], [`Timeout`], [`Sleep`], [`YieldNow`] |
//! | many at once | [`gather`], [`gather_outcomes`], [`wait`], [`ReturnWhen`], [`as_completed`], [`AsCompleted`], [`shield`], [`TaskGroup`] |
//! | context variables | `ContextVar`, `Context`, `copy_context`, `Token`, with the feature `contextvars` |
//! | generators | [`generator`], [`AsyncGenerator`], [`Yielder`] |
//! | locks and queues | [`Lock`], [`Event`], [`Condition`], [`Semaphore`], [`BoundedSemaphore`], [`Barrier`], [`Queue`]; their guards [`LockGuard`], [`Permit`] |
//! | threads | [`to_thread`], [`ThreadPoolExecutor`], [`ConcurrentFuture`], [`LoopHandle`], [`Answer`] |
//! | network (`std`) | module [`net`]: streams, servers, transports, protocols |
//! | child processes | module `process`, with the feature `process` |
//! | sockets (`std`) | module [`io`]; [`Source`] for [`add_reader`](LoopRef::add_reader) |
//! | errors | [`Error`], [`ErrorKind`], [`Result`], [`Catch`], [`ExceptionContext`], [`ExceptionHandler`] |
//! | Photons' helpers | module [`helpers`], imported as `hp` |
//! | inspection | [`task_tree`], [`TaskInfo`], [`TaskState`], [`Disorder`]; `Trace` with the feature `trace` |
//! | without `std` | [`Host`], [`Notify`], [`set_loop_thread`] |
//! | other crates' traits | module `bridges`, with the features `futures-core`, `futures-io` and `hyper` |
//!
//! # Guides
//!
//! | guide | contents |
//! | --- | --- |
//! | [from asyncio](guide::from_asyncio) | every name of asyncio, and fourteen programs in both languages |
//! | [from Photons](guide::from_photons) | every name of `photons_app.helpers` |
//! | [order](guide::order) | the rules by which callbacks run, each with its test |
//! | [cancellation](guide::cancellation) | cancelling and dropping, claim by claim, with programs |
//! | [the network](guide::network) | streams and servers as asyncio has them, and sockets |
//! | [many loops](guide::many_loops) | more than one core: loops on threads, and how they talk |
//! | [embedded](guide::embedded) | without std: the host, interrupts, memory and its bounds |
//! | [looking inside](guide::inside) | task trees, timelines, hashes of a run, another order for tests |
//! | [proving a port](guide::port_check) | traces of a Python program and of its port, and their comparison |
//! | [platforms](guide::platforms) | what is tested where, and what differs |
//! | [deviations](guide::deviations) | differences from CPython and Photons, each with its test |
//! | [architecture](guide::architecture), [glossary](guide::glossary) | the parts, the decisions, the terms |
//! | [tour](guide::tour), [unsafe code](guide::unsafe_code) | the source, for changing and for reviewing it |
//!
//! # Guarantees
//!
//! - **Order.** The order of callbacks is written down, rule by rule, with a test for each
//!   ([order](guide::order)). Ready entries run first in, first out; behind them come the calls of
//!   other threads, the sockets and the timers; entries scheduled during a turn run in the next.
//! - **Cancellation.** [`Task::cancel`] makes the await return an error, which the task handles.
//!   Dropping a task's handle cancels nothing. At another crate's future, the body of the innermost
//!   scope is dropped, and the scope goes on; without a scope the task's future is dropped, unless
//!   [`wrap_future`] stands between ([cancellation](guide::cancellation)).
//! - **Virtual time.** [`EventLoop::with_virtual_time`] jumps from timer to timer when nothing
//!   is ready, and stands still while a thread owes an answer. Without threads and sockets, a run
//!   is the same each time.
//! - **Stalls are errors.** Where nothing could ever happen any more, running the loop returns
//!   [`Stalled`](ErrorKind::Stalled), and the loop stays usable.
//! - **Errors are reported.** A panic in a callback or a task is an error. An error that is never
//!   retrieved goes to the [exception handler](LoopRef::set_exception_handler): by default to the
//!   logger of the crate `log`, or to standard error where no logger takes it.
//! - **Threads.** A loop and everything on it stay on one thread; the compiler checks it. Only
//!   [`LoopHandle`], [`Answer`], [`ConcurrentFuture`], [`helpers::SyncQueue`] and wakers may be
//!   sent. Loom and shuttle test the code that crosses threads.
//! - **Unsafe code** is kept in a few files ([unsafe code](guide::unsafe_code)), and each block cites
//!   the invariant by which it is sound.
//!
//! # Features
//!
//! | feature | default | adds |
//! | --- | --- | --- |
//! | `std` | yes | the system's clock and sockets, `run`, a loop for each thread, caught panics |
//! | `signals` | no | `LoopRef::add_signal_handler`, Ctrl-C |
//! | `contextvars` | no | context variables: `ContextVar`, `Context`, `copy_context` |
//! | `process` | no | child processes: module `process` |
//! | `tls` | no | streams, servers and transports over TLS, and `start_tls`; with `rustls` |
//! | `trace` | no | `LoopRef::start_trace`: a timeline for Perfetto |
//! | `events` | no | `LoopRef::start_events`, module `testing`: traces to compare with CPython's |
//! | `futures-core` | no | queues, tickers, streamers and generators as a `Stream`; `FusedFuture` |
//! | `futures-io` | no | `AsyncRead` and `AsyncWrite` for sockets |
//! | `hyper` | no | hyper's `Read`, `Write`, `Timer` and `Executor` |
//! | `loom` | no | with `--cfg loom`, a program on the loop as a model of loom's |
#![cfg_attr(not(feature = "std"), no_std)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(unsafe_code)]
#![warn(missing_docs)]

extern crate alloc;

mod asyncio;
mod blocks;
#[cfg(any(feature = "futures-core", feature = "futures-io", feature = "hyper"))]
pub mod bridges;
mod collections;
#[cfg(feature = "contextvars")]
mod context;
mod error;
mod event_loop;
mod flat_drops;
pub mod helpers;
#[cfg(feature = "std")]
pub mod io;
mod logging;
#[cfg(feature = "std")]
pub mod net;
mod panics;
#[cfg(feature = "process")]
pub mod process;
mod sync;
#[cfg(feature = "std")]
mod threads;

/// Models of code that several threads run: see `loom-tests`.
#[cfg(all(test, any(loom, shuttle)))]
#[path = "../loom-tests/models/mod.rs"]
mod models;

/// Parts that the crate's own tests try by themselves. They may change with any version.
#[doc(hidden)]
pub mod __parts {
    pub use crate::collections::{TimerKey, TimerWheel};
}

pub use asyncio::*;
pub(crate) use asyncio::{ReusableSignal, await_body};
#[cfg(feature = "contextvars")]
pub use context::{Context, copy_context};
pub use error::{Catch, Error, ErrorKind, Result};
pub use event_loop::*;
pub(crate) use event_loop::{drop_flat, expect_possible, expect_running_loop};

pub(crate) use flat_drops::Flat;
/// The `Arc` of [`Host::notifier`], from the crate portable-atomic-util: `alloc` has none for a target
/// without compare-and-swap.
#[cfg(not(target_has_atomic = "ptr"))]
pub use sync::PlainArc as Arc;

/// The guides of the repository's folder `docs`. Their programs are tested.
// A link's first definition counts: here those to modules come before the guide's own to files.
#[cfg(all(any(doc, doctest), feature = "std"))]
pub mod guide {
    macro_rules! guides {
        ($($name:ident $file:literal)*) => {
            $(
                #[doc = include_str!("../docs/links.txt")]
                #[doc = include_str!("../docs/pictures/links.txt")]
                #[doc = include_str!($file)]
                pub mod $name {}
            )*
        };
    }

    guides! {
        architecture "../docs/architecture.md"
        cancellation "../docs/cancellation.md"
        deviations "../docs/deviations.md"
        embedded "../docs/embedded.md"
        from_asyncio "../docs/from-asyncio.md"
        from_photons "../docs/from-photons.md"
        glossary "../docs/glossary.md"
        inside "../docs/inside.md"
        many_loops "../docs/many-loops.md"
        network "../docs/network.md"
        order "../docs/order.md"
        platforms "../docs/platforms.md"
        port_check "../docs/port-check.md"
        tour "../docs/tour.md"
        unsafe_code "../docs/unsafe.md"
    }
}

#[cfg(all(doctest, feature = "std"))]
#[doc = include_str!("../README.md")]
mod readme {}
