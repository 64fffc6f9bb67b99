//! The cost of a request in system calls of ours: one read and one write. The poll comes on top,
//! once for all sockets that are ready together, and the socket itself is registered with the
//! poller once and never again.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::{iter, net};

use callsoon::io::{Async, TcpStream};
use callsoon::{EventLoop, create_task, run_on, yield_now};

use crate::run::{NOW, settle};
use crate::support::sockets::local_pair;
use crate::support::traced::{is_traced, traced};

const REQUEST: &str = "system_calls::a_request_costs_one_read_one_write_and_one_poll";
const ENDED: &str = "system_calls::turns_after_an_ended_wait_make_no_system_call";
const REQUESTS: usize = 100;

/// The proof is a system call tracer's.
#[test]
#[ignore = "needs strace: --ignored runs it"]
fn a_request_costs_one_read_one_write_and_one_poll() {
    if is_traced() {
        return be_traced();
    }
    let calls = traced(REQUEST);
    let between = calls.split("callsoon-mark").nth(1).expect("two marks");
    let count = |call: &str| between.lines().filter(|line| line.contains(call)).count();
    // Of the loop's thread. The other one, which runs the tests, sleeps.
    let thread = between.lines().last().and_then(|line| line.split_whitespace().next());
    let own = between.lines().filter(|line| line.split_whitespace().next() == thread);
    for call in [" recvfrom(", " sendto(", " epoll_", " write(", " read("] {
        assert_eq!(count(call), REQUESTS, "{call}");
    }
    // The last one is the second mark, or what is left of its line.
    assert_eq!(own.count(), 5 * REQUESTS + 1, "{between}");
}

/// The source is registered still.
#[test]
#[ignore = "needs strace: --ignored runs it"]
fn turns_after_an_ended_wait_make_no_system_call() {
    if is_traced() {
        let (ours, mut theirs) = local_pair().unwrap();
        let main = async move {
            let ours = Async::new(ours)?;
            let waiting = create_task(async move { ours.readable().await.map(|()| Rc::new(ours)) });
            yield_now().await?;
            theirs.write_all(b"x")?;
            let ours = waiting.await?;
            mark();
            for _ in 0..100 {
                yield_now().await?;
            }
            mark();
            drop(ours);
            Ok(())
        };
        return run_on(&EventLoop::new(), main).unwrap();
    }
    let calls = traced(ENDED);
    let between = calls.split("callsoon-mark").nth(1).expect("two marks");
    assert!(!between.contains(" epoll_"), "{between}");
}

fn mark() {
    assert!(fs::metadata("/callsoon-mark").is_err());
}

fn be_traced() {
    let event_loop = EventLoop::new();
    let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (ours, _) = listener.accept().unwrap();
    // A file is read and written by calls of another name.
    let mut peer = File::from(OwnedFd::from(peer));
    let serves = async move {
        let ours = TcpStream::from(ours)?;
        let serving = create_task(async move {
            let mut buffer = [0; 64];
            loop {
                let count = ours.read(&mut buffer).await?;
                ours.write_all(&buffer[..count]).await?;
            }
        });
        settle().await?;
        let _task: callsoon::Task<()> = serving;
        Ok(())
    };
    event_loop.run_until_complete(serves).unwrap();
    let mut ask = || {
        peer.write_all(b"question").unwrap();
        assert_eq!(event_loop.run_once(NOW).unwrap(), 1);
        peer.read_exact(&mut [0; 8]).unwrap();
    };
    ask(); // What has to be told to the poller it is told by now.
    mark();
    iter::repeat_with(&mut ask).take(REQUESTS).for_each(drop);
    mark();
}
