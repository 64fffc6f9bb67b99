//! Accepting where the system runs out of descriptors.

use std::cell::RefCell;
use std::fs::File;
use std::io::Write;
use std::rc::Rc;
use std::time::Duration;

use callsoon::io::TcpListener;
use callsoon::{ErrorKind, EventLoop, create_task, sleep};

use crate::child::is_child;
use crate::run::on;
use crate::support::trace::Trace;

const NAME: &str = "accepting::listener_without_descriptors_rests_for_a_second_and_goes_on";

#[test]
fn listener_without_descriptors_rests_for_a_second_and_goes_on() {
    if !is_child(NAME, "ulimit -n 64") {
        return;
    }
    let trace = Trace::new();
    let event_loop = EventLoop::with_virtual_time();
    let says = trace.clone();
    let handler = move |on: &callsoon::LoopRef, context: &callsoon::ExceptionContext| {
        let error = context.exception.as_ref().unwrap();
        assert_eq!(
            (error.kind(), error.io_error().unwrap().raw_os_error()),
            (ErrorKind::Io, Some(24))
        );
        assert!(context.socket.as_ref().unwrap().starts_with("TcpListener"));
        says.push(format!("{:?}: {}", on.time(), context.message));
    };
    event_loop.set_exception_handler(Some(Rc::new(handler)));
    let says = trace.clone();
    let main = async move {
        let listener = Rc::new(TcpListener::bind("127.0.0.1:0")?);
        let address = listener.local_addr()?;
        let clients = [0; 2].map(|_| std::net::TcpStream::connect(address).unwrap());
        let eaten: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
        let eaten = Rc::new(RefCell::new(eaten));
        let frees = eaten.clone();
        on().call_later(Duration::from_millis(2500), move || frees.borrow_mut().clear())?;
        let mut accepting = Vec::new();
        for _ in &clients {
            let (listener, trace) = (listener.clone(), says.clone());
            accepting.push(create_task(async move {
                let accepted = listener.accept().await.map(drop);
                trace.push(format!("{:?}: {accepted:?}", on().time()));
                accepted
            }));
        }
        for task in accepting {
            task.await?;
        }
        // One that is cancelled while it rests leaves the listener to the next.
        let _client = std::net::TcpStream::connect(address)?;
        eaten.borrow_mut().extend(std::iter::from_fn(|| File::open("/dev/null").ok()));
        let resting = listener.clone();
        let resting = create_task(async move { resting.accept().await.map(drop) });
        sleep(Duration::from_millis(500)).await?;
        eaten.borrow_mut().clear();
        resting.cancel();
        assert!(resting.await.unwrap_err().is_cancelled());
        listener.accept().await?;
        assert_eq!(on().time(), Duration::from_millis(3500));
        Ok(())
    };
    event_loop.run_until_complete(main).unwrap();
    trace.expect([
        "0ns: socket.accept() out of system resource",
        "1s: socket.accept() out of system resource",
        "2s: socket.accept() out of system resource",
        "3s: Ok(())",
        "3s: Ok(())",
        "3s: socket.accept() out of system resource",
    ]);
}

const POLLER: &str = "accepting::connections_leave_room_for_the_poller";

/// Connections are waiting when a loop that has no poller yet begins to accept: they don't take the last
/// descriptors, without which none of them could be read from.
#[test]
fn connections_leave_room_for_the_poller() {
    if !is_child(POLLER, "ulimit -n 64") {
        return;
    }
    let event_loop = EventLoop::with_virtual_time();
    event_loop.set_exception_handler(Some(Rc::new(|_: &_, _: &_| ())));
    let main = async move {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let clients = [0; 3].map(|_| std::net::TcpStream::connect(address).unwrap());
        let mut eaten: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
        eaten.truncate(eaten.len() - 4);
        let mut serving = Vec::new();
        for mut client in clients {
            let (stream, _peer) = listener.accept().await?;
            serving.push(create_task(async move { stream.read(&mut [0]).await }));
            on().call_later(Duration::from_secs(1), move || client.write_all(b"x").unwrap())?;
        }
        for task in serving {
            assert_eq!(task.await?, 1);
        }
        Ok(())
    };
    event_loop.run_until_complete(main).unwrap();
}
