//! The order in which a transport calls its protocol, and what comes after its end.

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::rc::Rc;
use std::time::Duration;

use callsoon::net::{
    Address, BufferedProtocol, DEFAULT_LIMIT, DatagramOptions, DatagramProtocol, Protocol,
    Transport, open_connection,
};
use callsoon::{
    AnyFuture, Error, ErrorKind, EventLoop, LoopRef, Result, all_tasks, current_task, run_on,
    running_loop, yield_now,
};

use crate::support::log_lines::log_lines_of;

/// Notes its calls. Answers each chunk in a server; closes at `bye`.
struct Noting {
    name: &'static str,
    calls: Rc<RefCell<Vec<String>>>,
    transport: RefCell<Option<Transport>>,
    lost: callsoon::LoopFuture<()>,
}

impl Noting {
    fn note(&self, call: &str) {
        self.calls.borrow_mut().push(format!("{} {call}", self.name));
    }
}

impl Protocol for Noting {
    fn connection_made(&self, transport: &Transport) -> Result<()> {
        self.note("made");
        self.transport.replace(Some(transport.clone()));
        if self.name == "client" {
            transport.write(b"hello")?;
            transport.write_eof()?;
        }
        Ok(())
    }

    fn data_received(&self, data: &[u8]) -> Result<()> {
        self.note(&String::from_utf8_lossy(data));
        if data == b"fail" {
            return Err(Error::new(ErrorKind::Value, "as told"));
        }
        Ok(())
    }

    fn eof_received(&self) -> Result<bool> {
        self.note("eof");
        if self.name == "server" {
            let transport = self.transport.borrow().clone().unwrap();
            transport.write(b"fail")?;
        }
        Ok(false)
    }

    fn connection_lost(&self, error: Option<Error>) -> Result<()> {
        self.note(&format!("lost {:?}", error.map(|error| error.message())));
        self.lost.set_result(())
    }
}

/// The messages that the exception handler is given from now on.
fn reports(on: &LoopRef) -> Rc<RefCell<Vec<String>>> {
    let reports = Rc::new(RefCell::new(Vec::new()));
    let own = reports.clone();
    on.set_exception_handler(Some(Rc::new(move |_, context| {
        own.borrow_mut().push(context.message.clone());
    })));
    reports
}

#[test]
fn protocol_callbacks_come_in_order() {
    run_on(&EventLoop::new(), async {
        let on = running_loop()?;
        let calls = reports(&on);
        let (lost, done) = (on.create_future(), on.create_future());
        let protocol = |name, lost: &callsoon::LoopFuture<()>| Noting {
            name,
            calls: calls.clone(),
            transport: RefCell::default(),
            lost: lost.clone(),
        };
        let (of_server, own) = (protocol("server", &lost), RefCell::new(None));
        own.replace(Some(of_server));
        let factory = move || own.take().expect("one connection");
        let server = on.create_server(factory, Some("127.0.0.1"), 0).await?;
        let port = server.addresses()[0].ip().unwrap().port();
        let client = protocol("client", &done);
        let (transport, client) = on.create_connection(|| client, "127.0.0.1", port).await?;
        assert!(transport.peername().unwrap().ip().unwrap().port() == port);
        lost.await?;
        done.await?;
        assert!(transport.is_closing());
        server.close();
        server.wait_closed().await?;
        drop(client);
        let of = |name: &str| {
            let calls = calls.borrow();
            calls.iter().filter(|call| call.starts_with(name)).cloned().collect::<Vec<_>>()
        };
        let server_calls = ["server made", "server hello", "server eof", "server lost None"];
        assert_eq!(of("server"), server_calls);
        let client_calls = ["client made", "client fail", "client lost Some(\"as told\")"];
        assert_eq!(of("client"), client_calls);
        assert_eq!(of("Fatal"), ["Fatal error: protocol.data_received() call failed."]);
        Ok(())
    })
    .unwrap();
}

/// The lines that `main` logs. It reports nothing to the exception handler.
pub(crate) fn logged_by(main: impl Future<Output = Result<()>> + 'static) -> Vec<String> {
    log_lines_of(|| {
        let event_loop = EventLoop::new();
        event_loop.set_exception_handler(Some(Rc::new(|_, context| panic!("{context:?}"))));
        run_on(&event_loop, main).unwrap();
    })
}

const LOST_WRITE: &str = "WARN: socket.send() raised exception.";

struct Nothing;

impl Protocol for Nothing {}

impl DatagramProtocol for Nothing {}

