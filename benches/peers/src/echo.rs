//! The load on an echo server, and a server on bare epoll, the lower bound for the others.

use std::{
    io::{ErrorKind, Read, Write},
    net::{TcpListener, TcpStream},
    os::fd::{AsFd, OwnedFd},
    thread,
    time::{Duration, Instant},
};

use rustix::{buffer::spare_capacity, event::epoll};

use crate::measure::Figures;

/// A line, for servers that read lines.
const MESSAGE: [u8; 64] = {
    let mut line = [b'7'; 64];
    line[63] = b'\n';
    line
};
const WARM_UP: Duration = Duration::from_millis(300);
/// The key of what isn't a client.
const LISTENER: u64 = u64::MAX;

/// Level-triggered: what is readable is told in each wait until it is read.
struct Epoll {
    epoll: OwnedFd,
    events: Vec<epoll::Event>,
}

impl Epoll {
    fn new() -> Epoll {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
        Epoll { epoll, events: Vec::with_capacity(256) }
    }

    fn add(&self, source: impl AsFd, key: u64) {
        let key = epoll::EventData::new_u64(key);
        epoll::add(&self.epoll, source, key, epoll::EventFlags::IN).unwrap();
    }

    /// The keys of what is readable.
    fn wait(&mut self) -> impl Iterator<Item = u64> {
        self.events.clear();
        epoll::wait(&self.epoll, spare_capacity(&mut self.events), None).unwrap();
        self.events.iter().map(|event| event.data.u64())
    }
}

/// A server may say its port a moment before it listens.
fn connect(port: u16) -> TcpStream {
    for _ in 0..200 {
        if let Ok(stream) = TcpStream::connect(("127.0.0.1", port)) {
            stream.set_nodelay(true).unwrap();
            return stream;
        }
        thread::sleep(Duration::from_millis(5));
    }
    panic!("no server at port {port}");
}

struct Client {
    stream: TcpStream,
    asked: Instant,
    /// The number of bytes read of answers that are not complete.
    got: usize,
}

impl Client {
    /// Sends `count` messages, together.
    fn ask(&mut self, count: usize) {
        self.asked = Instant::now();
        self.stream.write_all(&[MESSAGE; AHEAD].as_flattened()[..count * MESSAGE.len()]).unwrap();
    }

    /// Reads what is there of the answers. Returns the number of those that are complete now.
    fn read(&mut self, buffer: &mut [u8]) -> usize {
        match self.stream.read(buffer) {
            Ok(0) => panic!("the server has closed"),
            Ok(count) => self.got += count,
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
        let complete = self.got / MESSAGE.len();
        self.got -= complete * MESSAGE.len();
        complete
    }
}

/// The most messages that a client has on their way.
pub const AHEAD: usize = 16;

/// `clients`, each with `ahead` messages of 64 bytes on their way, for `seconds` after a warm-up.
pub fn load(port: u16, clients: u64, seconds: u64, ahead: usize) -> Figures {
    let mut epoll = Epoll::new();
    let connected = |key| {
        let stream = connect(port);
        stream.set_nonblocking(true).unwrap();
        epoll.add(&stream, key);
        Client { stream, asked: Instant::now(), got: 0 }
    };
    let mut clients: Vec<_> = (0..clients).map(connected).collect();
    clients.iter_mut().for_each(|client| client.ask(ahead));
    let start = Instant::now() + WARM_UP;
    let end = start + Duration::from_secs(seconds);
    let (mut took, mut requests, mut timed) = (Vec::with_capacity(1 << 20), 0, 0);
    let mut buffer = [0; 1024];
    let mut now = Instant::now();
    while now < end {
        for key in epoll.wait() {
            let client = &mut clients[key as usize];
            let answers = client.read(&mut buffer);
            if answers > 0 {
                now = Instant::now();
                requests += answers;
                if now > start {
                    timed += answers;
                    took.push((now - client.asked).as_nanos() as f64 / 1e3);
                }
                client.ask(answers);
            }
        }
    }
    took.sort_by(f64::total_cmp);
    vec![
        ("requests", requests as f64),
        ("requests/s", timed as f64 / (now - start).as_secs_f64()),
        ("median us", took[took.len() / 2]),
        ("99th centile us", took[took.len() * 99 / 100]),
    ]
}

/// Serves without end.
pub fn bare_server(listener: TcpListener) {
    listener.set_nonblocking(true).unwrap();
    let mut epoll = Epoll::new();
    epoll.add(&listener, LISTENER);
    let mut streams: Vec<Option<TcpStream>> = vec![];
    let mut buffer = [0; 1024];
    loop {
        let mut connected = false;
        for key in epoll.wait() {
            if key == LISTENER {
                connected = true;
            } else {
                // Dropped where the client has gone, epoll's entry with it.
                let stream = &mut streams[key as usize];
                stream.take_if(|stream| !answer(stream, &mut buffer));
            }
        }
        if connected {
            accept(&listener, &epoll, &mut streams);
        }
    }
}

fn accept(listener: &TcpListener, epoll: &Epoll, streams: &mut Vec<Option<TcpStream>>) {
    while let Ok((stream, _)) = listener.accept() {
        stream.set_nodelay(true).unwrap();
        stream.set_nonblocking(true).unwrap();
        epoll.add(&stream, streams.len() as u64);
        streams.push(Some(stream));
    }
}

/// Sends back what has come. False when the client has gone.
fn answer(stream: &mut TcpStream, buffer: &mut [u8]) -> bool {
    match stream.read(buffer) {
        Ok(0) => false,
        Ok(count) => stream.write_all(&buffer[..count]).is_ok(),
        Err(error) => error.kind() == ErrorKind::WouldBlock,
    }
}
