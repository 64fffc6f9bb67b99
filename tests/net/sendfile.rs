//! Files that are sent over awaited sockets and over transports.

use std::cell::RefCell;
use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream as StdStream;
use std::rc::Rc;
use std::time::Duration;

use callsoon::io::{Fallback, UnixStream};
use callsoon::net::{Address, Protocol, Transport};
use callsoon::{
    Error, ErrorKind, EventLoop, LoopRef, Result, create_task, run_on, running_loop, yield_now,
};

/// More than a socket takes at once.
const SIZE: usize = 1_000_000;

fn run(main: impl Future<Output = Result<()>> + 'static) {
    run_on(&EventLoop::new(), main).unwrap();
}

/// Runs a few turns.
fn turns(event_loop: &EventLoop) {
    for _ in 0..5 {
        event_loop.run_once(Some(Duration::ZERO)).unwrap();
    }
}

/// A file without a name.
fn file_of(bytes: &[u8]) -> File {
    let path = std::env::temp_dir().join(format!(
        "callsoon-sendfile-{}-{:?}",
        std::process::id(),
        std::thread::current().id()
    ));
    let mut file =
        File::options().read(true).write(true).create(true).truncate(true).open(&path).unwrap();
    fs::remove_file(path).unwrap();
    file.write_all(bytes).unwrap();
    file.rewind().unwrap();
    file
}

fn bytes() -> Vec<u8> {
    (0..SIZE as u32).map(|at| (at % 251) as u8).collect()
}

/// Reads all that comes.
async fn read_all(stream: UnixStream) -> Result<Vec<u8>> {
    let (mut all, mut buffer) = (Vec::new(), vec![0; 100_000]);
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(all),
            count => all.extend_from_slice(&buffer[..count]),
        }
    }
}

// CPython: test_sendfile.SockSendfileMixin.test_sock_sendfile_success
// CPython: test_sendfile.SockSendfileMixin.test_sock_sendfile_with_offset_and_count
// CPython: test_sendfile.SockSendfileMixin.test_sock_sendfile_zero_size
// CPython: test_sendfile.SockSendfileMixin.test_sock_sendfile_mix_with_regular_send
#[test]
fn file_is_sent_over_an_awaited_socket() {
    run(async {
        let (ours, theirs) = StdStream::pair()?;
        let (ours, theirs) = (UnixStream::from(ours)?, UnixStream::from(theirs)?);
        let reading = create_task(read_all(theirs));
        let (all, mut file) = (bytes(), file_of(&bytes()));
        assert_eq!(ours.sendfile(&file_of(b""), 0, None, Fallback::Allowed).await?, 0);
        ours.write_all(b"before").await?;
        assert_eq!(ours.sendfile(&file, 0, None, Fallback::Allowed).await?, SIZE as u64);
        assert_eq!(file.stream_position()?, SIZE as u64);
        ours.write_all(b"between").await?;
        assert_eq!(ours.sendfile(&file, 1000, Some(2000), Fallback::Allowed).await?, 2000);
        assert_eq!(file.stream_position()?, 3000);
        assert_eq!(ours.sendfile(&file, SIZE as u64 - 5, Some(100), Fallback::Allowed).await?, 5);
        let refused = ours.sendfile(&file, 0, Some(0), Fallback::Allowed).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Value);
        drop(ours);
        let expected: [&[u8]; 5] =
            [b"before", &all, b"between", &all[1000..3000], &all[SIZE - 5..]];
        assert!(reading.await? == expected.concat());
        Ok(())
    });
}

/// The system has no call that sends it, so that it is read.
#[cfg(target_os = "linux")]
#[test]
fn file_that_only_can_be_read_is_sent_by_blocks() {
    run(async {
        let environment = fs::read("/proc/self/environ")?;
        let length = environment.len() as u64;
        let file = File::open("/proc/self/environ")?;
        let (ours, theirs) = StdStream::pair()?;
        let (ours, theirs) = (UnixStream::from(ours)?, UnixStream::from(theirs)?);
        let reading = create_task(read_all(theirs));
        let native = ours.sendfile(&file, 0, Some(1), Fallback::Forbidden).await;
        // Kernels before 5.10 send any file.
        assert!(native.as_ref().map_or_else(|error| error.kind() == ErrorKind::Runtime, |_| true));
        let rest = u64::from(native.is_ok());
        assert_eq!(
            ours.sendfile(&file, rest, Some(1 << 30), Fallback::Allowed).await?,
            length - rest
        );
        drop(ours);
        assert_eq!(reading.await?, environment);

        let Sides { transport, peer, .. } = sides(&running_loop()?).await?;
        let reading = create_task(read_all(UnixStream::from(peer)?));
        let on = running_loop()?;
        if native.is_err() {
            let refused = on.sendfile(&transport, &file, 1, Some(1), Fallback::Forbidden).await;
            assert_eq!(refused.unwrap_err().kind(), ErrorKind::Runtime);
            assert!(transport.is_reading() && transport.write_buffer_size() == 0);
        }
        assert_eq!(
            on.sendfile(&transport, &file, 1, Some(length - 1), Fallback::Allowed).await?,
            length - 1
        );
        assert!(transport.is_reading());
        transport.close();
        assert_eq!(reading.await?, environment[1..]);
        Ok(())
    });
}

