//! [`Session`]: one socket, and the questions that its answers belong to.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use callsoon::io::UdpSocket;
use callsoon::{LoopFuture, Result, running_loop};

use super::tally::Tally;
use crate::explained::explained;
use crate::protocol::{Header, LARGEST, Message, Packet, Serial, UDP};

/// A device, and where it listens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sighting {
    /// The serial number of the device.
    pub serial: Serial,
    /// The address at which it listens.
    pub address: SocketAddr,
}

/// An answer, and the time at which it arrived, by the loop's clock.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) message: Message,
    pub(super) sequence: u8,
    pub(super) at: Duration,
}

/// A message of this kind, for which a caller waits.
struct Expected {
    kind: u16,
    reply: LoopFuture<Reply>,
}

/// A socket from which devices are asked. Clones are the same session.
#[derive(Clone)]
pub struct Session(Rc<Inner>);

struct Inner {
    socket: UdpSocket,
    /// The address at which all devices listen.
    everyone: SocketAddr,
    /// The number by which the answers to this program are known.
    source: u32,
    expected: RefCell<HashMap<(Serial, u8), Expected>>,
    known: RefCell<BTreeSet<Serial>>,
    sightings: RefCell<Vec<Sighting>>,
    tally: Cell<Tally>,
}

impl Session {
    /// Returns a session with the devices that listen at `everyone`. `source` is any number
    /// but 0 and 1, which mean something else to devices.
    ///
    /// # Errors
    ///
    /// The socket's.
    pub fn open(everyone: SocketAddr, source: u32) -> Result<Session> {
        let own = match everyone.ip() {
            IpAddr::V4(ip) if ip.is_loopback() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(ip) if ip.is_loopback() => IpAddr::V6(Ipv6Addr::LOCALHOST),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        let socket = UdpSocket::bind(SocketAddr::new(own, 0))?;
        socket.get_ref().set_broadcast(true)?;
        Ok(Session(Rc::new(Inner {
            socket,
            everyone,
            source,
            expected: RefCell::default(),
            known: RefCell::default(),
            sightings: RefCell::default(),
            tally: Cell::default(),
        })))
    }

    /// Receives answers, until the task that awaits it is cancelled.
    ///
    /// # Errors
    ///
    /// The socket's; the cancellation.
    pub async fn listen(self) -> Result<()> {
        let mut bytes = [0; LARGEST];
        loop {
            let (len, from) = self.0.socket.recv_from(&mut bytes).await?;
            self.hear(&bytes[..len], from)?;
        }
    }

    fn hear(&self, bytes: &[u8], from: SocketAddr) -> Result<()> {
        self.count(|tally| tally.received += 1);
        let Ok(Packet { header, message }) = Packet::decode(bytes) else {
            self.count(|tally| tally.refused += 1);
            return Ok(());
        };
        if header.source != self.0.source {
            self.count(|tally| tally.foreign += 1);
            return Ok(());
        }
        if let Message::StateService { service: UDP, port } = message {
            self.sight(header.target, from, port);
            return Ok(());
        }
        let key = (header.target, header.sequence);
        let expected = self.0.expected.borrow();
        let waiting = expected
            .get(&key)
            .filter(|expected| expected.kind == message.kind() && !expected.reply.done());
        let Some(waiting) = waiting else {
            self.count(|tally| tally.unasked += 1);
            return Ok(());
        };
        let reply = Reply { message, sequence: header.sequence, at: running_loop()?.time() };
        waiting.reply.set_result(reply)
    }

    fn sight(&self, serial: Serial, from: SocketAddr, port: u32) {
        let port = u16::try_from(port).ok().filter(|_| serial != Serial::EVERYONE);
        let Some(port) = port else { return self.count(|tally| tally.refused += 1) };
        if !self.0.known.borrow_mut().insert(serial) {
            return self.count(|tally| tally.known += 1);
        }
        let address = SocketAddr::new(from.ip(), port);
        self.0.sightings.borrow_mut().push(Sighting { serial, address });
    }

    /// Returns the devices that have reported themselves since the last call.
    pub(super) fn sightings(&self) -> Vec<Sighting> {
        self.0.sightings.take()
    }

    /// Asks all devices to report themselves.
    pub(super) async fn call_everyone(&self, sequence: u8) -> Result<()> {
        let header = Header { tagged: true, ..self.header(Serial::EVERYONE, sequence) };
        self.send(Packet { header, message: Message::GetService }, self.0.everyone).await
    }

    /// The header of a packet to `target`.
    pub(super) fn header(&self, target: Serial, sequence: u8) -> Header {
        Header::new(self.0.source, target, sequence)
    }

    pub(super) async fn send(&self, packet: Packet, to: SocketAddr) -> Result<()> {
        let sent = self.0.socket.send_to(&packet.encode(), to).await;
        sent.map_err(|error| explained(&error, &format!("nothing can be sent to {to}")))?;
        self.count(|tally| tally.sent += 1);
        Ok(())
    }

    /// Has the answer of this kind to the packet `sequence` to `serial` be the result of `reply`.
    pub(super) fn expect(&self, serial: Serial, sequence: u8, kind: u16, reply: LoopFuture<Reply>) {
        let expected = Expected { kind, reply };
        self.0.expected.borrow_mut().insert((serial, sequence), expected);
    }

    /// Stops waiting for the answer to the packet `sequence` to `serial`.
    pub(super) fn forget(&self, serial: Serial, sequence: u8) {
        self.0.expected.borrow_mut().remove(&(serial, sequence));
    }

    fn count(&self, change: impl FnOnce(&mut Tally)) {
        let mut tally = self.0.tally.get();
        change(&mut tally);
        self.0.tally.set(tally);
    }

    /// Returns the numbers of packets so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.0.tally.get()
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("everyone", &self.0.everyone).finish_non_exhaustive()
    }
}
