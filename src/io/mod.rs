//! Sockets and pipes whose operations are awaited, on the loop's reactor.
//!
//! In reading order: `direction` (whose turn it is to read, or to write, and who waits),
//! [`Async`] (any source with a descriptor), and on it `udp`.
//!
//! Bytes are read and written by methods of `&self`, so a socket in an `Rc` can be read by one
//! task and written by another.

mod async_source;
mod direction;
mod udp;

pub use async_source::Async;
pub use udp::UdpSocket;
