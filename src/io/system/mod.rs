//! Calls of the system beside those of sockets.
//!
//! `name_info` (the names of an address), `unix_address`, `given_socket` (the check of a socket that a
//! program has made) and `file_part` (a part of a file that is to be sent).

mod file_part;
mod given_socket;
#[cfg(unix)]
mod name_info;
#[cfg(unix)]
mod unix_address;

pub use file_part::Fallback;
pub(crate) use file_part::{FilePart, not_available};
pub(crate) use given_socket::check_stream;
#[cfg(unix)]
pub(super) use name_info::name_info;
#[cfg(unix)]
pub(crate) use unix_address::{abstract_name, system_address, unix_address};