#[test]
fn writes_after_the_end_are_logged_from_the_fifth_on() {
    let logged = logged_by(async {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let on = running_loop()?;
        let (transport, _) = on.create_connection(|| Nothing, "127.0.0.1", port).await?;
        let mut peer = listener.accept()?.0;
        transport.close();
        for _ in 0..7 {
            transport.write(b"lost")?;
            transport.write(b"")?;
        }
        yield_now().await?;
        assert_eq!(peer.read(&mut [0; 8])?, 0);
        Ok(())
    });
    assert_eq!(logged, [LOST_WRITE; 3]);
}

#[test]
fn datagrams_after_the_end_are_logged_from_the_fifth_on() {
    let logged = logged_by(async {
        let peer = UdpSocket::bind("127.0.0.1:0")?;
        let (address, on) = (peer.local_addr()?, running_loop()?);
        let (remote, options) = (Some(("127.0.0.1", address.port())), DatagramOptions::new());
        let endpoint = on.create_datagram_endpoint(|| Nothing, None, remote, options).await?;
        let transport = endpoint.0;
        transport.sendto(b"to the remote", Some(&Address::Ip(address)))?;
        let other = Address::Ip(([127, 0, 0, 1], 1).into());
        let refused = transport.sendto(b"to another", Some(&other)).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Value);
        transport.abort();
        for _ in 0..7 {
            transport.sendto(b"lost", None)?;
        }
        let mut received = [0; 20];
        let count = peer.recv(&mut received)?;
        assert_eq!(&received[..count], b"to the remote");
        peer.set_nonblocking(true)?;
        assert_eq!(peer.recv(&mut received).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        Ok(())
    });
    assert_eq!(logged, [LOST_WRITE; 3]);
}

struct Pausing;

impl Protocol for Pausing {
    fn connection_made(&self, transport: &Transport) -> Result<()> {
        transport.pause_reading();
        Ok(())
    }
}

/// Nothing keeps it, as the loop doesn't watch it; asyncio's `__del__` takes it from its server too.
#[test]
fn dropped_connection_is_not_waited_for_by_its_server() {
    run_on(&EventLoop::new(), async {
        let on = running_loop()?;
        let server = on.create_server(|| Pausing, Some("127.0.0.1"), 0).await?;
        let port = server.addresses()[0].ip().unwrap().port();
        let mut peer = TcpStream::connect(("127.0.0.1", port))?;
        peer.set_nonblocking(true)?;
        while peer.read(&mut [0]).is_err() {
            yield_now().await?;
        }
        server.close();
        server.wait_closed().await
    })
    .unwrap();
}

/// Fails with each chunk.
struct Failing {
    fails_with: Error,
    lost: callsoon::LoopFuture<Option<Error>>,
}

impl Protocol for Failing {
    fn data_received(&self, _data: &[u8]) -> Result<()> {
        Err(self.fails_with.clone())
    }

    fn connection_lost(&self, error: Option<Error>) -> Result<()> {
        self.lost.set_result(error)
    }
}

