//! The protocol module: what it writes it reads again, and what is no packet it refuses.

use fleet::protocol::{Color, HEADER_SIZE, Header, Label, Message, Packet, Refused, Serial};

fn every_message() -> Vec<Message> {
    let color = Color { hue: 1, saturation: 0xff00, brightness: 0x00ff, kelvin: 3500 };
    let label = Label::new("Küche 7");
    let mut echoing = [0; 64];
    echoing.iter_mut().zip(1..).for_each(|(byte, value)| *byte = value);
    vec![
        Message::GetService,
        Message::StateService { service: 1, port: 56_700 },
        Message::GetHostFirmware,
        Message::StateHostFirmware { build: 1 << 60, version_minor: 70, version_major: 3 },
        Message::GetPower,
        Message::SetPower { level: 65_535 },
        Message::StatePower { level: 258 },
        Message::GetLabel,
        Message::StateLabel { label },
        Message::GetVersion,
        Message::StateVersion { vendor: 1, product: 0x0102_0304 },
        Message::Acknowledgement,
        Message::GetGroup,
        Message::StateGroup { group: [9; 16], label, updated_at: u64::MAX - 1 },
        Message::EchoRequest { echoing },
        Message::EchoResponse { echoing },
        Message::LightGet,
        Message::SetColor { color, duration: 1024 },
        Message::LightState { color, power: 65_535, label },
        Message::LightGetPower,
        Message::LightSetPower { level: 1, duration: 70_000 },
        Message::LightStatePower { level: 2 },
        Message::StateUnhandled { kind: 505 },
        Message::Other { kind: 0 },
    ]
}

fn headers() -> Vec<Header> {
    let plain = Header::new(0x0102_0304, Serial::simulated(77), 255);
    vec![
        plain,
        Header { tagged: true, target: Serial::EVERYONE, ..plain },
        Header { ack_required: true, ..plain },
        Header { res_required: true, sequence: 0, ..plain },
    ]
}

#[test]
fn every_packet_comes_back_as_it_was() {
    for message in every_message() {
        for header in headers() {
            let packet = Packet { header, message: message.clone() };
            assert_eq!(Packet::decode(&packet.encode()), Ok(packet));
        }
    }
}

/// The example that the protocol's own description gives, byte by byte: all lights turn green
/// within 1024 ms.
#[test]
fn bytes_are_those_of_the_protocols_description() {
    let color = Color { hue: 0x5555, saturation: 0xffff, brightness: 0xffff, kelvin: 3500 };
    let header = Header { tagged: true, ..Header::new(0, Serial::EVERYONE, 0) };
    let packet = Packet { header, message: Message::SetColor { color, duration: 1024 } };
    let mut bytes = vec![0; 49];
    bytes[..4].copy_from_slice(&[0x31, 0x00, 0x00, 0x34]);
    bytes[32] = 0x66;
    bytes[37..].copy_from_slice(&[0x55, 0x55, 0xff, 0xff, 0xff, 0xff, 0xac, 0x0d, 0, 4, 0, 0]);
    assert_eq!(packet.encode(), bytes);
    assert_eq!(Packet::decode(&bytes), Ok(packet));
}

#[test]
fn where_each_field_of_a_header_lies() {
    let header = Header {
        source: 0x0a0b_0c0d,
        target: Serial::simulated(0x01_02_03),
        sequence: 0x42,
        tagged: false,
        ack_required: true,
        res_required: true,
    };
    let bytes = Packet { header, message: Message::LightGetPower }.encode();
    let expected = [
        [36, 0, 0x00, 0x14, 0x0d, 0x0c, 0x0b, 0x0a, 0xd0, 0x73, 0xd5, 1],
        [2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0x42],
        [0, 0, 0, 0, 0, 0, 0, 0, 116, 0, 0, 0],
    ];
    assert_eq!(bytes, expected.concat());
}

