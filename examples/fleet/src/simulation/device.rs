//! [`Device`]: what a light is, and what it answers.

use crate::protocol::{Color, Header, Label, Message, Packet, Serial, UDP};

/// A group, to which several devices may belong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Group {
    /// The group's identity.
    pub id: [u8; 16],
    /// Its name.
    pub label: Label,
}

/// One light. It changes at once: how long a change should take, it passes over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Device {
    /// Its identity.
    pub serial: Serial,
    /// Its name.
    pub label: Label,
    /// Where it belongs.
    pub group: Group,
    /// Which product of the vendor's it is.
    pub product: u32,
    /// 0 is off, 65535 on.
    pub power: u16,
    /// The colour that it has, or will have when it is on.
    pub color: Color,
}

impl Device {
    /// Does what `packet` asks for, and returns the answers, in their order. `port` is where
    /// the device listens. What is said to another device gets no answer.
    pub fn hear(&mut self, packet: &Packet, port: u16) -> Vec<Packet> {
        let Header { source, target, sequence, ack_required, res_required, .. } = packet.header;
        if target != self.serial && target != Serial::EVERYONE {
            return Vec::new();
        }
        let ack = ack_required.then_some(Message::Acknowledgement);
        let state = self.state_after(&packet.message, res_required, port);
        let header = Header::new(source, self.serial, sequence);
        ack.into_iter().chain(state).map(|message| Packet { header, message }).collect()
    }

    fn state_after(&mut self, message: &Message, wanted: bool, port: u16) -> Option<Message> {
        match message {
            Message::GetService => {
                Some(Message::StateService { service: UDP, port: u32::from(port) })
            }
            Message::GetHostFirmware => Some(Message::StateHostFirmware {
                build: 1_600_000_000_000_000_000,
                version_minor: 70,
                version_major: 3,
            }),
            Message::GetPower => Some(Message::StatePower { level: self.power }),
            Message::SetPower { level } => {
                self.power = *level;
                wanted.then_some(Message::StatePower { level: self.power })
            }
            Message::GetLabel => Some(Message::StateLabel { label: self.label }),
            Message::GetVersion => Some(Message::StateVersion { vendor: 1, product: self.product }),
            Message::GetGroup => Some(Message::StateGroup {
                group: self.group.id,
                label: self.group.label,
                updated_at: 1_600_000_000_000_000_000,
            }),
            Message::EchoRequest { echoing } => Some(Message::EchoResponse { echoing: *echoing }),
            Message::LightGet => Some(self.light_state()),
            Message::SetColor { color, .. } => {
                self.color = *color;
                wanted.then(|| self.light_state())
            }
            Message::LightGetPower => Some(Message::LightStatePower { level: self.power }),
            Message::LightSetPower { level, .. } => {
                self.power = *level;
                wanted.then_some(Message::LightStatePower { level: self.power })
            }
            Message::Other { kind } => Some(Message::StateUnhandled { kind: *kind }),
            // Answers of other devices, which are none of its business.
            _ => None,
        }
    }

    fn light_state(&self) -> Message {
        Message::LightState { color: self.color, power: self.power, label: self.label }
    }
}
