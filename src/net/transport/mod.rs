//! Transports: descriptors that call a protocol.
//!
//! In reading order: `events` (the callbacks of a protocol), `address`, `socket` (TCP and Unix sockets as one),
//! `byte_buffer`, `flow_control` (the marks of a write buffer), `callbacks` (the calls of a protocol that
//! all transports make), `lost_writes`, `read_buffer` (into which all read);
//! `socket_transport`, `read_pipe` and `write_pipe`, one file for each kind; `tls_options`, `tls_session`,
//! `tls_transport` and `tls_protocol`, of TLS over a socket; and [`Transport`], which
//! is any of them; and `made`, the wait for one.

mod address;
mod any_transport;
mod byte_buffer;
mod callbacks;
mod events;
mod flow_control;
mod lost_writes;
mod made;
mod read_buffer;
#[cfg(unix)]
mod read_pipe;
mod socket;
mod socket_transport;
#[cfg(feature = "tls")]
mod tls_options;
#[cfg(feature = "tls")]
mod tls_protocol;
#[cfg(feature = "tls")]
mod tls_session;
#[cfg(feature = "tls")]
mod tls_transport;
mod transport_socket;
#[cfg(unix)]
mod write_pipe;

pub use address::Address;
#[cfg(not(feature = "tls"))]
pub(crate) use any_transport::Tls;
pub use any_transport::Transport;
pub(super) use byte_buffer::ByteBuffer;
pub(crate) use callbacks::Callbacks;
pub(crate) use events::{BaseEvents, Events};
pub(super) use flow_control::{FlowControl, HIGH_WATER};
pub(super) use lost_writes::LostWrites;
pub(crate) use made::Close;
pub(crate) use made::made;
pub(super) use made::made_by;
pub(super) use read_buffer::ReadBuffer;
pub(crate) use socket::Socket;
pub(super) use socket::is_passing;
pub(super) use socket_transport::{Clients, Connection, LOST_WRITE, SocketTransport};
#[cfg(feature = "tls")]
pub use tls_options::TlsOptions;
#[cfg(feature = "tls")]
pub(crate) use tls_options::TlsOptions as Tls;
#[cfg(feature = "tls")]
pub use tls_session::TlsInfo;
pub use transport_socket::TransportSocket;
