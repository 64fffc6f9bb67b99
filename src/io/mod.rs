//! Sockets and pipes with operations that are awaited, on the loop's reactor.
//!
//! In reading order: `direction` (the turns and waits of tasks that read, or write), `watched` (a source
//! with both), `half` (an operation in one of them, from its try to its wait), [`Async`] (any source with a descriptor); on
//! it `stream` (what all streams can do), `system` (calls beside those of sockets), `accept`,
//! `connect` and `race` (attempts at several
//! addresses), [`Family`] and `resolve` (names of hosts); and the public types: `tcp`, `udp`, `unix`.
//!
//! Everything is done by methods of `&self`: a socket in an `Rc` can be read by one task and written by
//! another, and no splitting into halves is needed. With the feature `futures-io` a `&TcpStream` is an
//! `AsyncRead` and an `AsyncWrite`, too. These are asyncio's `sock_*` methods; its streams,
//! transports and protocols are in [`net`](crate::net).

mod accept;
mod async_source;
#[cfg(unix)]
mod connect;
#[cfg(not(unix))]
#[path = "connect_on_thread.rs"]
mod connect;
mod connect_options;
mod connect_to;
mod datagram;
mod direction;
mod family;
mod half;
mod listen;
mod race;
mod resolve;
mod stream;
mod system;
mod tcp;
mod udp;
#[cfg(unix)]
mod unix;
mod watched;

pub(crate) use accept::{REST, is_out_of_resources, report_out_of_resources};
pub(crate) use async_source::impl_descriptor;
pub use async_source::{Async, Interest, Readiness};
pub use connect_options::ConnectOptions;
pub use connect_to::ConnectTo;
#[cfg(unix)]
pub use datagram::Datagram;
pub(crate) use datagram::udp_socket;
pub use family::Family;
#[cfg(unix)]
pub(crate) use listen::bind_unix;
pub(crate) use listen::{BindOptions, bind_tcp, is_missing, listen};
pub use system::Fallback;
pub(crate) use system::{FilePart, check_stream, not_available};
#[cfg(unix)]
pub(crate) use system::{abstract_name, unix_address};
pub use tcp::{TcpListener, TcpStream};
pub use udp::UdpSocket;
#[cfg(unix)]
pub use unix::{UnixDatagram, UnixListener, UnixStream};
