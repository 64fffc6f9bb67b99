//! Endpoints of datagrams.
//!
//! In reading order: `events` (the callbacks), `socket` (UDP and Unix sockets as one),
//! [`DatagramTransport`], [`DatagramProtocol`], and `endpoint` with [`DatagramOptions`], by which
//! both are made.

mod endpoint;
mod events;
mod options;
mod protocol;
mod socket;
mod transport;

pub use options::DatagramOptions;
pub use protocol::DatagramProtocol;
pub use transport::DatagramTransport;