/// At every length but its own, whether its header was told of the new length or not.
#[test]
fn truncated_and_oversized_packets_are_refused() {
    for message in every_message() {
        let packet = Packet { header: headers()[0], message: message.clone() };
        let whole = packet.encode();
        for len in 0..whole.len() + 40 {
            if len == whole.len() {
                continue;
            }
            let mut bytes = whole.clone();
            bytes.resize(len, 0);
            let refused = Packet::decode(&bytes).unwrap_err();
            if len < HEADER_SIZE {
                assert_eq!(refused, Refused::Truncated { len });
                continue;
            }
            assert_eq!(refused, Refused::Size { said: whole.len(), len });
            bytes[..2].copy_from_slice(&u16::try_from(len).unwrap().to_le_bytes());
            let told = Packet::decode(&bytes);
            if let Message::Other { .. } = message {
                assert_eq!(told, Ok(packet.clone()), "any number of bytes may follow");
            } else {
                let expected = whole.len() - HEADER_SIZE;
                let (kind, len) = (message.kind(), len - HEADER_SIZE);
                assert_eq!(told, Err(Refused::Payload { kind, expected, len }));
            }
        }
    }
}

#[test]
fn another_protocol_is_refused() {
    let mut bytes = Packet { header: headers()[0], message: Message::GetPower }.encode();
    bytes[2] = 1;
    assert_eq!(Packet::decode(&bytes), Err(Refused::Protocol { number: 1025 }));
    bytes[2..4].copy_from_slice(&[0x00, 0x04]);
    assert_eq!(Packet::decode(&bytes), Err(Refused::NotAddressable));
}

/// Bytes at random, then packets with some of their bytes changed: none panics, and what is
/// taken for a packet can be written and read again.
#[test]
fn random_bytes_are_refused_or_read() {
    let mut random = fastrand::Rng::with_seed(20_260_101);
    let (mut read, mut refused) = (0, 0);
    let messages = every_message();
    for round in 0..200_000 {
        let mut bytes: Vec<u8> = if round % 2 == 0 {
            (0..random.usize(..120)).map(|_| random.u8(..)).collect()
        } else {
            let message = messages[random.usize(..messages.len())].clone();
            Packet { header: headers()[round % 4], message }.encode()
        };
        for _ in 0..random.usize(..4) {
            if !bytes.is_empty() {
                let at = random.usize(..bytes.len());
                bytes[at] = random.u8(..);
            }
        }
        match Packet::decode(&bytes) {
            Ok(packet) => {
                assert_eq!(Packet::decode(&packet.encode()), Ok(packet));
                read += 1;
            }
            Err(error) => {
                assert!(!error.to_string().is_empty());
                refused += 1;
            }
        }
    }
    assert!(read > 20_000 && refused > 100_000, "{read} were read, {refused} refused");
}

#[test]
fn label_is_cut_between_characters_without_control_characters() {
    assert_eq!(Label::new("").to_string(), "");
    assert_eq!(Label::new(&"x".repeat(40)).to_string(), "x".repeat(32));
    assert_eq!(Label::new(&format!("{}ü", "x".repeat(31))).to_string(), "x".repeat(31));
    assert_eq!(Label::new("a\u{1b}[2Jb").to_string(), "a\u{fffd}[2Jb");
}

#[test]
fn a_color_is_read_from_words() {
    let color: Color = "120, 1, 0.5, 3500".parse().unwrap();
    let expected = Color { hue: 21_845, saturation: 65_535, brightness: 32_768, kelvin: 3500 };
    assert_eq!(color, expected);
    assert_eq!(color.to_string(), "120,1.00,0.50,3500");
    assert_eq!("360,0,0,9000".parse::<Color>().unwrap().hue, 0);
    for (words, complaint) in [
        ("", "four parts"),
        ("1,1,1", "this has 3"),
        ("361,1,1,3500", "the hue lies from 0 to 360"),
        ("red,1,1,3500", "the hue is a number"),
        ("1,NaN,1,3500", "the saturation lies from 0 to 1"),
        ("1,1,-1,3500", "the brightness lies from 0 to 1"),
        ("1,1,1,1", "the kelvin lies from 1500 to 9000"),
    ] {
        let error = words.parse::<Color>().unwrap_err();
        assert!(error.contains(complaint), "{words:?}: {error}");
    }
}
