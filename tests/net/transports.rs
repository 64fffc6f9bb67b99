//! The scripts of `transports.txt` leave the calls, turn by turn, that `transports_oracle.py` left on
//! CPython's transports. `tests/net/goldens` makes them anew.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::os::unix::net::UnixStream;
use std::rc::Rc;

use callsoon::net::{
    Address, BufferedProtocol, DatagramOptions, DatagramProtocol, DatagramTransport, Protocol,
    Transport,
};
use callsoon::{Error, ErrorKind, EventLoop, LoopRef, Result, run_on, running_loop, yield_now};

use crate::scripts::{compare, data, shown_bytes};

const SCRIPTS: &str = include_str!("transports.txt");
const GOLDEN: &str = include_str!("transports_golden.txt");

// CPython: test_transports.TransportTests.test_flowcontrol_mixin_set_write_limits
#[test]
fn transports_make_the_calls_of_cpython() {
    let mut trace = Vec::new();
    for (number, script) in SCRIPTS.trim().split("\n\n").enumerate() {
        let mut lines = script.lines();
        let head = lines.next().unwrap();
        trace.push(head.to_owned());
        let kind = head.split(' ').nth(2).unwrap();
        let lines: Vec<&str> = lines.collect();
        let done = run_on(&EventLoop::new(), async move { run(number, kind, &lines).await });
        trace.extend(done.unwrap());
    }
    let golden: Vec<&str> = GOLDEN.lines().collect();
    compare(&trace, &golden);
}

#[derive(Default)]
struct Log {
    calls: RefCell<Vec<String>>,
    ends: RefCell<BTreeMap<&'static str, Rc<End>>>,
}

impl Log {
    fn take(&self) -> Vec<String> {
        self.calls.take()
    }
}

fn joined(calls: &[String]) -> String {
    if calls.is_empty() { "-".to_owned() } else { calls.join("; ") }
}

/// One end of a connection, with its transport.
struct End {
    name: &'static str,
    log: Rc<Log>,
    is_buffered: bool,
    keep: Cell<bool>,
    transport: RefCell<Option<Transport>>,
    datagrams: RefCell<Option<DatagramTransport>>,
    last: RefCell<Option<Address>>,
}

/// The protocol of an end, which the log keeps.
struct Proto(Rc<End>);

impl Proto {
    fn new(name: &'static str, log: &Rc<Log>, is_buffered: bool) -> Proto {
        let (log, keep) = (log.clone(), Cell::new(false));
        let (transport, datagrams, last) = Default::default();
        Proto(Rc::new(End { name, log, is_buffered, keep, transport, datagrams, last }))
    }

    fn made(&self) {
        let name = self.0.name;
        self.0.log.ends.borrow_mut().insert(name, self.0.clone());
        self.0.note("made");
    }
}

impl End {
    fn note(&self, call: &str) {
        self.log.calls.borrow_mut().push(format!("{} {call}", self.name));
    }

    fn received(&self, what: &str, data: &[u8]) -> Result<()> {
        self.note(&format!("{what} {}", shown_bytes(data)));
        if data.starts_with(b"fail") {
            return Err(Error::new(ErrorKind::Value, "as told"));
        }
        if let Some(kind) = data.strip_prefix(b">") {
            self.switch("next", std::str::from_utf8(kind).unwrap());
        }
        Ok(())
    }

    /// Has the transport call another protocol: a plain, a buffered or a datagram one, the first letter of
    /// `kind`, which stays open at the end of data if a `k` follows.
    fn switch(&self, name: &'static str, kind: &str) {
        let next = Proto::new(name, &self.log, kind.starts_with('b'));
        next.0.keep.set(kind.ends_with('k'));
        next.0.transport.replace(self.transport.borrow().clone());
        next.0.datagrams.replace(self.datagrams.borrow().clone());
        match &*self.datagrams.borrow() {
            Some(datagrams) => datagrams.set_protocol(Rc::new(next)),
            None => self.transport.borrow().as_ref().unwrap().set_protocol(Rc::new(next)),
        }
    }
}

