//! Effects of threads on each other, tried in every order.
//!
//! Each model is a small program of several threads on the very code that ships. Under loom it
//! is run through all its interleavings, or all with so many preemptions; under shuttle with
//! more threads and more work through random ones. A deadlock fails a model: so does a lost wake.
//!
//! `../mutations` breaks the code in one place at a time, and shows for each model a break
//! that it finds.

mod check;
mod host;

mod answers;
mod bell;
mod blocks;
mod event_loop;
mod executor;
mod inbox;
mod linked_mail;
#[cfg(feature = "signals")]
mod signals;
mod thread_to_async_queue;
mod threadsafe;
#[cfg(feature = "trace")]
mod trace;
mod wakers;
mod work_queue;
mod worker_group;
