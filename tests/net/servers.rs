//! The scripts of `servers.txt` have the outcomes that `servers_oracle.py` left with CPython's servers.
//! `tests/net/goldens` makes them anew.

use std::any::Any;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::ErrorKind::ConnectionRefused;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::rc::Rc;

use callsoon::io::Family;
use callsoon::net::{
    Address, DEFAULT_LIMIT, Protocol, ServeAt, ServeAtPath, Server, ServerOptions, StreamReader,
    StreamWriter, Transport, start_server_with, start_unix_server_with,
};
use callsoon::{
    Error, ErrorKind, EventLoop, Result, Task, create_task, run_on, running_loop, yield_now,
};
use rustix::event::{PollFd, PollFlags};
use rustix::net::{self, AddressFamily, SocketFlags, SocketType, sockopt};

use crate::scripts::compare;

const SCRIPTS: &str = include_str!("servers.txt");
const GOLDEN: &str = include_str!("servers_golden.txt");

// CPython: test_server.BaseStartServer.test_start_server_1
// CPython: test_server.SelectorStartServerTests.test_start_unix_server_1
// CPython: test_server.UnixServerCleanupTests.test_unix_server_sock_cleanup
// CPython: test_server.UnixServerCleanupTests.test_unix_server_cleanup_prevented
#[test]
fn servers_do_as_those_of_cpython() {
    let mut trace = Vec::new();
    for (number, script) in SCRIPTS.trim().split("\n\n").enumerate() {
        let mut lines = script.lines();
        let head = lines.next().unwrap();
        trace.push(head.to_owned());
        let world = Rc::new(World::new(number, head.ends_with("streams")));
        let lines: Vec<&str> = lines.collect();
        trace.extend(
            run_on(&EventLoop::new(), async move { world.run(&lines).await }).expect("a trace"),
        );
    }
    let golden: Vec<&str> = GOLDEN.lines().collect();
    compare(&trace, &golden);
}

/// The calls of protocols, and the ends of connections, which are open until they are dropped.
#[derive(Default)]
struct Clients {
    calls: RefCell<Vec<&'static str>>,
    kept: RefCell<Vec<Box<dyn Any>>>,
}

impl Clients {
    fn made(&self, kept: impl Any) {
        self.calls.borrow_mut().push("made");
        self.kept.borrow_mut().push(Box::new(kept));
    }
}

struct Noting(Rc<Clients>);

impl Protocol for Noting {
    fn connection_made(&self, transport: &Transport) -> Result<()> {
        self.0.made(ClosedAtDrop(transport.clone()));
        Ok(())
    }
}

struct ClosedAtDrop(Transport);

impl Drop for ClosedAtDrop {
    fn drop(&mut self) {
        self.0.close();
    }
}

