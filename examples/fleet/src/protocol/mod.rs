//! The LIFX LAN protocol, as far as this program speaks it: bytes in, [`Packet`]s out, and back.
//!
//! Nothing here knows of sockets, time or tasks. In reading order: `wire` (numbers as bytes),
//! `refused` (what is wrong with bytes that are no packet), `serial`, `label` and `color` (the
//! values), `header`, `message` (what is said), `packet` (a header and a message).
//!
//! All numbers are little-endian. The protocol is described at <https://lan.developer.lifx.com>.

mod color;
mod header;
mod label;
mod message;
mod packet;
mod refused;
mod serial;
mod wire;

pub use color::Color;
pub use header::{Header, SIZE as HEADER_SIZE};
pub use label::Label;
pub use message::Message;
pub use packet::{LARGEST, Packet};
pub use refused::Refused;
pub use serial::Serial;

/// The number of the service that this protocol is over UDP.
pub const UDP: u8 = 1;

/// The UDP port that devices listen on.
pub const PORT: u16 = 56_700;
