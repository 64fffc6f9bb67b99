//! Datagrams: one side sends each and waits for its echo, the other sends them back turned round.

use std::cell::{Cell, RefCell};

use callsoon::net::{Address, DatagramProtocol, DatagramTransport};
use callsoon::{Error, LoopFuture, LoopRef, Result};

use crate::converse::{Outcome, stream};

pub(crate) struct Datagrams {
    seed: u32,
    count: usize,
    sends: bool,
    at: Cell<usize>,
    same: Cell<bool>,
    transport: RefCell<Option<DatagramTransport>>,
    done: LoopFuture<Outcome>,
}

impl Datagrams {
    pub(crate) fn new(on: &LoopRef, seed: u32, count: usize, sends: bool) -> Datagrams {
        let (at, same, transport) = (Cell::new(0), Cell::new(true), RefCell::default());
        Datagrams { seed, count, sends, at, same, transport, done: on.create_future() }
    }

    pub(crate) fn done(&self) -> LoopFuture<Outcome> {
        self.done.clone()
    }

    fn message(&self) -> Vec<u8> {
        let at = self.at.get();
        let size = (self.seed as usize * 7 + at * 131) % 1400 + 1;
        stream(self.seed + u32::try_from(at).expect("few"), size)
    }

    fn send(&self, data: &[u8], to: Option<&Address>) -> Result<()> {
        let transport = self.transport.borrow().clone();
        transport.map_or(Ok(()), |transport| transport.sendto(data, to))
    }
}

impl DatagramProtocol for Datagrams {
    fn connection_made(&self, transport: &DatagramTransport) -> Result<()> {
        self.transport.replace(Some(transport.clone()));
        if self.sends { self.send(&self.message(), None) } else { Ok(()) }
    }

    fn datagram_received(&self, data: &[u8], from: &Address) -> Result<()> {
        let message = self.message();
        let turned: Vec<u8> = message.iter().rev().copied().collect();
        self.same.set(self.same.get() && data == if self.sends { &turned } else { &message });
        if !self.sends {
            self.send(&turned, Some(from))?;
        }
        self.at.set(self.at.get() + 1);
        if self.at.get() == self.count {
            let (received, same) = (self.count, self.same.get());
            return self.done.set_result(Outcome { received, same, reset: false });
        }
        if self.sends { self.send(&self.message(), None) } else { Ok(()) }
    }

    fn error_received(&self, error: Error) -> Result<()> {
        self.done.set_exception(error)
    }
}
