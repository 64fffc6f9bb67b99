//! Sockets that are awaited: what comes through, which task is next, what a cancellation, a drop
//! and a closed loop leave behind, and what it costs in system calls.
//!
//! Time is virtual, and both ends of a connection mostly on one loop: what one end has written
//! is there when the loop looks at the other.

#[path = "../support/mod.rs"]
mod support;

#[cfg(unix)] // where descriptors have a limit
mod accepting;
mod async_source;
mod cancelling;
mod child;
mod connecting;
mod crowds;
mod datagrams;
#[cfg(feature = "signals")]
mod interrupts;
mod lines;
#[cfg(target_os = "linux")]
mod linux;
mod loops;
mod polling;
mod run;
mod servers;
#[cfg(feature = "signals")]
mod signals;
mod stalls;
mod streams;
#[cfg(target_os = "linux")]
mod system_calls;