impl Protocol for Proto {
    fn connection_made(&self, transport: &Transport) -> Result<()> {
        self.0.transport.replace(Some(transport.clone()));
        self.made();
        Ok(())
    }

    fn data_received(&self, data: &[u8]) -> Result<()> {
        self.0.received("data", data)
    }

    fn buffered(&self) -> Option<&dyn BufferedProtocol> {
        self.0.is_buffered.then_some(self)
    }

    fn eof_received(&self) -> Result<bool> {
        self.0.note("eof");
        Ok(self.0.keep.get())
    }

    fn connection_lost(&self, error: Option<Error>) -> Result<()> {
        self.0.note(&format!("lost {}", error_name(error.as_ref())));
        Ok(())
    }

    fn pause_writing(&self) -> Result<()> {
        self.0.note("pause");
        Ok(())
    }

    fn resume_writing(&self) -> Result<()> {
        self.0.note("resume");
        Ok(())
    }
}

impl BufferedProtocol for Proto {
    fn get_buffer(&self) -> Result<Vec<u8>> {
        self.0.note("get_buffer");
        Ok(vec![0; 4])
    }

    fn buffer_updated(&self, buffer: Vec<u8>, count: usize) -> Result<()> {
        self.0.received("updated", &buffer[..count])
    }
}

impl DatagramProtocol for Proto {
    fn connection_made(&self, transport: &DatagramTransport) -> Result<()> {
        self.0.datagrams.replace(Some(transport.clone()));
        self.made();
        Ok(())
    }

    fn datagram_received(&self, data: &[u8], from: &Address) -> Result<()> {
        self.0.last.replace(Some(from.clone()));
        self.0.received("datagram", data)
    }

    fn error_received(&self, error: Error) -> Result<()> {
        self.0.note(&format!("error {}", error_name(Some(&error))));
        Ok(())
    }

    fn pause_writing(&self) -> Result<()> {
        self.0.note("pause");
        Ok(())
    }

    fn connection_lost(&self, error: Option<Error>) -> Result<()> {
        self.0.note(&format!("lost {}", error_name(error.as_ref())));
        Ok(())
    }
}

fn error_name(error: Option<&Error>) -> &'static str {
    use std::io::ErrorKind as Kind;
    let Some(error) = error else { return "none" };
    match (error.kind(), error.io_error().map(std::io::Error::kind)) {
        (ErrorKind::Value, _) => "ValueError",
        (_, Some(Kind::BrokenPipe)) => "BrokenPipeError",
        (_, Some(Kind::ConnectionReset)) => "ConnectionResetError",
        (_, Some(Kind::ConnectionRefused)) => "ConnectionRefusedError",
        (kind, _) => kind.name(),
    }
}

async fn make(number: usize, kind: &str, on: &LoopRef, log: &Rc<Log>) -> Result<()> {
    match kind {
        "pipe" | "pair" => {
            let (reading, writing) = if kind == "pipe" {
                rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap()
            } else {
                let (one, other) = UnixStream::pair()?;
                (one.into(), other.into())
            };
            on.connect_read_pipe(|| Proto::new("r", log, false), reading).await?;
            on.connect_write_pipe(|| Proto::new("w", log, false), writing).await?;
        }
        "unix" | "buffered" => {
            let name = format!("callsoon-transports-{}-{number}", std::process::id());
            let path = std::env::temp_dir().join(name);
            let (of_server, is_buffered) = (log.clone(), kind == "buffered");
            let factory = move || Proto::new("s", &of_server, is_buffered);
            let server = on.create_unix_server(factory, &path).await?;
            on.create_unix_connection(|| Proto::new("c", log, false), &path).await?;
            while !log.ends.borrow().contains_key("s") {
                yield_now().await?;
            }
            server.close();
        }
        _ => {
            let options = DatagramOptions::new();
            let local = Some(("127.0.0.1", 0));
            let bound = || Proto::new("a", log, false);
            let (bound, _) = on.create_datagram_endpoint(bound, local, None, options).await?;
            let port = bound.sockname().unwrap().ip().unwrap().port();
            let remote = Some(("127.0.0.1", port));
            let other = || Proto::new("b", log, false);
            on.create_datagram_endpoint(other, None, remote, options).await?;
        }
    }
    Ok(())
}

