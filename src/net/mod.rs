//! asyncio's network: transports that call protocols, and streams on them.
//!
//! In reading order: [`Protocol`] (callbacks of a connection), `socket` (TCP and Unix sockets as one),
//! [`Transport`] (reads, writes and closes a socket, and calls its protocol); on these
//! [`StreamReader`], `stream_protocol` (between reader and transport) and [`StreamWriter`]; and
//! [`Server`] and `open`, by which connections are made.
//!
//! For sockets with awaited operations and without a buffer, see [`io`](crate::io).

mod byte_buffer;
mod create;
mod events;
mod listening;
mod open;
mod protocol;
mod read_error;
mod server;
mod settle;
mod socket;
mod stream_protocol;
mod stream_reader;
mod stream_writer;
mod transport;

pub use open::{open_connection, start_server};
#[cfg(unix)]
pub use open::{open_unix_connection, start_unix_server};
pub use protocol::Protocol;
pub use read_error::{IncompleteReadError, LimitOverrunError};
pub use server::Server;
pub use socket::Address;
pub use stream_reader::{DEFAULT_LIMIT, StreamReader};
pub use stream_writer::StreamWriter;
pub use transport::Transport;