struct World {
    of_streams: bool,
    folder: PathBuf,
    clients: Rc<Clients>,
    servers: RefCell<BTreeMap<String, Server>>,
    forever: RefCell<BTreeMap<String, Task<()>>>,
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl World {
    fn new(number: usize, of_streams: bool) -> World {
        let name = format!("callsoon-servers-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir(&folder).unwrap();
        let (clients, servers, forever) = Default::default();
        World { of_streams, folder, clients, servers, forever }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    async fn run(&self, lines: &[&str]) -> Result<Vec<String>> {
        let mut trace = Vec::new();
        for line in lines {
            if let Some(count) = line.strip_prefix("turns ") {
                let mut calls = Vec::new();
                for _ in 0..count.parse::<u32>().unwrap() {
                    yield_now().await?;
                    calls.push(self.calls());
                }
                trace.push(format!("{line} -> {}", calls.join(", ")));
                continue;
            }
            let (name, words) = line.split_once(' ').unwrap();
            let words: Vec<&str> = words.split(' ').collect();
            let outcome = match self.step(name, &words).await {
                Ok(outcome) => outcome,
                Err(error) => failed(&error, &self.path(name)),
            };
            trace.push(format!("{line} -> {outcome} | {}", self.calls()));
        }
        for server in self.servers.take().into_values() {
            server.close();
        }
        drop(self.clients.kept.take());
        Ok(trace)
    }

    fn calls(&self) -> String {
        let calls = self.clients.calls.take();
        if calls.is_empty() { "-".to_owned() } else { calls.join("; ") }
    }

    async fn step(&self, name: &str, words: &[&str]) -> Result<String> {
        let done = |()| "ok".to_owned();
        match *words {
            ["serve", ref rest @ ..] => {
                let end = rest.iter().position(|word| *word == "/").unwrap_or(rest.len());
                let options = self.options(rest.get(end + 1..).unwrap_or_default());
                let server = self.serve(name, &rest[..end], options).await?;
                self.servers.borrow_mut().insert(name.to_owned(), server);
                return Ok(done(()));
            }
            ["left", "file"] => return Ok(File::create(self.path(name)).map(drop).map(done)?),
            ["left", _] => return Ok(UnixListener::bind(self.path(name)).map(drop).map(done)?),
            ["hang_up"] => return did(|| drop(self.clients.kept.take())),
            ["exists"] => return Ok(self.path(name).exists().to_string()),
            _ => {}
        }
        let server = self.servers.borrow()[name].clone();
        match *words {
            ["serving"] => Ok(server.is_serving().to_string()),
            ["sockets"] => Ok(hosts(&server)),
            ["start"] => server.start_serving().await.map(done),
            ["close"] => did(|| server.close()),
            ["closed"] => server.wait_closed().await.map(done),
            ["connect", count] => self.connect(&server, count.parse().unwrap()).map(done),
            ["waiting", count] => Ok(self.waiting(&server, count.parse().unwrap())),
            ["forever"] => {
                let task = create_task(async move { server.serve_forever().await });
                self.forever.borrow_mut().insert(name.to_owned(), task);
                Ok(done(()))
            }
            ["ended"] => Ok(match self.forever.borrow()[name].exception() {
                Err(error) if error.is_cancelled() => "cancelled".to_owned(),
                Err(_) => "pending".to_owned(),
                Ok(error) => failed(&error.expect("it ends with an error"), Path::new("")),
            }),
            ["option", option] => {
                let socket = &server.sockets()[0];
                let is_set = match option {
                    "reuse_address" => sockopt::socket_reuseaddr(socket),
                    "reuse_port" => sockopt::socket_reuseport(socket),
                    _ => sockopt::socket_keepalive(socket),
                };
                Ok(is_set.unwrap().to_string())
            }
            _ => panic!("no such step: {words:?}"),
        }
    }

    /// The options of a line, with the port.
    fn options(&self, words: &[&str]) -> (u16, ServerOptions) {
        let (mut port, mut options) = (0, ServerOptions::new());
        for word in words {
            let (key, value) = word.split_once('=').unwrap();
            options = match key {
                "backlog" => options.backlog(value.parse().unwrap()),
                "start_serving" => options.start_serving(value == "1"),
                "reuse_address" => options.reuse_address(value == "1"),
                "reuse_port" => options.reuse_port(value == "1"),
                "keep_alive" => options.keep_alive(value == "1"),
                "cleanup_socket" => options.cleanup_socket(value == "1"),
                "family" => options.family(if value == "4" { Family::V4 } else { Family::V6 }),
                _ => {
                    port = self.servers.borrow()[value].addresses()[0].ip().unwrap().port();
                    options
                }
            };
        }
        (port, options)
    }

    async fn serve(
        &self,
        name: &str,
        at: &[&str],
        (port, options): (u16, ServerOptions),
    ) -> Result<Server> {
        let options = &options;
        match *at {
            ["host", host] => self.start((host, port), options).await,
            ["all"] => self.start((None, port), options).await,
            ["empty"] => self.start(("", port), options).await,
            ["hosts"] => self.start((Vec::<String>::new(), port), options).await,
            ["hosts", hosts] if hosts.starts_with("none") => {
                let hosts: Vec<_> = hosts
                    .split(',')
                    .map(|host| Some(host).filter(|host| *host != "none"))
                    .collect();
                self.start((&hosts[..], port), options).await
            }
            ["hosts", hosts] => {
                let hosts: Vec<_> = hosts.split(',').collect();
                self.start((&hosts[..], port), options).await
            }
            ["path"] => self.start_unix(&self.path(name), options).await,
            ["sock", "unix_listening"] => {
                self.start(UnixListener::from(self.given(name, "unix_listening")), options).await
            }
            ["sock", kind] => self.start(TcpListener::from(self.given(name, kind)), options).await,
            [_, kind] => self.start_unix(UnixListener::from(self.given(name, kind)), options).await,
            _ => panic!("no such place: {at:?}"),
        }
    }

    /// A socket that is made elsewhere.
    fn given(&self, name: &str, kind: &str) -> OwnedFd {
        let own = SocketAddr::from(([127, 0, 0, 1], 0));
        let bound = |family, of| net::socket(family, of, None).unwrap();
        match kind {
            "listening" => TcpListener::bind(own).unwrap().into(),
            "unix_listening" => UnixListener::bind(self.path(name)).unwrap().into(),
            "unix_datagrams" => UnixDatagram::bind(self.path(name)).unwrap().into(),
            "datagrams" => std::net::UdpSocket::bind(own).unwrap().into(),
            "unix" => {
                let socket = bound(AddressFamily::UNIX, SocketType::STREAM);
                let path = net::SocketAddrUnix::new(self.path(name)).unwrap();
                net::bind(&socket, &path).unwrap();
                socket
            }
            _ => {
                let socket = bound(AddressFamily::INET, SocketType::STREAM);
                net::bind(&socket, &own).unwrap();
                socket
            }
        }
    }

    async fn start(&self, at: impl ServeAt, options: &ServerOptions) -> Result<Server> {
        let clients = self.clients.clone();
        if self.of_streams {
            return start_server_with(streams(clients), at, DEFAULT_LIMIT, options).await;
        }
        let factory = move || Noting(clients.clone());
        running_loop()?.create_server_with(factory, at, options).await
    }

    async fn start_unix(&self, at: impl ServeAtPath, options: &ServerOptions) -> Result<Server> {
        let clients = self.clients.clone();
        if self.of_streams {
            return start_unix_server_with(streams(clients), at, DEFAULT_LIMIT, options).await;
        }
        let factory = move || Noting(clients.clone());
        running_loop()?.create_unix_server_with(factory, at, options).await
    }

    fn connect(&self, server: &Server, count: usize) -> Result<()> {
        for (address, socket) in server.addresses().iter().zip(server.sockets()) {
            for _ in 0..count {
                let client: Box<dyn Any> = match address {
                    Address::Ip(address) => Box::new(TcpStream::connect(address)?),
                    Address::Unix(address) => Box::new(UnixStream::connect_addr(address)?),
                    _ => panic!("no such address: {address:?}"),
                };
                self.clients.kept.borrow_mut().push(client);
                // The last packet of a handshake may come later than `connect` returns.
                let mut waiting = [PollFd::new(&socket, PollFlags::IN)];
                rustix::event::poll(&mut waiting, None).expect("a connection");
            }
        }
        Ok(())
    }

    /// Returns how many of `count` connections find room, while none is accepted.
    fn waiting(&self, server: &Server, count: usize) -> String {
        let Address::Unix(address) = &server.addresses()[0] else { panic!("no path") };
        let path = net::SocketAddrUnix::new(address.as_pathname().unwrap()).unwrap();
        let connects = |_: &usize| {
            let flags = SocketFlags::NONBLOCK;
            let of = (AddressFamily::UNIX, SocketType::STREAM);
            let client = net::socket_with(of.0, of.1, flags, None).unwrap();
            let connected = net::connect(&client, &path).is_ok();
            self.clients.kept.borrow_mut().push(Box::new(client));
            connected
        };
        (0..count).filter(connects).count().to_string()
    }
}

/// Keeps the streams of each client.
fn streams(
    clients: Rc<Clients>,
) -> impl Fn(StreamReader, StreamWriter) -> Pin<Box<dyn Future<Output = Result<()>>>> {
    move |reader, writer| {
        let clients = clients.clone();
        Box::pin(async move {
            clients.made((reader, writer));
            Ok(())
        })
    }
}

fn did(action: impl FnOnce()) -> Result<String> {
    action();
    Ok("ok".to_owned())
}

fn hosts(server: &Server) -> String {
    let addresses = server.addresses();
    let mut hosts: Vec<_> =
        addresses.iter().map(|address| address.ip().unwrap().ip().to_string()).collect();
    hosts.sort();
    if hosts.is_empty() { "none".to_owned() } else { hosts.join(" ") }
}

/// An error by its name and its text, as far as that is asyncio's.
fn failed(error: &Error, path: &Path) -> String {
    let text = error.message();
    let is_refused = error.io_error().is_some_and(|error| error.kind() == ConnectionRefused);
    if is_refused {
        return "ConnectionRefusedError Connection refused".to_owned();
    }
    match error.kind() {
        ErrorKind::Io if text.starts_with("can't look up") => return "OSError".to_owned(),
        ErrorKind::Runtime => return "RuntimeError".to_owned(),
        _ => {}
    }
    let text = text.split(", got ").next().unwrap();
    let text = text.replace(&format!("{path:?}"), "PATH");
    let is_of_the_system = |text: &str| text.contains("os error");
    let text = match text.rsplit_once(": ").filter(|(_, why)| is_of_the_system(why)) {
        Some((text, _)) => text,
        None => &text,
    };
    let text = match text.rsplit_once(':').filter(|(_, port)| port.len() > 1 && is_number(port)) {
        Some((text, _)) => format!("{text}:PORT"),
        None => text.to_owned(),
    };
    format!("{} {text}", error.kind().name())
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|digit| digit.is_ascii_digit())
}
