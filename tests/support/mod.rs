//! What the test binaries share. Each of them uses its own part of it.
#![allow(dead_code)]

pub(crate) mod log_lines;
pub(crate) mod on_drop;
pub(crate) mod panics;
pub(crate) mod sockets;
pub(crate) mod trace;
pub(crate) mod traced;
