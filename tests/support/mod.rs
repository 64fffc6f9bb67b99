//! The parts that the test binaries share. Each binary uses some of them.
#![allow(dead_code)]

pub(crate) mod cancels;
pub(crate) mod hand_clock;
pub(crate) mod itself;
pub(crate) mod log_lines;
pub(crate) mod on_drop;
pub(crate) mod panics;
pub(crate) mod sockets;
pub(crate) mod trace;
pub(crate) mod traced;
