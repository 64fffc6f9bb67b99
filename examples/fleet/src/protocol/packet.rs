//! [`Packet`]: what one datagram holds.

use super::header::{Header, SIZE};
use super::message::Message;
use super::refused::Refused;
use super::wire::Writer;

/// More bytes than any packet of the protocol has: room for what is received. A longer datagram
/// is cut off there, and refused, as its header states another size.
pub const LARGEST: usize = 2048;

/// A header and a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Packet {
    /// The sender and the receivers.
    pub header: Header,
    /// The content.
    pub message: Message,
}

impl Packet {
    /// The bytes of the packet.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let payload = self.message.payload();
        let size = u16::try_from(SIZE + payload.len()).expect("no message has that many bytes");
        let mut to = Writer::default();
        self.header.write(size, self.message.kind(), &mut to);
        to.bytes(&payload);
        to.done()
    }

    /// The packet that `bytes` are.
    ///
    /// # Errors
    ///
    /// What is wrong with them, where they are none.
    pub fn decode(bytes: &[u8]) -> Result<Packet, Refused> {
        let (header, kind) = Header::read(bytes)?;
        let message = Message::read(kind, &bytes[SIZE..])?;
        Ok(Packet { header, message })
    }
}
