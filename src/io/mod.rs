//! Sockets and pipes whose operations are awaited, on the loop's reactor.
//!
//! In reading order: `direction` (the turns and waits of tasks that read, or write), `watched` (a source
//! with both), `half` (an operation in one of them, from its try to its wait), [`Async`] (any source with a descriptor); on
//! it `stream` (what all streams can do), `accept`, `bind` and `connect`; and the public types: `tcp`,
//! `udp`, `unix`.
//!
//! Everything is done by methods of `&self`, so that a socket in an `Rc` can be read by one task
//! and written by another. Asyncio's transports, protocols and stream readers have no place
//! here: its `sock_*` methods do, and a task that loops over `read` is what a protocol was.

mod accept;
mod async_source;
mod bind;
#[cfg(unix)]
mod connect;
#[cfg(not(unix))]
#[path = "connect_on_thread.rs"]
mod connect;
mod direction;
mod half;
mod stream;
mod tcp;
mod udp;
#[cfg(unix)]
mod unix;
mod watched;

pub use async_source::Async;
pub use tcp::{TcpListener, TcpStream};
pub use udp::UdpSocket;
#[cfg(unix)]
pub use unix::{UnixDatagram, UnixListener, UnixStream};