async fn run(number: usize, kind: &str, lines: &[&'static str]) -> Result<Vec<String>> {
    let (on, log) = (running_loop()?, Rc::new(Log::default()));
    let reports = log.clone();
    on.set_exception_handler(Some(Rc::new(move |_, context| {
        let message = match context.message.starts_with("Exception in callback") {
            true => "Exception in callback",
            false => &context.message,
        };
        let error = error_name(context.exception.as_ref());
        reports.calls.borrow_mut().push(format!("! {message}: {error}"));
    })));
    make(number, kind, &on, &log).await?;
    let mut made = log.take();
    made.sort();
    let mut trace = vec![format!("made -> {}", joined(&made))];
    for line in lines {
        let words: Vec<&'static str> = line.split(' ').collect();
        if words == ["turn"] {
            yield_now().await?;
            trace.push(format!("turn -> {}", joined(&log.take())));
            continue;
        }
        let end = log.ends.borrow()[words[0]].clone();
        let outcome = match step(&end, &words[1..]) {
            Ok(outcome) => outcome,
            Err(error) => error_name(Some(&error)).to_owned(),
        };
        trace.push(format!("{line} -> {outcome} | {}", joined(&log.take())));
    }
    for end in log.ends.take().into_values() {
        end.transport.take().inspect(Transport::close);
        end.datagrams.take().inspect(DatagramTransport::close);
    }
    for _ in 0..3 {
        yield_now().await?;
    }
    Ok(trace)
}

fn step(end: &End, words: &[&'static str]) -> Result<String> {
    let done = |()| "ok".to_owned();
    let none = || Ok("none".to_owned());
    if let ["switch", name, kind] = *words {
        return did(|| end.switch(name, kind));
    }
    let number = |text: &str| Some(text.parse::<usize>().unwrap());
    if let Some(datagrams) = end.datagrams.borrow().clone() {
        return match *words {
            ["send", text] => datagrams.sendto(&data(text), None).map(done),
            ["reply", text] => datagrams.sendto(&data(text), end.last.borrow().as_ref()).map(done),
            ["send_elsewhere", text] => {
                let elsewhere = Address::Ip(([127, 0, 0, 1], 9).into());
                datagrams.sendto(&data(text), Some(&elsewhere)).map(done)
            }
            ["close"] => did(|| datagrams.close()),
            ["abort"] => did(|| datagrams.abort()),
            ["is_closing"] => Ok(datagrams.is_closing().to_string()),
            ["protocol"] => {
                let own = datagrams.get_protocol();
                own.map_or_else(none, |own| own.pause_writing().map(done))
            }
            _ => panic!("no such step: {words:?}"),
        };
    }
    let transport = end.transport.borrow().clone().expect("it is made");
    match *words {
        ["write", text] => transport.write(&data(text)).map(done),
        ["eof"] => transport.write_eof().map(done),
        ["close"] => did(|| transport.close()),
        ["abort"] => did(|| transport.abort()),
        ["pause"] => did(|| transport.pause_reading()),
        ["resume"] => transport.resume_reading().map(done),
        ["is_closing"] => Ok(transport.is_closing().to_string()),
        ["is_reading"] => Ok(transport.is_reading().to_string()),
        ["buffered"] => Ok(transport.write_buffer_size().to_string()),
        ["limits", high, low] => {
            transport.set_write_buffer_limits(number(high), number(low)).map(done)
        }
        ["keep"] => did(|| end.keep.set(true)),
        ["protocol"] => {
            let own = transport.get_protocol();
            own.map_or_else(none, |own| own.pause_writing().map(done))
        }
        _ => panic!("no such step: {words:?}"),
    }
}

fn did(action: impl FnOnce()) -> Result<String> {
    action();
    Ok("ok".to_owned())
}
