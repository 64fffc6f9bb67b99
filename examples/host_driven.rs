//! An event loop of another crate drives callsoon's: it waits in one place for its own socket, for
//! the tasks' timers and for other threads, and gives each its turn.
//!
//!     cargo run --example host_driven
//!
//! The other loop is mio's. What its UDP socket brings is answered by tasks, which take their time.

use std::cell::RefCell;
use std::io::ErrorKind;
use std::net::{self, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use callsoon::{EventLoop, Host, Notify, Result, sleep, to_thread};
use mio::{Events, Interest, Poll, Token, Waker, net::UdpSocket};

const SOCKET: Token = Token(0);
const BELL: Token = Token(1);

/// The other loop as the host of callsoon's. Where nothing is ready callsoon's loop waits here, and
/// no longer than until its next timer.
struct Outer {
    start: Instant,
    poll: RefCell<Poll>,
    events: RefCell<Events>,
    bell: Arc<Bell>,
}

impl Host for Outer {
    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn wait(&self, timeout: Option<Duration>) -> Result<()> {
        Ok(self.poll.borrow_mut().poll(&mut self.events.borrow_mut(), timeout)?)
    }

    fn notifier(&self) -> Arc<dyn Notify> {
        self.bell.clone()
    }
}

/// By which other threads end a wait.
struct Bell(Waker);

impl Notify for Bell {
    fn notify(&self) {
        self.0.wake().expect("the bell rings");
    }
}

/// Sends `text` back, a moment later and in capitals.
async fn answer(socket: Rc<UdpSocket>, mut text: Vec<u8>, to: SocketAddr) -> Result<()> {
    sleep(Duration::from_millis(10)).await?;
    text.make_ascii_uppercase();
    Ok(socket.send_to(&text, to).map(drop)?)
}

/// Asks from another thread, and prints the answer.
fn ask(server: SocketAddr) -> Result<()> {
    let socket = net::UdpSocket::bind("127.0.0.1:0")?;
    for word in ["red", "green", "blue"] {
        socket.send_to(word.as_bytes(), server)?;
        let mut heard = [0; 64];
        let count = socket.recv(&mut heard)?;
        println!("{word}: {}", String::from_utf8_lossy(&heard[..count]));
    }
    Ok(())
}

fn main() -> Result<()> {
    let poll = Poll::new()?;
    let mut socket = UdpSocket::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    poll.registry().register(&mut socket, SOCKET, Interest::READABLE)?;
    let bell = Arc::new(Bell(Waker::new(poll.registry(), BELL)?));
    let events = Events::with_capacity(16).into();
    let outer = Outer { start: Instant::now(), poll: poll.into(), events, bell };
    let (event_loop, socket) = (EventLoop::with_host(outer), Rc::new(socket));

    let server = socket.local_addr()?;
    let asked = event_loop.create_task(to_thread(move || ask(server)))?;
    let mut bytes = [0; 64];
    while !asked.done() {
        event_loop.run_once(None)?;
        loop {
            match socket.recv_from(&mut bytes) {
                Ok((count, from)) => {
                    let text = bytes[..count].to_vec();
                    event_loop.create_task(answer(socket.clone(), text, from))?;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                // An answer of before has met a closed port: others ask still.
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    asked.result()
}
