//! Transports that are written to amid their end are dropped by the loop.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::{env, fs, process};

use callsoon::net::{
    Address, DEFAULT_LIMIT, DatagramProtocol, Protocol, Transport, start_unix_server,
};
use callsoon::{Error, EventLoop, Result, run_on, running_loop, yield_now};
use rustix::pipe::{PipeFlags, pipe_with};

use crate::protocols::logged_by;

/// More than a pipe takes, and than the high-water mark.
static MUCH: [u8; 300_000] = [0; 300_000];

struct Nothing;

impl Protocol for Nothing {}

#[derive(Default)]
struct WritesAtResume {
    transport: RefCell<Option<Transport>>,
    lost: Cell<bool>,
}

impl Protocol for WritesAtResume {
    fn connection_made(&self, transport: &Transport) -> Result<()> {
        self.transport.replace(Some(transport.clone()));
        Ok(())
    }

    fn resume_writing(&self) -> Result<()> {
        if let Some(transport) = self.transport.take() {
            transport.write(&MUCH)?;
            transport.close();
        }
        Ok(())
    }

    fn connection_lost(&self, _error: Option<Error>) -> Result<()> {
        self.lost.set(true);
        Ok(())
    }
}

/// asyncio loses the second write too: it closes the pipe as soon as the buffer was empty once.
#[test]
fn write_pipe_that_is_written_and_closed_at_resume_ends() {
    let body = async {
        let (reading, writing) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).unwrap();
        let on = running_loop()?;
        let (transport, protocol) = on.connect_write_pipe(WritesAtResume::default, writing).await?;
        transport.write(&MUCH)?;
        drop(transport);
        let (mut reading, mut buffer) = (File::from(reading), vec![0; 65_536]);
        let mut read = move || match reading.read(&mut buffer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            count => Some(count.unwrap()),
        };
        while !protocol.lost.get() {
            read();
            yield_now().await?;
        }
        while read().expect("the writing end is closed") > 0 {}
        Ok(())
    };
    run_on(&EventLoop::with_virtual_time(), body).unwrap();
}

type Act = fn(&Transport);

/// Ends its transport when the buffer is empty, and counts its ends.
struct EndsAtResume {
    transport: RefCell<Option<Transport>>,
    end: Act,
    lost: Cell<usize>,
}

impl Protocol for EndsAtResume {
    fn connection_made(&self, transport: &Transport) -> Result<()> {
        transport.set_write_buffer_limits(Some(0), None)?;
        self.transport.replace(Some(transport.clone()));
        Ok(())
    }

    fn resume_writing(&self) -> Result<()> {
        self.transport.borrow().as_ref().map(self.end);
        Ok(())
    }

    fn connection_lost(&self, _error: Option<Error>) -> Result<()> {
        self.lost.set(self.lost.get() + 1);
        Ok(())
    }
}

/// CPython loses it a second time, or fails at the write, where the end came with the last byte.
#[test]
fn connection_that_ends_with_its_last_byte_is_lost_once() {
    let nothing: Act = |_| {};
    for (before, at_resume) in [
        (Transport::close as Act, nothing),
        (nothing, Transport::close as Act),
        (nothing, Transport::abort as Act),
    ] {
        let logged = logged_by(async move {
            let (own, mut peer) = UnixStream::pair()?;
            peer.set_nonblocking(true)?;
            let protocol = move || EndsAtResume {
                transport: RefCell::default(),
                end: at_resume,
                lost: Cell::new(0),
            };
            let on = running_loop()?;
            let (transport, protocol) = on.connect_accepted_unix_socket(protocol, own).await?;
            transport.write(&MUCH)?;
            before(&transport);
            let mut received = Vec::new();
            while protocol.lost.get() == 0 {
                let _ = peer.read_to_end(&mut received);
                yield_now().await?;
            }
            transport.write(b"dropped")?;
            yield_now().await?;
            peer.read_to_end(&mut received)?;
            assert_eq!((protocol.lost.get(), received.len()), (1, MUCH.len()));
            Ok(())
        });
        assert_eq!(logged, [""; 0]);
    }
}

#[derive(Default)]
struct WritesAtItsEnd(RefCell<Option<Transport>>);

impl Protocol for WritesAtItsEnd {
    fn connection_made(&self, transport: &Transport) -> Result<()> {
        self.0.replace(Some(transport.clone()));
        Ok(())
    }

    fn connection_lost(&self, _error: Option<Error>) -> Result<()> {
        let transport = self.0.take();
        transport.map_or(Ok(()), |transport| transport.write(&MUCH))
    }
}