#[derive(Default)]
struct Noting(RefCell<Vec<String>>);

impl Protocol for Noting {
    fn data_received(&self, data: &[u8]) -> Result<()> {
        self.0.borrow_mut().push(String::from_utf8_lossy(data).into_owned());
        Ok(())
    }

    fn connection_lost(&self, _error: Option<Error>) -> Result<()> {
        self.0.borrow_mut().push("lost".into());
        Ok(())
    }
}

struct Sides {
    transport: Transport,
    protocol: Rc<Noting>,
    peer: StdStream,
}

async fn sides(on: &LoopRef) -> Result<Sides> {
    let (ours, peer) = StdStream::pair()?;
    let (transport, protocol) = on.connect_accepted_unix_socket(Noting::default, ours).await?;
    Ok(Sides { transport, protocol, peer })
}

// CPython: test_sendfile.SendfileMixin.test_sendfile
// CPython: test_sendfile.SendfileMixin.test_sendfile_pre_and_post_data
// CPython: test_sendfile.SendfileMixin.test_sendfile_partial
// CPython: test_sendfile.SendfileMixin.test_sendfile_prevents_bare_write
// CPython: test_sendfile.SendfileMixin.test_sendfile_for_closing_transp
#[test]
fn file_is_sent_over_a_transport() {
    run(async {
        let on = running_loop()?;
        let Sides { transport, protocol, mut peer } = sides(&on).await?;
        let (all, file) = (bytes(), Rc::new(file_of(&bytes())));
        peer.write_all(b"read before")?;
        while protocol.0.borrow().is_empty() {
            yield_now().await?;
        }
        // More than the socket takes at once, so that the file waits behind it.
        transport.write(&all)?;
        let (own, sending, sent) = (on.clone(), transport.clone(), file.clone());
        let task =
            create_task(
                async move { own.sendfile(&sending, &sent, 0, None, Fallback::Allowed).await },
            );
        yield_now().await?;
        let amid = transport.write(b"amid").unwrap_err();
        assert_eq!(
            (amid.kind(), amid.message()),
            (ErrorKind::Runtime, "unable to write; sendfile is in progress".into())
        );
        assert!(!transport.is_reading());
        peer.write_all(b"read after")?;
        let again = on.sendfile(&transport, &file, 0, None, Fallback::Allowed).await.unwrap_err();
        assert_eq!(again.kind(), ErrorKind::Runtime);
        let reading = create_task(read_all(UnixStream::from(peer.try_clone()?)?));
        assert_eq!((task.await?, (&*file).stream_position()?), (SIZE as u64, SIZE as u64));
        assert!(transport.is_reading());
        assert_eq!(on.sendfile(&transport, &file, 10, Some(20), Fallback::Forbidden).await?, 20);
        assert_eq!((&*file).stream_position()?, 30);
        transport.write(b"after")?;
        while protocol.0.borrow().len() < 2 {
            yield_now().await?;
        }
        transport.close();
        let closing = on.sendfile(&transport, &file, 0, None, Fallback::Allowed).await.unwrap_err();
        assert_eq!(
            (closing.kind(), closing.message()),
            (ErrorKind::Runtime, "Transport is closing".into())
        );
        assert_eq!((&*file).stream_position()?, 30);
        let expected: [&[u8]; 4] = [&all, &all, &all[10..30], b"after"];
        assert!(reading.await? == expected.concat());
        assert_eq!(*protocol.0.borrow(), ["read before", "read after", "lost"]);
        Ok(())
    });
}

// CPython: test_sendfile.SendfileMixin.test_sendfile_not_supported
#[test]
fn file_is_not_sent_over_a_pipe() {
    run(async {
        let on = running_loop()?;
        let (ours, _peer) = StdStream::pair()?;
        let (transport, _) = on.connect_write_pipe(Noting::default, ours).await?;
        let error =
            on.sendfile(&transport, &file_of(b"x"), 0, None, Fallback::Allowed).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Runtime);
        assert!(error.message().starts_with("sendfile is not supported for transport"), "{error}");
        transport.close();
        Ok(())
    });
}

