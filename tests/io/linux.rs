//! Linux's reports on a descriptor besides readable and writable, and a poller that a forked child
//! shares.
#![allow(unsafe_code)] // the standard library has neither these calls nor a fork

use core::ffi::{c_int, c_void};
use std::cell::Cell;
use std::fs;
use std::io::{Read, Write};
use std::net;
use std::os::fd::AsRawFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::rc::Rc;

use callsoon::io::{Async, UnixDatagram, UnixListener, UnixStream};
use callsoon::{ErrorKind, EventLoop, Result, Task, create_task};

use crate::child::is_child;
use crate::run::{NOW, settle};
use crate::support::log_lines::log_nowhere;

unsafe extern "C" {
    fn send(socket: c_int, bytes: *const c_void, count: usize, flags: c_int) -> isize;
    fn setsockopt(
        socket: c_int,
        level: c_int,
        name: c_int,
        value: *const c_void,
        size: u32,
    ) -> c_int;
    fn fork() -> c_int;
    fn waitpid(child: c_int, status: *mut c_int, options: c_int) -> c_int;
    fn _exit(status: c_int) -> !;
}

const MSG_OOB: c_int = 1;
const IPPROTO_IP: c_int = 0;
const IP_RECVERR: c_int = 11;

fn connection() -> (net::TcpStream, net::TcpStream) {
    let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (ours, _) = listener.accept().unwrap();
    ours.set_nonblocking(true).unwrap();
    (ours, peer)
}

fn send_urgent(peer: &net::TcpStream) {
    // SAFETY: The byte lives longer than the call.
    assert_eq!(unsafe { send(peer.as_raw_fd(), b"!".as_ptr().cast(), 1, MSG_OOB) }, 1);
}

#[test]
fn urgent_data_calls_no_reader() {
    let event_loop = EventLoop::new();
    let (ours, mut peer) = connection();
    let (ours, calls) = (Rc::new(ours), Rc::new(Cell::new(0)));
    let (reads, counts) = (ours.clone(), calls.clone());
    let reader = move || {
        counts.set(counts.get() + 1);
        while (&*reads).read(&mut [0; 8]).is_ok() {}
    };
    event_loop.add_reader(ours, reader).unwrap();
    for _ in 0..2 {
        send_urgent(&peer);
        for _ in 0..10 {
            assert_eq!(event_loop.run_once(NOW).unwrap(), 0);
        }
    }
    peer.write_all(b"ordinary").unwrap();
    assert_eq!(event_loop.run_once(NOW).unwrap(), 1);
    assert_eq!(calls.get(), 1);
    assert_eq!(event_loop.run_once(NOW).unwrap(), 0);
}

#[test]
fn urgent_data_leaves_a_parked_read_alone() {
    let event_loop = EventLoop::new();
    let (ours, mut peer) = connection();
    let read = async move {
        let ours = callsoon::io::TcpStream::from(ours)?;
        let mut bytes = [0; 8];
        ours.read(&mut bytes).await
    };
    let task = event_loop.create_task(read).unwrap();
    event_loop.run_once(NOW).unwrap();
    send_urgent(&peer);
    for _ in 0..10 {
        assert_eq!(event_loop.run_once(NOW).unwrap(), 0);
    }
    peer.write_all(b"ordinary").unwrap();
    assert_eq!(event_loop.run_until_complete(task).unwrap(), 8);
}

type Socket = Rc<Async<net::UdpSocket>>;

async fn receive(socket: Socket) -> Result<usize> {
    Ok(socket.read_with(|socket| socket.recv_from(&mut [0; 8])).await?.0)
}

