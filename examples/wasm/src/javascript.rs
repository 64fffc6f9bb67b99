//! The functions of the host, `run.mjs`, and the only file with `unsafe` code.
//!
//! - **Host Invariant**: `run.mjs` supplies each function below with this signature. It reads or writes
//!   the memory that it is given during the call only, and calls no export during it.
//! - **One Thread Invariant**: a module without shared memory runs on one thread, and has no
//!   interrupts.

use alloc::vec::Vec;

mod imports {
    #[link(wasm_import_module = "host")]
    // SAFETY: The Host Invariant.
    unsafe extern "C" {
        /// Returns milliseconds since a start of the host's choosing, which never go back.
        pub safe fn now() -> f64;
        /// Has the next turn run soon, but not within this call.
        pub safe fn notify();
        /// Begins to fetch the `length` bytes of UTF-8 at `url`. The export `settled` ends it.
        pub fn fetch(number: u32, url: *const u8, length: usize);
        /// Ends a fetch without a call of `settled`.
        pub safe fn abort(number: u32);
        /// Copies the `length` bytes that the fetch which is being settled has brought.
        pub fn take(to: *mut u8, length: usize);
        /// Prints a line of `length` bytes of UTF-8.
        pub fn print(line: *const u8, length: usize);
        /// Says that the program has ended.
        pub safe fn ended(well: bool);
    }
}

pub use imports::{abort, ended, notify, now};

pub fn fetch(number: u32, url: &str) {
    // SAFETY: The host reads the bytes of `url` during the call: the Host Invariant.
    unsafe { imports::fetch(number, url.as_ptr(), url.len()) };
}

/// Returns the bytes of the fetch that is being settled.
pub fn taken(length: usize) -> Vec<u8> {
    let mut bytes = alloc::vec![0; length];
    // SAFETY: The host writes `length` bytes during the call: the Host Invariant.
    unsafe { imports::take(bytes.as_mut_ptr(), length) };
    bytes
}

pub fn print(line: &str) {
    // SAFETY: The host reads the bytes of `line` during the call: the Host Invariant.
    unsafe { imports::print(line.as_ptr(), line.len()) };
}

/// Has the loop that runs found by tasks and callbacks.
pub fn name_loop_thread() {
    // SAFETY: The One Thread Invariant.
    unsafe { callsoon::set_loop_thread(|| true) };
}
