//! [`Header`]: a packet's sender, its receivers, and the answers that the sender wants.

use super::refused::Refused;
use super::serial::Serial;
use super::wire::{Reader, Writer};

/// The size of a header in bytes.
pub const SIZE: usize = 36;

const PROTOCOL: u16 = 1024;
const PROTOCOL_BITS: u16 = 0x0fff;
const ADDRESSABLE: u16 = 1 << 12;
const TAGGED: u16 = 1 << 13;
const RES_REQUIRED: u8 = 1;
const ACK_REQUIRED: u8 = 1 << 1;

/// The first 36 bytes of a packet, but for its size and the kind of its message, which follow
/// from the message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// A number that the asker chose. Answers carry it, too.
    pub source: u32,
    /// The device that is spoken to or that answers, or [`Serial::EVERYONE`].
    pub target: Serial,
    /// The asker's number of this packet. Answers carry it, too.
    pub sequence: u8,
    /// It is meant for more than one device.
    pub tagged: bool,
    /// The device should acknowledge it.
    pub ack_required: bool,
    /// The device should report its state after it was set. A question for its state is
    /// answered either way.
    pub res_required: bool,
}

impl Header {
    /// A header with nothing but a sender, a receiver and a number.
    #[must_use]
    pub fn new(source: u32, target: Serial, sequence: u8) -> Header {
        Header { source, target, sequence, tagged: false, ack_required: false, res_required: false }
    }

    pub(super) fn write(&self, size: u16, kind: u16, to: &mut Writer) {
        let tagged = if self.tagged { TAGGED } else { 0 };
        let ack_required = if self.ack_required { ACK_REQUIRED } else { 0 };
        let res_required = if self.res_required { RES_REQUIRED } else { 0 };
        to.u16(size).u16(PROTOCOL | ADDRESSABLE | tagged).u32(self.source);
        to.bytes(&self.target.to_target()).zeros(6).u8(ack_required | res_required);
        to.u8(self.sequence).zeros(8).u16(kind).zeros(2);
    }

    /// The header, and the kind of message that follows it.
    pub(super) fn read(packet: &[u8]) -> Result<(Header, u16), Refused> {
        let len = packet.len();
        if len < SIZE {
            return Err(Refused::Truncated { len });
        }
        let mut from = Reader::new(packet);
        let said = usize::from(from.u16());
        if said != len {
            return Err(Refused::Size { said, len });
        }
        let frame = from.u16();
        if frame & PROTOCOL_BITS != PROTOCOL {
            return Err(Refused::Protocol { number: frame & PROTOCOL_BITS });
        }
        if frame & ADDRESSABLE == 0 {
            return Err(Refused::NotAddressable);
        }
        let source = from.u32();
        let target = Serial::from_target(from.array());
        from.skip(6);
        let wanted = from.u8();
        let header = Header {
            source,
            target,
            sequence: from.u8(),
            tagged: frame & TAGGED != 0,
            ack_required: wanted & ACK_REQUIRED != 0,
            res_required: wanted & RES_REQUIRED != 0,
        };
        from.skip(8);
        Ok((header, from.u16()))
    }
}
