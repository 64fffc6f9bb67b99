//! [`Network`]: the sockets that simulated devices live on.

use std::cell::RefCell;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::rc::Rc;

use callsoon::helpers as hp;
use callsoon::io::UdpSocket;
use callsoon::{Error, LoopFuture, Queue, Result, running_loop, yield_now};

use super::population::Population;
use crate::explained::explained;
use crate::protocol::{LARGEST, Packet, Serial};

/// The number of file descriptors that are left for others where they run out.
const SPARE: usize = 32;

/// The operating systems' codes for "too many open files": of the process (Linux, macOS, the
/// BSDs; Windows), and of the machine.
const TOO_MANY_OPEN: [i32; 3] = [24, 10_024, 23];

/// The number of packets sent before other tasks have their turn, among them the receivers: a
/// socket holds no more than a few hundred unread packets.
const SENT_IN_A_ROW: usize = 32;

/// Simulated devices on loopback sockets. Clones are the same network.
///
/// Devices have a door in common, which stands for the broadcast address: what is said to
/// everyone there is heard by all. Each answers from its own socket, and names the port of that.
#[derive(Clone)]
pub struct Network(Rc<Inner>);

struct Inner {
    population: RefCell<Population>,
    door: Rc<UdpSocket>,
    /// The device with number `n` lives on the socket with number `n` modulo how many there are.
    sockets: Vec<Rc<UdpSocket>>,
    /// Packets that have been on their way for as long as they should, and are to be sent.
    due: Queue<Parcel>,
    /// Its exception is the error by which the network fails.
    failed: LoopFuture<()>,
}

/// A packet to be sent.
struct Parcel {
    from: Rc<UdpSocket>,
    to: SocketAddr,
    bytes: Vec<u8>,
}

impl Network {
    /// A network where each device has a socket of its own, as far as there are file
    /// descriptors; then several devices share one.
    ///
    /// # Errors
    ///
    /// A socket's.
    pub fn of_many_sockets(population: Population) -> Result<Network> {
        let door = bind(0)?;
        let wanted = population.residents().len();
        let mut sockets = Vec::with_capacity(wanted);
        while sockets.len() < wanted {
            match bind(0) {
                Ok(socket) => sockets.push(socket),
                Err(error) if too_many_open(&error) && sockets.len() > SPARE => {
                    sockets.truncate(sockets.len() - SPARE);
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        Network::made(population, door, sockets)
    }

    /// A network where all devices live at `port`.
    ///
    /// # Errors
    ///
    /// The socket's, as where another program has the port.
    pub fn of_one_port(population: Population, port: u16) -> Result<Network> {
        let door = bind(port)
            .map_err(|error| explained(&error, &format!("127.0.0.1:{port} can't be used")))?;
        Network::made(population, door.clone(), vec![door])
    }

    fn made(
        population: Population,
        door: Rc<UdpSocket>,
        sockets: Vec<Rc<UdpSocket>>,
    ) -> Result<Network> {
        let (due, failed) = (Queue::new(0), hp::create_future());
        let population = RefCell::new(population);
        Ok(Network(Rc::new(Inner { population, door, sockets, due, failed })))
    }

    /// The address where all devices hear what is said.
    ///
    /// # Errors
    ///
    /// The socket's.
    pub fn door(&self) -> Result<SocketAddr> {
        self.0.door.local_addr()
    }

    /// Returns the number of sockets that the devices live on.
    #[must_use]
    pub fn sockets(&self) -> usize {
        self.0.sockets.len()
    }

    /// Has the devices answer, until the task that awaits it is cancelled.
    ///
    /// # Errors
    ///
    /// A socket's; the cancellation.
    ///
    /// # Cancellation
    ///
    /// What is on its way is lost.
    pub async fn run(self) -> Result<()> {
        let tasks = hp::TaskHolder::new(&self.0.failed);
        tasks
            .scope(async |tasks| {
                let all = self.0.population.borrow().residents().len();
                tasks.add(self.clone().send());
                tasks.add(self.clone().listen(self.0.door.clone(), 0..all, 1));
                let own = self.0.sockets.iter().filter(|own| !Rc::ptr_eq(own, &self.0.door));
                for (first, socket) in own.enumerate() {
                    let step = self.0.sockets.len();
                    tasks.add(self.clone().listen(socket.clone(), first..all, step));
                }
                (&self.0.failed).await
            })
            .await
    }

    /// Has the residents of `range`, each `step`th of them, hear what comes to `socket`.
    async fn listen(self, socket: Rc<UdpSocket>, range: Range<usize>, step: usize) -> Result<()> {
        let mut bytes = [0; LARGEST];
        loop {
            let heard = match socket.recv_from(&mut bytes).await {
                Ok((len, from)) => self.hear(&bytes[..len], from, range.clone(), step),
                Err(error) => Err(error),
            };
            self.or_fail(heard)?;
        }
    }

    /// Returns `outcome`. If it is an error and no cancellation, `run` fails by it, too.
    fn or_fail<T>(&self, outcome: Result<T>) -> Result<T> {
        if let Err(error) = &outcome {
            if !error.is_cancelled() && !self.0.failed.done() {
                self.0.failed.set_exception(error.clone())?;
            }
        }
        outcome
    }

    fn hear(&self, bytes: &[u8], from: SocketAddr, range: Range<usize>, step: usize) -> Result<()> {
        // Devices pass over packets that they don't understand, as real ones do.
        let Ok(packet) = Packet::decode(bytes) else { return Ok(()) };
        if packet.header.target == Serial::EVERYONE {
            for number in range.step_by(step) {
                self.answer(number, &packet, from)?;
            }
            return Ok(());
        }
        let number = self.0.population.borrow().number(packet.header.target);
        let lives_here =
            |number: &usize| range.contains(number) && number.abs_diff(range.start) % step == 0;
        match number.filter(lives_here) {
            Some(number) => self.answer(number, &packet, from),
            None => Ok(()),
        }
    }

    fn answer(&self, number: usize, packet: &Packet, to: SocketAddr) -> Result<()> {
        let socket = &self.0.sockets[number % self.0.sockets.len()];
        let port = socket.local_addr()?.port();
        let answers = self.0.population.borrow_mut().resident(number).answers(packet, port);
        let on = running_loop()?;
        for (after, answer) in answers {
            let parcel = Parcel { from: socket.clone(), to, bytes: answer.encode() };
            let due = self.0.due.clone();
            on.call_later(after, move || due.put_nowait(parcel))?;
        }
        Ok(())
    }

    /// Sends what is due.
    async fn send(self) -> Result<()> {
        loop {
            for _ in 0..SENT_IN_A_ROW {
                let Parcel { from, to, bytes } = self.0.due.get().await?;
                let sent = from.send_to(&bytes, to).await;
                self.or_fail(sent)?;
            }
            yield_now().await?;
        }
    }
}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Network").field("sockets", &self.sockets()).finish_non_exhaustive()
    }
}

fn bind(port: u16) -> Result<Rc<UdpSocket>> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    Ok(Rc::new(UdpSocket::bind(address)?))
}

fn too_many_open(error: &Error) -> bool {
    let code = error.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error);
    code.is_some_and(|code| TOO_MANY_OPEN.contains(&code))
}