/// A socket with an error in its queue of errors, which no read takes out.
async fn with_queued_error() -> Result<Socket> {
    let socket = net::UdpSocket::bind("127.0.0.1:0")?;
    let on: c_int = 1;
    let raw = socket.as_raw_fd();
    // SAFETY: The number lives longer than the call.
    let set = unsafe { setsockopt(raw, IPPROTO_IP, IP_RECVERR, (&raw const on).cast(), 4) };
    assert_eq!(set, 0);
    let unbound = net::UdpSocket::bind("127.0.0.1:0")?.local_addr()?;
    socket.send_to(b"x", unbound)?;
    let socket = Rc::new(Async::new(socket)?);
    assert_eq!(receive(socket.clone()).await.unwrap_err().kind(), ErrorKind::Io);
    Ok(socket)
}

fn parked_with_queued_error(event_loop: &EventLoop) -> (Socket, Task<usize>) {
    let socket = event_loop.run_until_complete(with_queued_error()).unwrap();
    let task = event_loop.create_task(receive(socket.clone())).unwrap();
    (socket, task)
}

#[test]
fn queued_errors_wake_a_parked_receiver_twice_at_most() {
    let event_loop = EventLoop::new();
    let (socket, task) = parked_with_queued_error(&event_loop);
    let steps: usize = (0..50).map(|_| event_loop.run_once(NOW).unwrap()).sum();
    assert!(steps <= 1 + 2, "{steps} steps");
    let at = socket.get_ref().local_addr().unwrap();
    net::UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"hello", at).unwrap();
    assert_eq!(event_loop.run_until_complete(task).unwrap(), 5);
    // Each wait is of the same sort, with datagrams in between.
    for count in 1..5 {
        let task = event_loop.create_task(receive(socket.clone())).unwrap();
        let steps: usize = (0..50).map(|_| event_loop.run_once(NOW).unwrap()).sum();
        assert!(steps <= 1 + 2, "{steps} steps");
        let sender = net::UdpSocket::bind("127.0.0.1:0").unwrap();
        sender.send_to(&b"12345"[..count], at).unwrap();
        assert_eq!(event_loop.run_until_complete(task).unwrap(), count);
    }
}

#[test]
fn queued_errors_let_another_wait_end_as_before() {
    let event_loop = EventLoop::new();
    let (socket, task) = parked_with_queued_error(&event_loop);
    (0..10).for_each(|_| drop(event_loop.run_once(NOW)));
    task.cancel();
    assert!(event_loop.run_until_complete(task).unwrap_err().is_cancelled());
    // By hand it is the caller that finds out what is there, and each wait is by level.
    let own = socket.clone();
    let by_hand = async move {
        for _ in 0..3 {
            own.readable().await?;
        }
        own.writable().await
    };
    event_loop.run_until_complete(by_hand).unwrap();
}

/// In a process of its own, as it is forked.
#[test]
fn a_forked_child_leaves_the_parents_poller_alone() {
    const NAME: &str = "linux::a_forked_child_leaves_the_parents_poller_alone";
    if !is_child(NAME, "true") {
        return;
    }
    let event_loop = EventLoop::new();
    let (ours, mut theirs) = StdUnixStream::pair().unwrap();
    let (watched, mut peer) = StdUnixStream::pair().unwrap();
    let calls = Rc::new(Cell::new(0));
    let (counts, watched) = (calls.clone(), Rc::new(watched));
    event_loop.add_reader(watched.clone(), move || counts.set(counts.get() + 1)).unwrap();
    let reads = async move {
        let ours = UnixStream::from(ours)?;
        ours.read(&mut [0; 8]).await?;
        ours.read(&mut [0; 8]).await
    };
    let task = event_loop.create_task(reads).unwrap();
    event_loop.run_once(NOW).unwrap();
    // SAFETY: The child allocates, which the C library has made safe, and starts no thread.
    let child = unsafe { fork() };
    if child == 0 {
        let errors = [
            event_loop.run_once(NOW).unwrap_err(),
            event_loop.remove_reader(&watched).unwrap_err(),
            event_loop.add_reader(StdUnixStream::pair().unwrap().0, || ()).unwrap_err(),
        ];
        let said = errors.iter().all(|error| {
            error.kind() == ErrorKind::Runtime
                && error.message()
                    == "the event loop belongs to the process that this one was forked from"
        });
        event_loop.handle().call_soon_threadsafe(|| ()).unwrap();
        drop((task, event_loop));
        // A loop of the child's own works.
        let own = callsoon::run(async {
            let (ours, mut theirs) = StdUnixStream::pair()?;
            let reading = create_task(async { UnixStream::from(ours)?.read(&mut [0; 8]).await });
            settle().await?;
            theirs.write_all(b"own")?;
            reading.await
        });
        // SAFETY: It ends the child, without what the parent has registered for its own end.
        unsafe { _exit(if said && own.is_ok_and(|count| count == 3) { 0 } else { 1 }) };
    }
    let mut status = 1;
    // SAFETY: The number lives longer than the call.
    assert_eq!(unsafe { waitpid(child, &raw mut status, 0) }, child);
    assert_eq!(status, 0, "the child has failed");
    theirs.write_all(b"hello").unwrap();
    event_loop.run_once(NOW).unwrap();
    peer.write_all(b"!").unwrap();
    event_loop.run_once(NOW).unwrap();
    assert_eq!(calls.get(), 1);
    // The bell rings still.
    let handle = event_loop.handle();
    event_loop.remove_reader(&watched).unwrap();
    let thread = std::thread::spawn(move || {
        handle.call_soon_threadsafe(move || theirs.write_all(b"by a thread").map_err(Into::into))
    });
    assert_eq!(event_loop.run_until_complete(task).unwrap(), 8);
    thread.join().unwrap().unwrap();
}

