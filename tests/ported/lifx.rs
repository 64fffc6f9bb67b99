// A client of LIFX bulbs over datagrams, which asks again; and a bulb that misses some.
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::time::Duration;

use callsoon::net::{Address, DatagramOptions, DatagramProtocol, DatagramTransport};
use callsoon::{ErrorKind, EventLoop, LoopFuture, Result};
use callsoon::{run_on, running_loop, shield, wait_for};

const HEADER: usize = 36;
const GET_POWER: u16 = 20;
const SET_POWER: u16 = 21;
const STATE_POWER: u16 = 22;

fn pack(kind: u16, sequence: u8, payload: &[u8]) -> Vec<u8> {
    let size = (HEADER + payload.len()) as u16;
    let mut data = Vec::with_capacity(size.into());
    data.extend(size.to_le_bytes());
    data.extend(0x3400_u16.to_le_bytes());
    data.extend(2_u32.to_le_bytes());
    data.extend([0; 14]);
    data.extend([1, sequence]);
    data.extend([0; 8]);
    data.extend(kind.to_le_bytes());
    data.extend([0; 2]);
    data.extend(payload);
    data
}

fn number(data: &[u8]) -> u16 {
    u16::from_le_bytes([data[0], data[1]])
}

fn unpack(data: &[u8]) -> (u16, u8, &[u8]) {
    (number(&data[32..]), data[23], &data[HEADER..])
}

#[derive(Default)]
struct Bulb {
    transport: RefCell<Option<DatagramTransport>>,
    power: Cell<u16>,
    heard: Cell<u32>,
}

impl DatagramProtocol for Bulb {
    fn connection_made(&self, transport: &DatagramTransport) -> Result<()> {
        self.transport.replace(Some(transport.clone()));
        Ok(())
    }

    fn datagram_received(&self, data: &[u8], address: &Address) -> Result<()> {
        let (kind, sequence, payload) = unpack(data);
        self.heard.set(self.heard.get() + 1);
        if self.heard.get() % 3 == 2 {
            println!("the bulb misses {sequence}");
            return Ok(());
        }
        if kind == SET_POWER {
            self.power.set(number(payload));
        }
        let answer = pack(STATE_POWER, sequence, &self.power.get().to_le_bytes());
        let transport = self.transport.borrow().clone().expect("it is made");
        transport.sendto(&answer, Some(address))
    }
}

#[derive(Default)]
struct Client {
    transport: RefCell<Option<DatagramTransport>>,
    sequence: Cell<u8>,
    waiting: RefCell<HashMap<u8, LoopFuture<u16>>>,
}

impl DatagramProtocol for Client {
    fn connection_made(&self, transport: &DatagramTransport) -> Result<()> {
        self.transport.replace(Some(transport.clone()));
        Ok(())
    }

    fn datagram_received(&self, data: &[u8], _: &Address) -> Result<()> {
        let (kind, sequence, payload) = unpack(data);
        let waiting = self.waiting.borrow_mut().remove(&sequence);
        match waiting {
            Some(waiting) if kind == STATE_POWER => waiting.set_result(number(payload)),
            _ => Ok(()),
        }
    }
}

impl Client {
    async fn ask(&self, kind: u16, payload: &[u8]) -> Result<u16> {
        let sequence = self.sequence.get() + 1;
        self.sequence.set(sequence);
        let answer = running_loop()?.create_future();
        self.waiting.borrow_mut().insert(sequence, answer.clone());
        loop {
            let transport = self.transport.borrow().clone().expect("it is made");
            transport.sendto(&pack(kind, sequence, payload), None)?;
            match wait_for(shield(&answer), Duration::from_millis(500)).await {
                Err(error) if error.kind() == ErrorKind::Timeout => {
                    println!("asking again {sequence}");
                }
                outcome => return outcome,
            }
        }
    }
}

async fn program() -> Result<()> {
    let (on, options) = (running_loop()?, DatagramOptions::new);
    let local = Some(("127.0.0.1", 0));
    let (bulb, _) = on.create_datagram_endpoint(Bulb::default, local, None, options()).await?;
    let port = bulb.sockname().and_then(|address| address.ip()).map_or(0, |ip| ip.port());
    let remote = Some(("127.0.0.1", port));
    let made = on.create_datagram_endpoint(Client::default, None, remote, options());
    let (transport, client) = made.await?;
    println!("power {}", client.ask(GET_POWER, &[]).await?);
    println!("power {}", client.ask(SET_POWER, &65535_u16.to_le_bytes()).await?);
    println!("power {}", client.ask(GET_POWER, &[]).await?);
    transport.close();
    bulb.close();
    Ok(())
}

pub(crate) fn main() -> Result<()> {
    run_on(&EventLoop::with_virtual_time(), program())
}
