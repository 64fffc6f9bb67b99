//! [`Message`]: what is said in a packet.

use super::color::Color;
use super::label::Label;
use super::refused::Refused;
use super::wire::{Reader, Writer};

/// The part of a packet after its header. Names and numbers are those of the protocol; reserved
/// bytes are zero when written and passed over when read.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the fields are those of the protocol's own description")]
pub enum Message {
    /// 2: which services are there? The question by which devices are found.
    GetService,
    /// 3: service 1 is UDP.
    StateService { service: u8, port: u32 },
    /// 14
    GetHostFirmware,
    /// 15
    StateHostFirmware { build: u64, version_minor: u16, version_major: u16 },
    /// 20
    GetPower,
    /// 21: 0 is off, 65535 on.
    SetPower { level: u16 },
    /// 22
    StatePower { level: u16 },
    /// 23
    GetLabel,
    /// 25
    StateLabel { label: Label },
    /// 32
    GetVersion,
    /// 33
    StateVersion { vendor: u32, product: u32 },
    /// 45: the packet of this sequence was heard.
    Acknowledgement,
    /// 51
    GetGroup,
    /// 53: `updated_at` is in nanoseconds since 1970.
    StateGroup { group: [u8; 16], label: Label, updated_at: u64 },
    /// 58: whatever it carries comes back.
    EchoRequest { echoing: [u8; 64] },
    /// 59
    EchoResponse { echoing: [u8; 64] },
    /// 101
    LightGet,
    /// 102: `duration` is in milliseconds.
    SetColor { color: Color, duration: u32 },
    /// 107
    LightState { color: Color, power: u16, label: Label },
    /// 116
    LightGetPower,
    /// 117: `duration` is in milliseconds.
    LightSetPower { level: u16, duration: u32 },
    /// 118
    LightStatePower { level: u16 },
    /// 223: the device doesn't know messages of this kind.
    StateUnhandled { kind: u16 },
    /// A kind that this program doesn't know; what it carries is passed over.
    Other { kind: u16 },
}

impl Message {
    /// The number of its kind.
    #[must_use]
    pub fn kind(&self) -> u16 {
        match self {
            Message::GetService => 2,
            Message::StateService { .. } => 3,
            Message::GetHostFirmware => 14,
            Message::StateHostFirmware { .. } => 15,
            Message::GetPower => 20,
            Message::SetPower { .. } => 21,
            Message::StatePower { .. } => 22,
            Message::GetLabel => 23,
            Message::StateLabel { .. } => 25,
            Message::GetVersion => 32,
            Message::StateVersion { .. } => 33,
            Message::Acknowledgement => 45,
            Message::GetGroup => 51,
            Message::StateGroup { .. } => 53,
            Message::EchoRequest { .. } => 58,
            Message::EchoResponse { .. } => 59,
            Message::LightGet => 101,
            Message::SetColor { .. } => 102,
            Message::LightState { .. } => 107,
            Message::LightGetPower => 116,
            Message::LightSetPower { .. } => 117,
            Message::LightStatePower { .. } => 118,
            Message::StateUnhandled { .. } => 223,
            Message::Other { kind } => *kind,
        }
    }

    /// Its bytes behind the header.
    pub(super) fn payload(&self) -> Vec<u8> {
        let mut to = Writer::default();
        match self {
            Message::GetService
            | Message::GetHostFirmware
            | Message::GetPower
            | Message::GetLabel
            | Message::GetVersion
            | Message::Acknowledgement
            | Message::GetGroup
            | Message::LightGet
            | Message::LightGetPower
            | Message::Other { .. } => {}
            Message::StateService { service, port } => {
                to.u8(*service).u32(*port);
            }
            Message::StateHostFirmware { build, version_minor, version_major } => {
                to.u64(*build).zeros(8).u16(*version_minor).u16(*version_major);
            }
            Message::SetPower { level }
            | Message::StatePower { level }
            | Message::LightStatePower { level } => {
                to.u16(*level);
            }
            Message::StateLabel { label } => {
                to.bytes(label.as_bytes());
            }
            Message::StateVersion { vendor, product } => {
                to.u32(*vendor).u32(*product).zeros(4);
            }
            Message::StateGroup { group, label, updated_at } => {
                to.bytes(group).bytes(label.as_bytes()).u64(*updated_at);
            }
            Message::EchoRequest { echoing } | Message::EchoResponse { echoing } => {
                to.bytes(echoing);
            }
            Message::SetColor { color, duration } => {
                color.write(to.u8(0));
                to.u32(*duration);
            }
            Message::LightState { color, power, label } => {
                color.write(&mut to);
                to.zeros(2).u16(*power).bytes(label.as_bytes()).zeros(8);
            }
            Message::LightSetPower { level, duration } => {
                to.u16(*level).u32(*duration);
            }
            Message::StateUnhandled { kind } => {
                to.u16(*kind);
            }
        }
        to.done()
    }

    /// Returns the size in bytes of a message of `kind`, or `None` if the kind is not known.
    fn size(kind: u16) -> Option<usize> {
        Some(match kind {
            2 | 14 | 20 | 23 | 32 | 45 | 51 | 101 | 116 => 0,
            21 | 22 | 118 | 223 => 2,
            3 => 5,
            117 => 6,
            33 => 12,
            102 => 1 + Color::SIZE + 4,
            15 => 20,
            25 => Label::SIZE,
            107 => Color::SIZE + 4 + Label::SIZE + 8,
            53 => 16 + Label::SIZE + 8,
            58 | 59 => 64,
            _ => return None,
        })
    }

    /// The message of `kind` that `payload` is.
    pub(super) fn read(kind: u16, payload: &[u8]) -> Result<Message, Refused> {
        if let Some(expected) = Message::size(kind).filter(|size| *size != payload.len()) {
            return Err(Refused::Payload { kind, expected, len: payload.len() });
        }
        let mut from = Reader::new(payload);
        Ok(match kind {
            2 => Message::GetService,
            3 => Message::StateService { service: from.u8(), port: from.u32() },
            14 => Message::GetHostFirmware,
            15 => {
                let build = from.u64();
                from.skip(8);
                let (version_minor, version_major) = (from.u16(), from.u16());
                Message::StateHostFirmware { build, version_minor, version_major }
            }
            20 => Message::GetPower,
            21 => Message::SetPower { level: from.u16() },
            22 => Message::StatePower { level: from.u16() },
            23 => Message::GetLabel,
            25 => Message::StateLabel { label: Label::from_bytes(from.array()) },
            32 => Message::GetVersion,
            33 => Message::StateVersion { vendor: from.u32(), product: from.u32() },
            45 => Message::Acknowledgement,
            51 => Message::GetGroup,
            53 => {
                let (group, label) = (from.array(), Label::from_bytes(from.array()));
                Message::StateGroup { group, label, updated_at: from.u64() }
            }
            58 => Message::EchoRequest { echoing: from.array() },
            59 => Message::EchoResponse { echoing: from.array() },
            101 => Message::LightGet,
            102 => {
                from.skip(1);
                let color = Color::read(&mut from);
                Message::SetColor { color, duration: from.u32() }
            }
            107 => {
                let color = Color::read(&mut from);
                from.skip(2);
                let power = from.u16();
                Message::LightState { color, power, label: Label::from_bytes(from.array()) }
            }
            116 => Message::LightGetPower,
            117 => Message::LightSetPower { level: from.u16(), duration: from.u32() },
            118 => Message::LightStatePower { level: from.u16() },
            223 => Message::StateUnhandled { kind: from.u16() },
            _ => Message::Other { kind },
        })
    }
}