// CPython: test_sendfile.SendfileMixin.test_sendfile_close_peer_in_the_middle_of_receiving
#[test]
fn sendfile_fails_when_the_peer_closes() {
    run(async {
        let on = running_loop()?;
        for by in ["peer", "abort", "close", "cancel"] {
            let Sides { transport, protocol, mut peer } = sides(&on).await?;
            let mut file = file_of(&bytes());
            let (own, sending, sent) = (on.clone(), transport.clone(), file.try_clone()?);
            let task = create_task(async move {
                own.sendfile(&sending, &sent, 0, None, Fallback::Allowed).await
            });
            let mut front = [0; 1000];
            yield_now().await?;
            peer.read_exact(&mut front)?;
            match by {
                "peer" => drop(peer),
                "abort" => transport.abort(),
                "close" => transport.close(),
                _ => _ = task.cancel(),
            }
            let error = task.await.unwrap_err();
            let expected = if by == "cancel" { ErrorKind::Cancelled } else { ErrorKind::Io };
            assert_eq!(error.kind(), expected, "{by}: {error:?}");
            if by == "peer" {
                // The system's error, and not that of a second try by blocks.
                assert_eq!(error.io_error().unwrap().kind(), io::ErrorKind::BrokenPipe);
            }
            assert!((1..SIZE as u64).contains(&file.stream_position()?), "{by}");
            if by == "cancel" {
                assert!(transport.is_reading());
                transport.write(b"after")?;
                transport.abort();
            }
            while protocol.0.borrow().is_empty() {
                yield_now().await?;
            }
            assert!(transport.is_closing(), "{by}");
        }
        Ok(())
    });
}

/// Nothing of it was sent, which without the cancellation would mean that the system can't send it.
#[test]
fn sendfile_cancelled_before_its_first_byte_ends() {
    let event_loop = EventLoop::new();
    let on = event_loop.clone();
    let connect = async move { sides(&on).await.map(Rc::new) };
    let connected = event_loop.run_until_complete(connect).unwrap();
    let Sides { transport, peer, .. } = &*connected;
    let socket = transport.socket().unwrap();
    while rustix::io::write(&socket, &[0; 10_000]).is_ok() {}
    let (on, sending) = (event_loop.clone(), transport.clone());
    let body =
        async move { on.sendfile(&sending, &file_of(b"x"), 0, None, Fallback::Forbidden).await };
    let task = event_loop.create_task(body).unwrap();
    turns(&event_loop);
    task.cancel();
    turns(&event_loop);
    assert_eq!(task.exception().unwrap_err().kind(), ErrorKind::Cancelled);
    // There is room again, and the loop does not watch for it any more.
    peer.set_nonblocking(true).unwrap();
    let _ = (&*peer).read_to_end(&mut Vec::new());
    assert_eq!(event_loop.run_once(Some(Duration::ZERO)).unwrap(), 0);
    drop(socket);
    transport.abort();
    turns(&event_loop);
}

#[test]
fn sock_sendfile_cancelled_before_its_first_byte_ends() {
    run(async {
        let (ours, _theirs) = StdStream::pair()?;
        ours.set_nonblocking(true)?;
        while (&ours).write(&[0; 10_000]).is_ok() {}
        let ours = UnixStream::from(ours)?;
        let task = create_task(async move {
            ours.sendfile(&file_of(b"x"), 0, None, Fallback::Forbidden).await
        });
        yield_now().await?;
        task.cancel();
        assert_eq!(task.await.unwrap_err().kind(), ErrorKind::Cancelled);
        Ok(())
    });
}

