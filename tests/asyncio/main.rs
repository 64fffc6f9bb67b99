//! The middle floor as its users see it: futures, tasks, cancellation, generators, and how a
//! loop is run and ended. Files are named by what they ask; the words in brackets of a test's
//! comment, as in [T6], are the numbers of the reference's behaviours.
//!
//! Time is virtual throughout. What other threads do is waited for by `join`.

#[path = "../support/mod.rs"]
mod support;

mod combinators;
mod driver;

mod awaiting;
mod callbacks;
mod cancelling;
mod chains;
mod display;
mod dropping;
mod errors;
mod foreign;
mod future_like;
mod generators;
mod model;
mod outcomes;
mod reports;
mod running;
mod several;
mod sleeping;
mod tasks;
