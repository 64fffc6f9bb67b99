//! `--simulate-only`: devices at one port, for any client.

use std::collections::BTreeSet;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use fleet::protocol::{Header, LARGEST, Message, Packet, Serial};
use serde_json::Value;

use crate::running::{Running, fresh, run};

const SOURCE: u32 = 0x5a5a_0001;

fn simulate(devices: &str) -> (Running, SocketAddr) {
    let arguments = ["--simulate-only", "--port", "0", "--loss", "0", "--devices", devices];
    let mut running = Running::new(&arguments);
    let line = running.line();
    let address = line.trim_end().rsplit(' ').next().unwrap().parse().unwrap();
    (running, address)
}

/// A client of a few lines, on a socket of the standard library.
struct Client {
    socket: UdpSocket,
    devices: SocketAddr,
}

impl Client {
    fn new(devices: SocketAddr) -> Client {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        // Only where the test fails.
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Client { socket, devices }
    }

    fn send(&self, header: Header, message: Message) {
        let bytes = Packet { header, message }.encode();
        self.socket.send_to(&bytes, self.devices).unwrap();
    }

    fn receive(&self) -> Packet {
        let mut bytes = [0; LARGEST];
        let (len, from) = self.socket.recv_from(&mut bytes).unwrap();
        assert_eq!(from, self.devices);
        Packet::decode(&bytes[..len]).unwrap()
    }

    /// The next answer to the packet `sequence`; those to earlier ones, which may arrive twice,
    /// are passed over.
    fn answer(&self, serial: Serial, sequence: u8) -> Message {
        loop {
            let Packet { header, message } = self.receive();
            assert_eq!(header.source, SOURCE);
            if header.sequence == sequence {
                assert_eq!(header.target, serial);
                return message;
            }
        }
    }
}

#[test]
fn every_device_answers_at_the_one_port() {
    let (_running, address) = simulate("30");
    let client = Client::new(address);
    let everyone = Header { tagged: true, ..Header::new(SOURCE, Serial::EVERYONE, 7) };
    client.send(everyone, Message::GetService);
    let mut serials = BTreeSet::new();
    while serials.len() < 30 {
        let Packet { header, message } = client.receive();
        assert_eq!((header.source, header.sequence), (SOURCE, 7));
        let port = u32::from(address.port());
        assert_eq!(message, Message::StateService { service: 1, port });
        serials.insert(header.target);
    }
    assert_eq!(serials, (1..=30).map(Serial::simulated).collect());

    let serial = Serial::simulated(3);
    let header = |sequence| Header::new(SOURCE, serial, sequence);
    client.send(header(8), Message::GetLabel);
    let Message::StateLabel { label } = client.answer(serial, 8) else { panic!("no label") };
    assert!(label.to_string().ends_with(" 3"), "{label}");

    let both = Header { ack_required: true, res_required: true, ..header(9) };
    client.send(both, Message::LightSetPower { level: 65_535, duration: 0 });
    // They are on their way for different times, and each may come twice.
    let (mut acknowledged, mut answered) = (false, false);
    while !(acknowledged && answered) {
        match client.answer(serial, 9) {
            Message::Acknowledgement => acknowledged = true,
            Message::LightStatePower { level: 65_535 } => answered = true,
            other => panic!("{other:?}"),
        }
    }

    client.socket.send_to(b"not of the protocol", address).unwrap();
    client.send(header(10), Message::Other { kind: 4242 });
    assert_eq!(client.answer(serial, 10), Message::StateUnhandled { kind: 4242 });
}