#[test]
fn abstract_unix_names_connect_without_a_file() {
    let event_loop = EventLoop::new();
    let talks = async {
        let name = format!("\0callsoon-io-{}", std::process::id());
        let listener = UnixListener::bind(&name)?;
        let client = UnixStream::connect(&name).await?;
        let (server, _) = listener.accept().await?;
        assert_eq!(client.peer_addr()?.as_abstract_name(), Some(&name.as_bytes()[1..]));
        client.write_all(b"hello").await?;
        let mut buffer = [0; 8];
        assert_eq!(server.read(&mut buffer).await?, 5);
        assert!(UnixListener::bind(&name).is_err());
        let name = name + "-datagrams";
        let receiver = UnixDatagram::bind(&name)?;
        UnixDatagram::unbound()?.send_to(b"one", &name).await?;
        let sender = UnixDatagram::unbound()?;
        sender.connect(&name)?;
        sender.send(b"two").await?;
        assert_eq!(receiver.recv(&mut buffer).await?, 3);
        assert_eq!(receiver.recv(&mut buffer).await?, 3);
        Ok(())
    };
    event_loop.run_until_complete(talks).unwrap();
}

/// Returns true if an epoll instance of this process watches the descriptor of `source`, which stays open.
fn is_watched(source: &impl AsRawFd) -> bool {
    let own = format!("tfd: {:8} ", source.as_raw_fd());
    let instances = fs::read_dir("/proc/self/fdinfo").unwrap();
    instances
        .filter_map(|file| fs::read_to_string(file.unwrap().path()).ok())
        .any(|info| info.contains(&own))
}

#[test]
fn a_closed_loop_watches_no_socket_that_the_program_keeps() {
    log_nowhere();
    let event_loop = EventLoop::with_virtual_time();
    let (read, awaited) = (connection(), connection());
    let reads = Rc::new(read.0);
    event_loop.add_reader(reads.clone(), || ()).unwrap();
    let awaits = Rc::new(Async::new_on(&event_loop, awaited.0).unwrap());
    let own = awaits.clone();
    let waits = event_loop.create_task(async move { own.readable().await }).unwrap();
    event_loop.run_once(NOW).unwrap();
    assert!(is_watched(&reads) && is_watched(awaits.get_ref()));
    // It keeps the poller.
    let handle = event_loop.handle();
    event_loop.close().unwrap();
    assert!(!is_watched(&reads) && !is_watched(awaits.get_ref()));
    drop((handle, waits));
}
