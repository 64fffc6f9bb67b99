//! `block_on` alone: sockets and timers of a loop stay on its thread, and async-io sends them to others.

pub use futures::executor::block_on;
