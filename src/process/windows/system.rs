//! The calls of Windows that the standard library lacks: waiting for a process that something else may end
//! meanwhile, and, in Rust 1.85, pipes.
//!
//! **Signature Invariant**: The functions are declared as Windows has them.
//!
//! **Result Invariant**: Where `CreatePipe` succeeds, it has written two handles that are the caller's.
#![allow(unsafe_code)]

use core::ffi::c_void;
use core::ptr;
use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle, RawHandle};

const INFINITE: u32 = u32::MAX;

// SAFETY: The Signature Invariant. A wait takes any handle, and touches no memory of the caller's.
#[link(name = "kernel32")]
unsafe extern "system" {
    #[link_name = "WaitForSingleObject"]
    safe fn wait(handle: RawHandle, milliseconds: u32) -> u32;

    #[link_name = "CreatePipe"]
    fn create_pipe(
        reads: *mut RawHandle,
        writes: *mut RawHandle,
        security: *const c_void,
        size: u32,
    ) -> i32;
}

/// Waits until the process has ended.
pub(super) fn wait_for_end(process: &OwnedHandle) {
    wait(process.as_raw_handle(), INFINITE);
}

/// The reading and the writing end of a pipe, which child processes don't inherit.
pub(crate) fn pipe() -> io::Result<(OwnedHandle, OwnedHandle)> {
    let (mut reads, mut writes) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: The Signature Invariant: both pointers are to places for a handle, and without a
    // description of its security a pipe has the usual one.
    if unsafe { create_pipe(&raw mut reads, &raw mut writes, ptr::null(), 0) } == 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: The Result Invariant.
    Ok(unsafe { (OwnedHandle::from_raw_handle(reads), OwnedHandle::from_raw_handle(writes)) })
}
