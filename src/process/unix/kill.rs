//! [`kill`]: sends a signal of any number to a process of any number.
//!
//! The crate rustix has the signals that have names, and real-time signals have none.
//!
//! **Signature Invariant**: `send` is declared as POSIX has it, `pid_t` being an `int` on every system
//! here. It takes any two numbers, and reads and writes no memory of the caller's.
#![allow(unsafe_code)]

use core::ffi::c_int;
use std::io;

use rustix::process::Pid;

// SAFETY: The Signature Invariant.
unsafe extern "C" {
    #[link_name = "kill"]
    safe fn send(process: c_int, signal: c_int) -> c_int;
}

/// Sends `signal`; 0 sends nothing, and is refused as a signal would be.
pub(super) fn kill(process: Pid, signal: i32) -> io::Result<()> {
    match send(process.as_raw_nonzero().get(), signal) {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
