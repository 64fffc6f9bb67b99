//! Threads that work for a loop: `ThreadToAsyncQueue`, executors, `run_coroutine_threadsafe`,
//! and the `Answer`s beneath them.
//!
//! No test sleeps to make something happen: threads wait at doors that the tests open.

#[path = "../asyncio/driver.rs"]
#[allow(dead_code)]
mod driver;
#[path = "../support/mod.rs"]
mod support;

mod parts;

mod answers;
mod clock;
mod dropping;
mod executor;
mod failures;
mod hooks;
mod no_room;
mod pool_shutdown;
mod starting;
mod stopping;
mod threadsafe;