/// Random bytes, true packets that are cut off, and packets with one byte changed.
#[test]
fn garbage_leaves_the_devices_to_others() {
    let (mut running, address) = simulate("5");
    let client = Client::new(address);
    let mut rng = fastrand::Rng::with_seed(7);
    let garbage = |rng: &mut fastrand::Rng| {
        let header = Header::new(SOURCE ^ 1, Serial::simulated(rng.u32(0..6)), rng.u8(..));
        let mut bytes = Packet { header, message: Message::GetLabel }.encode();
        match rng.u8(0..3) {
            0 => bytes = (0..rng.usize(0..1500)).map(|_| rng.u8(..)).collect(),
            1 => bytes.truncate(rng.usize(0..bytes.len())),
            _ => {
                let at = rng.usize(0..bytes.len());
                bytes[at] ^= 1 << rng.u8(0..8);
            }
        }
        bytes
    };
    // From a socket of its own: some of it is answered.
    let noise = UdpSocket::bind("127.0.0.1:0").unwrap();
    for round in 0..20 {
        for _ in 0..100 {
            noise.send_to(&garbage(&mut rng), address).unwrap();
        }
        // The kernel drops what the devices have no time for: a question is asked until it is answered.
        let serial = Serial::simulated(round % 5 + 1);
        client.socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let mut bytes = [0; LARGEST];
        let answered = (0..100).any(|_| {
            client.send(Header::new(SOURCE, serial, round as u8), Message::GetLabel);
            client.socket.recv_from(&mut bytes).is_ok_and(|(len, _)| {
                let packet = Packet::decode(&bytes[..len]).unwrap();
                packet.header.source == SOURCE
            })
        });
        assert!(answered, "{round}");
    }
    assert!(running.child.try_wait().unwrap().is_none());
    running.interrupt();
    assert_eq!(running.end().0, 130);
}

/// A network on which each packet is answered with bytes of no protocol.
#[test]
fn garbage_for_an_answer_is_none() {
    let liar = UdpSocket::bind("127.0.0.1:0").unwrap();
    let target = liar.local_addr().unwrap().to_string();
    let theirs = liar.try_clone().unwrap();
    let thread = std::thread::spawn(move || {
        let mut rng = fastrand::Rng::with_seed(8);
        let mut bytes = [0; LARGEST];
        while let Ok((len @ 1.., from)) = theirs.recv_from(&mut bytes) {
            let mut answer = bytes[..len].to_vec();
            for _ in 0..rng.usize(1..9) {
                let at = rng.usize(0..len);
                // The length, the protocol or the kind of packet among others.
                answer[at] = rng.u8(..);
            }
            answer.extend((0..rng.usize(1..64)).map(|_| rng.u8(..)));
            let _ = theirs.send_to(&answer, from);
        }
    });
    let database = fresh("garbage.sqlite");
    let (code, output, errors) =
        run(&["--target", &target, "--database", database.to_str().unwrap()]);
    assert_eq!(code, 3, "{errors}");
    assert!(output.starts_with("0 of 0 lights answered"), "{output}");
    assert_eq!(crate::running::ending(&database, 1).as_deref(), Some("complete"));
    // An empty packet ends the thread.
    liar.send_to(&[], liar.local_addr().unwrap()).unwrap();
    thread.join().unwrap();
}

#[test]
fn the_program_finds_them_as_it_finds_real_ones() {
    let (_running, address) = simulate("30");
    let database = fresh("one-port.sqlite");
    let path = database.to_str().unwrap();
    let target = address.to_string();
    let arguments = ["--target", &target, "--json", "--database", path];
    let powers = |orders: &[&str]| {
        let (code, output, errors) = run(&[&arguments[..], orders].concat());
        assert_eq!(code, 0, "{errors}");
        let outcome: Value = serde_json::from_str(&output).unwrap();
        assert_eq!(outcome["expected"], Value::Null);
        let answered = outcome["answered"].as_array().unwrap();
        assert_eq!(answered.len(), 30);
        let powers = answered.iter().map(|row| row["power"].as_u64().unwrap());
        powers.collect::<BTreeSet<_>>()
    };
    assert_eq!(powers(&[]), BTreeSet::from([0, 65_535]));
    assert_eq!(powers(&["--set-power", "off"]), BTreeSet::from([0]));
    assert_eq!(powers(&[]), BTreeSet::from([0]), "they keep what they were told");
}

#[test]
fn on_a_network_without_lights_it_finds_none() {
    let closed = UdpSocket::bind("127.0.0.1:0").unwrap();
    let target = closed.local_addr().unwrap().to_string();
    let database = fresh("no-lights.sqlite");
    let (code, output, _) = run(&["--target", &target, "--database", database.to_str().unwrap()]);
    assert_eq!(code, 3);
    assert!(output.starts_with("0 of 0 lights answered"), "{output}");
}

#[cfg(unix)]
#[test]
fn interrupted_it_ends() {
    let (mut running, _) = simulate("30");
    running.interrupt();
    assert_eq!(running.end().0, 130);
}
