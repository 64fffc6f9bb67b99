//! Looking into a loop: which task waits for which, which run it was, what took how long, and what
//! comes of another order.

#[path = "../support/mod.rs"]
mod support;

mod debug_sites;
mod disorder;
#[cfg(feature = "events")]
mod events;
mod schedule_hash;
mod task_tree;
#[cfg(feature = "trace")]
mod trace;