/// The socket is full, and the file one that kernels from 5.10 on don't send.
#[cfg(target_os = "linux")]
#[test]
fn file_by_blocks_waits_for_room_or_the_end() {
    run(async {
        let on = running_loop()?;
        for ends in [false, true] {
            let Sides { transport, protocol, mut peer } = sides(&on).await?;
            let socket = transport.socket().unwrap();
            while rustix::io::write(&socket, &[0; 10_000]).is_ok() {}
            drop(socket);
            transport.set_write_buffer_limits(Some(0), None)?;
            let (own, sending) = (on.clone(), transport.clone());
            let task = create_task(async move {
                let file = File::open("/proc/self/environ")?;
                own.sendfile(&sending, &file, 0, Some(1), Fallback::Allowed).await
            });
            while transport.write_buffer_size() == 0 {
                yield_now().await?;
            }
            for _ in 0..5 {
                yield_now().await?;
            }
            assert!(!task.done());
            if ends {
                drop(peer);
                assert_eq!(task.await.unwrap_err().kind(), ErrorKind::Io);
                while protocol.0.borrow().is_empty() {
                    yield_now().await?;
                }
                assert_eq!(*protocol.0.borrow(), ["lost"]);
                assert_eq!(Rc::strong_count(&protocol), 1);
            } else {
                peer.set_nonblocking(true)?;
                let _ = peer.read_to_end(&mut Vec::new());
                assert_eq!(task.await?, 1);
            }
            transport.abort();
            yield_now().await?;
        }
        Ok(())
    });
}

// CPython: test_sendfile.SendfileMixin.test_sendfile_close_peer_after_receiving
#[test]
fn sendfile_succeeds_when_the_peer_closes_at_the_end() {
    run(async {
        let on = running_loop()?;
        let Sides { transport, protocol, mut peer } = sides(&on).await?;
        let (own, sending) = (on.clone(), transport.clone());
        let task = create_task(async move {
            let mut file = file_of(&bytes());
            let sent = own.sendfile(&sending, &file, 0, None, Fallback::Allowed).await?;
            Ok((sent, file.stream_position()?))
        });
        peer.set_nonblocking(true)?;
        let (mut left, mut buffer) = (SIZE, vec![0; 65_536]);
        while left > 0 {
            match peer.read(&mut buffer) {
                Ok(count) => left -= count,
                Err(_) => yield_now().await?,
            }
        }
        drop(peer);
        assert_eq!(task.await?, (SIZE as u64, SIZE as u64));
        while protocol.0.borrow().is_empty() {
            yield_now().await?;
        }
        Ok(())
    });
}

#[test]
fn sendfile_cancelled_behind_earlier_data_spares_the_rest() {
    run(async {
        let on = running_loop()?;
        let Sides { transport, peer, .. } = sides(&on).await?;
        transport.write(&bytes())?;
        assert!(transport.write_buffer_size() > 0);
        let sending = transport.clone();
        let task = create_task(async move {
            on.sendfile(&sending, &file_of(b"x"), 0, None, Fallback::Allowed).await
        });
        yield_now().await?;
        assert!(!transport.is_reading() && transport.write(b"amid").is_err());
        task.cancel();
        assert_eq!(task.await.unwrap_err().kind(), ErrorKind::Cancelled);
        assert!(transport.is_reading());
        transport.write(b"after")?;
        transport.close();
        let all = read_all(UnixStream::from(peer)?).await?;
        assert!(all == [&bytes()[..], b"after"].concat());
        Ok(())
    });
}

#[test]
fn lost_connection_ends_its_server_before_its_sendfile() {
    run(async {
        let on = running_loop()?;
        let made = Rc::new(RefCell::default());
        let keeps = made.clone();
        let factory = move || Keeping(Rc::clone(&keeps));
        let server = on.create_server(factory, Some("127.0.0.1"), 0).await?;
        let [Address::Ip(address)] = server.addresses()[..] else { panic!("one address") };
        let _peer = TcpStream::connect(address)?;
        while made.borrow().is_none() {
            yield_now().await?;
        }
        let transport = made.take().unwrap();
        transport.write(&vec![0; 5 * SIZE])?;
        assert!(transport.write_buffer_size() > 0);
        server.close();
        let ends = Rc::new(RefCell::new(Vec::new()));
        let (own, sending, notes) = (on.clone(), transport.clone(), Rc::clone(&ends));
        let sends = create_task(async move {
            let sent = own.sendfile(&sending, &file_of(b"x"), 0, None, Fallback::Allowed).await;
            notes.borrow_mut().push(sent.unwrap_err().to_string());
            Ok(())
        });
        let notes = Rc::clone(&ends);
        let waits = create_task(async move {
            server.wait_closed().await?;
            notes.borrow_mut().push("closed".into());
            Ok(())
        });
        yield_now().await?;
        transport.abort();
        sends.await?;
        waits.await?;
        // CPython 3.13.0.
        assert_eq!(*ends.borrow(), ["closed", "Connection is closed by peer"]);
        Ok(())
    });
}

/// Passes its transport on.
struct Keeping(Rc<RefCell<Option<Transport>>>);

impl Protocol for Keeping {
    fn connection_made(&self, transport: &Transport) -> Result<()> {
        self.0.replace(Some(transport.clone()));
        Ok(())
    }
}