/// Python's `TimeoutError` is an `OSError`, of which the exception handler is not told.
#[test]
fn timeout_out_of_a_protocol_is_not_reported() {
    run_on(&EventLoop::new(), async {
        let on = running_loop()?;
        let reports = reports(&on);
        let listener = TcpListener::bind("127.0.0.1:0")?;
        for (kind, reported) in [(ErrorKind::Timeout, 0), (ErrorKind::Io, 0), (ErrorKind::Value, 1)]
        {
            let mut peer = TcpStream::connect(listener.local_addr()?)?;
            let lost = on.create_future();
            let fails_with = Error::new(kind, "as told");
            let protocol = Failing { fails_with: fails_with.clone(), lost: lost.clone() };
            let accepted = listener.accept()?.0;
            let _transport = on.connect_accepted_socket(|| protocol, accepted).await?;
            peer.write_all(b"x")?;
            assert!(lost.await?.is_some_and(|error| error.ptr_eq(&fails_with)));
            assert_eq!(reports.take().len(), reported, "{kind}");
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn factory_of_a_server_that_fails_is_told_in_debug_mode() {
    run_on(&EventLoop::new(), async {
        let on = running_loop()?;
        let reports = reports(&on);
        let factory = || -> Nothing { std::panic::resume_unwind(Box::new("no protocol")) };
        let server = on.create_server(factory, Some("127.0.0.1"), 0).await?;
        let port = server.addresses()[0].ip().unwrap().port();
        for debug in [false, true] {
            on.set_debug(debug);
            let (reader, _writer) = open_connection("127.0.0.1", port, DEFAULT_LIMIT).await?;
            assert_eq!(reader.read_to_end().await?, b"");
            yield_now().await?;
            let expected = "Error on transport creation for incoming connection";
            assert_eq!(*reports.take(), *vec![expected; usize::from(debug)]);
        }
        server.close();
        server.wait_closed().await
    })
    .unwrap();
}

#[test]
fn report_of_a_connection_that_is_not_made_has_its_transport() {
    run_on(&EventLoop::new(), async {
        let on = running_loop()?;
        on.set_debug(true);
        let reports = Rc::new(RefCell::new(Vec::new()));
        let own = reports.clone();
        on.set_exception_handler(Some(Rc::new(move |_, context| {
            let transport = context.transport.clone().unwrap_or_default();
            own.borrow_mut().push((context.message.clone(), transport));
        })));
        let server = on.create_server(|| Nothing, Some("127.0.0.1"), 0).await?;
        let _client = TcpStream::connect(server.addresses()[0].ip().unwrap())?;
        let own = current_task().unwrap();
        let others = || all_tasks().into_iter().filter(|task| task.id() != own.id());
        while others().count() == 0 {
            yield_now().await?;
        }
        yield_now().await?;
        others().for_each(|task| _ = task.cancel());
        while others().count() > 0 {
            yield_now().await?;
        }
        let reports = reports.take();
        assert_eq!(reports.len(), 1, "{reports:?}");
        assert_eq!(reports[0].0, "Error on transport creation for incoming connection");
        assert!(reports[0].1.starts_with("Transport { closing: true, "), "{reports:?}");
        server.close();
        server.wait_closed().await
    })
    .unwrap();
}

#[test]
fn debug_mode_logs_no_life_of_a_connection() {
    let event_loop = EventLoop::new();
    event_loop.set_debug(true);
    event_loop.set_slow_callback_duration(Duration::MAX);
    let logged = log_lines_of(|| {
        run_on(&event_loop, async {
            let on = running_loop()?;
            let server = on.create_server(|| Nothing, Some("127.0.0.1"), 0).await?;
            let port = server.addresses()[0].ip().unwrap().port();
            let (reader, writer) = open_connection("127.0.0.1", port, DEFAULT_LIMIT).await?;
            writer.transport().pause_reading();
            writer.transport().resume_reading()?;
            server.close_clients();
            assert_eq!(reader.read_to_end().await?, b"");
            server.close();
            server.wait_closed().await
        })
        .unwrap();
    });
    assert_eq!(logged, [""; 0]);
}

/// Has another protocol take its place as soon as it is asked for a buffer.
struct Leaving {
    transport: RefCell<Option<Transport>>,
    next: Rc<Noting>,
    updated: callsoon::LoopFuture<Vec<u8>>,
}

impl Protocol for Leaving {
    fn connection_made(&self, transport: &Transport) -> Result<()> {
        self.transport.replace(Some(transport.clone()));
        Ok(())
    }

    fn buffered(&self) -> Option<&dyn BufferedProtocol> {
        Some(self)
    }
}

impl BufferedProtocol for Leaving {
    fn get_buffer(&self) -> Result<Vec<u8>> {
        let transport = self.transport.take().expect("it is asked once");
        transport.set_protocol(self.next.clone());
        Ok(vec![0; 16])
    }

    fn buffer_updated(&self, buffer: Vec<u8>, count: usize) -> Result<()> {
        self.updated.set_result(buffer[..count].to_vec())
    }
}

#[test]
fn buffer_goes_back_to_the_protocol_that_gave_it() {
    run_on(&EventLoop::new(), async {
        let on = running_loop()?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let (calls, lost, updated) = (Rc::default(), on.create_future(), on.create_future());
        let (name, transport) = ("next", RefCell::default());
        let next = Rc::new(Noting { name, calls, transport, lost: lost.clone() });
        let (transport, calls) = (RefCell::default(), next.calls.clone());
        let leaving = Leaving { transport, next, updated: updated.clone() };
        let mut peer = TcpStream::connect(listener.local_addr()?)?;
        let accepted = listener.accept()?.0;
        let _transport = on.connect_accepted_socket(|| leaving, accepted).await?;
        peer.write_all(b"hello")?;
        assert_eq!(updated.await?, b"hello");
        drop(peer);
        lost.await?;
        assert_eq!(*calls.borrow(), ["next eof", "next lost None"]);
        Ok(())
    })
    .unwrap();
}