#[test]
fn connection_that_is_written_amid_its_end_is_closed() {
    let path = env::temp_dir().join(format!("callsoon-end-{}", process::id()));
    let listener = UnixListener::bind(&path).unwrap();
    let to = path.clone();
    let body = async move {
        let on = running_loop()?;
        let (transport, protocol) = on.create_unix_connection(WritesAtItsEnd::default, to).await?;
        let (mut peer, _) = listener.accept()?;
        peer.set_nonblocking(true)?;
        transport.write(&MUCH)?;
        transport.close();
        drop(transport);
        let (mut buffer, mut turns_after) = (vec![0; 65_536], 0);
        while turns_after < 10 {
            match peer.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
            turns_after += usize::from(protocol.0.borrow().is_none());
            yield_now().await?;
        }
        panic!("the socket is open still");
    };
    let outcome = run_on(&EventLoop::with_virtual_time(), body);
    fs::remove_file(&path).unwrap();
    outcome.unwrap();
}

#[derive(Default)]
struct Lost(Cell<bool>);

impl DatagramProtocol for Lost {
    fn connection_lost(&self, _error: Option<Error>) -> Result<()> {
        self.0.set(true);
        Ok(())
    }
}

#[test]
fn datagram_endpoint_closed_and_sent_to_in_one_turn_ends() {
    let folder = env::temp_dir().join(format!("callsoon-closing-{}", process::id()));
    fs::create_dir_all(&folder).unwrap();
    let (own, peer) = (folder.join("own"), folder.join("peer"));
    let receiver = UnixDatagram::bind(&peer).unwrap();
    let other = UnixDatagram::unbound().unwrap();
    other.set_nonblocking(true).unwrap();
    while other.send_to(b"full", &peer).is_ok() {}
    let (local, target) = (own.clone(), receiver.local_addr().unwrap());
    let body = async move {
        let on = running_loop()?;
        let endpoint = on.create_unix_datagram_endpoint(Lost::default, Some(&local), None).await?;
        let (transport, protocol) = endpoint;
        transport.close();
        transport.sendto(b"late", Some(&Address::Unix(target.clone())))?;
        while !protocol.0.get() {
            yield_now().await?;
        }
        transport.sendto(b"dropped", Some(&Address::Unix(target)))?;
        let refused = other.send_to(b"to a closed socket", &local).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        Ok(())
    };
    let outcome = run_on(&EventLoop::with_virtual_time(), body);
    fs::remove_dir_all(&folder).unwrap();
    outcome.unwrap();
}

/// CPython fails with an assertion, and closes the connection when it is collected.
#[test]
fn server_drops_what_it_accepted_before_its_close() {
    let body = async {
        let path = env::temp_dir().join(format!("callsoon-accepted-{}", process::id()));
        let connected = |_, _| async { unreachable!("the server is closed") };
        let server = start_unix_server(connected, &path, DEFAULT_LIMIT).await?;
        let mut client = UnixStream::connect(&path)?;
        // The connection is accepted in the next turn, and made in the turn after.
        yield_now().await?;
        yield_now().await?;
        server.close();
        assert!(server.start_serving().await.unwrap_err().message().ends_with("is closed"));
        server.wait_closed().await?;
        yield_now().await?;
        assert_eq!(client.read(&mut [0])?, 0);
        assert!(!server.is_serving());
        Ok(())
    };
    run_on(&EventLoop::new(), body).unwrap();
}

#[test]
fn writelines_sends_at_once_what_waits() {
    let body = async {
        let (own, mut peer) = UnixStream::pair()?;
        peer.set_nonblocking(true)?;
        let on = running_loop()?;
        let (transport, _) = on.connect_accepted_unix_socket(|| Nothing, own).await?;
        transport.write(&MUCH)?;
        assert!(transport.write_buffer_size() > 0);
        let mut received = Vec::new();
        let full = peer.read_to_end(&mut received).unwrap_err();
        assert_eq!(full.kind(), ErrorKind::WouldBlock);
        transport.writelines(["one", "two"])?;
        assert_eq!(transport.write_buffer_size(), 0);
        transport.write_eof()?;
        let refused = transport.writelines(["three"]).unwrap_err();
        assert_eq!(refused.message(), "Cannot call writelines() after write_eof()");
        peer.read_to_end(&mut received)?;
        assert_eq!(received, [&MUCH[..], b"onetwo"].concat());
        transport.abort();
        Ok(())
    };
    run_on(&EventLoop::new(), body).unwrap();
}

/// The writer that it adds takes the place of the one that is ready, as in asyncio.
#[test]
fn writelines_puts_off_a_writer_that_is_ready() {
    let body = async {
        let (own, mut peer) = UnixStream::pair()?;
        peer.set_nonblocking(true)?;
        let on = running_loop()?;
        let (transport, _) = on.connect_accepted_unix_socket(|| Nothing, own).await?;
        let mut drain = || peer.read_to_end(&mut Vec::new()).unwrap_err();
        transport.write(&[MUCH, MUCH].concat())?;
        drain();
        yield_now().await?;
        transport.writelines(["more"])?;
        let left = transport.write_buffer_size();
        assert!(left > 0);
        drain();
        yield_now().await?;
        assert_eq!(transport.write_buffer_size(), left);
        yield_now().await?;
        assert_eq!(transport.write_buffer_size(), 0);
        transport.abort();
        Ok(())
    };
    run_on(&EventLoop::new(), body).unwrap();
}
