//! The middle layer as its users see it: futures, tasks, cancellation, generators, and how a
//! loop is run and ended. Files are named by what they ask.
//!
//! Time is virtual throughout. What other threads do is waited for by `join`.

#[path = "../support/mod.rs"]
mod support;

mod combinators;
mod driver;

mod awaiting;
mod borrowing;
mod callbacks;
mod cancel_graphs;
mod cancel_panics;
mod cancelling;
mod catching;
mod chains;
mod closed_loops;
mod display;
mod dropping;
mod eager;
mod ensure_future;
mod errors;
mod first_wakers;
mod foreign;
mod future_like;
mod futures;
mod generators;
mod generators_bodies;
mod generators_ending;
mod generators_left;
mod handles;
mod model;
mod moved_futures;
mod own_sleeps;
mod own_waits;
mod reports;
mod run_end;
mod runners;
mod running;
mod scoped;
mod scoped_bodies;
mod several;
mod shared_wait;
mod sleeping;
mod sub_executors;
mod tasks;
mod thrown_drops;
mod uncancelling;
mod watchers;
mod wrapping;
