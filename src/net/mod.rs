//! asyncio's network: transports that call protocols, and streams on them.
//!
//! In reading order: `transport` (a socket or pipe that calls its protocol), [`Protocol`] (the
//! callbacks); on these [`StreamReader`], `write_flow` (waits for room and for the end),
//! `stream_protocol` (between both and the transport) and [`StreamWriter`]; [`ServeAt`], [`ServerOptions`] and [`Server`], `create`, `pipes` and
//! `open`, by which connections are made, and `tls`, by which those over TLS are; and `datagram`, endpoints of datagrams.
//!
//! For sockets with awaited operations and without a buffer, see [`io`](crate::io).

/// The crate of the configurations that [`TlsOptions`] takes.
#[cfg(feature = "tls")]
pub use rustls;

mod create;
mod datagram;
mod listening;
mod open;
#[cfg(unix)]
mod pipes;
mod protocol;
mod read_error;
mod sendfile;
mod serve_at;
mod server;
mod server_options;
mod settle;
mod stream_protocol;
mod stream_reader;
mod stream_writer;
#[cfg(feature = "tls")]
mod tls;
mod transport;
mod write_flow;

pub use datagram::{DatagramOptions, DatagramProtocol, DatagramTransport};
pub use open::{
    open_connection, open_connection_on, open_connection_with, start_server, start_server_with,
};
#[cfg(unix)]
pub use open::{
    open_unix_connection, open_unix_connection_on, start_unix_server, start_unix_server_with,
};
pub use protocol::{BufferedProtocol, Protocol};
pub use read_error::{IncompleteReadError, LimitOverrunError};
pub use serve_at::ServeAt;
#[cfg(unix)]
pub use serve_at::ServeAtPath;
pub use server::Server;
pub use server_options::ServerOptions;
pub use stream_reader::{DEFAULT_LIMIT, StreamReader};
pub use stream_writer::StreamWriter;
#[cfg(all(unix, feature = "tls"))]
pub use tls::open_unix_connection_tls;
#[cfg(feature = "tls")]
pub use tls::{open_connection_tls, start_server_tls};
#[cfg(all(windows, feature = "process"))]
pub(crate) use transport::Socket;
pub use transport::{Address, Transport, TransportSocket};
#[cfg(feature = "tls")]
pub use transport::{TlsInfo, TlsOptions};
#[cfg(feature = "process")]
pub(crate) use {
    stream_writer::WritingEnd,
    transport::{BaseEvents, Callbacks, Close, Events, made},
    write_flow::{HasWriteFlow, WriteFlow},
};
