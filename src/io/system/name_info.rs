//! [`name_info`]: the names of an address, by the system's own lookup.
//!
//! **Lookup Invariant**: `getnameinfo` and `gai_strerror` are declared as the system has them, which
//! takes the lengths of buffers as POSIX does, or as a word ([`Room`]). The first
//! reads the address only, and writes into either buffer at most as many bytes as it is told, a zero
//! last; the second returns a text that lives as long as the program.
#![allow(unsafe_code)]

use alloc::format;
use alloc::string::String;
use core::ffi::{CStr, c_char, c_int};
use std::io;
use std::net::SocketAddr;

use rustix::net::addr::{SocketAddrArg, SocketAddrLen, SocketAddrOpaque};

/// The most bytes of the name of a host: `NI_MAXHOST`.
const MOST_OF_HOST: usize = 1025;
/// The most bytes of the name of a service: `NI_MAXSERV`.
const MOST_OF_SERVICE: usize = 32;

/// The type of a buffer's length.
#[cfg(any(
    target_os = "android",
    target_os = "dragonfly",
    target_os = "freebsd",
    target_os = "openbsd"
))]
type Room = usize;
#[cfg(not(any(
    target_os = "android",
    target_os = "dragonfly",
    target_os = "freebsd",
    target_os = "openbsd"
)))]
type Room = SocketAddrLen;

unsafe extern "C" {
    fn getnameinfo(
        address: *const SocketAddrOpaque,
        length: SocketAddrLen,
        host: *mut c_char,
        host_room: Room,
        service: *mut c_char,
        service_room: Room,
        flags: c_int,
    ) -> c_int;
    fn gai_strerror(code: c_int) -> *const c_char;
}

/// The names of the host and of the service of `address`, or their numbers, as `flags` say. It blocks.
pub(crate) fn name_info(address: SocketAddr, flags: i32) -> io::Result<(String, String)> {
    let (mut host, mut service) = ([0_u8; MOST_OF_HOST], [0_u8; MOST_OF_SERVICE]);
    let ask = |own: *const SocketAddrOpaque, length: SocketAddrLen| {
        let (host_room, service_room) = (MOST_OF_HOST as Room, MOST_OF_SERVICE as Room);
        let (host, service) = (host.as_mut_ptr().cast(), service.as_mut_ptr().cast());
        // SAFETY: By the Lookup Invariant; the address is valid during the call, and the buffers have
        // the lengths that are told.
        unsafe { getnameinfo(own, length, host, host_room, service, service_room, flags) }
    };
    // SAFETY: The pointer is used during the call only.
    let code = unsafe { address.with_sockaddr(ask) };
    if code != 0 {
        return Err(failed(code));
    }
    Ok((text_of(&host), text_of(&service)))
}

/// The text before the first zero.
fn text_of(buffer: &[u8]) -> String {
    let text = buffer.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}

fn failed(code: c_int) -> io::Error {
    let last = io::Error::last_os_error();
    // SAFETY: By the Lookup Invariant.
    let said = unsafe { gai_strerror(code) };
    if said.is_null() {
        return last;
    }
    // SAFETY: It isn't null, and by the Lookup Invariant a text that stays.
    let said = unsafe { CStr::from_ptr(said) }.to_string_lossy();
    io::Error::other(format!("failed to look up names: {said}"))
}
