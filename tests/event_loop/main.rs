//! The event loop's layer as its users see it: what runs when, where errors are reported, and what
//! callbacks, drops, wakers, threads and sockets may do while it runs. Files are named by what they
//! test.
//!
//! Time is virtual, or that of a [`machine`] with a clock that moves only while it sleeps. Real
//! threads and sockets are waited for by what they do, never by the clock.

#[path = "../support/mod.rs"]
mod support;

mod closing;
mod debug_mode;
mod errors;
mod handles;
mod hosted;
mod machine;
mod panics;
mod paused_time;
mod reactor;
mod reentrancy;
mod reentrant_wakers;
mod running;
mod stalls;
mod stopping;
mod system_calls;
mod threads;
mod timers;
mod turns;
mod waiting;
mod wakers;
mod winding_down;
mod world;
