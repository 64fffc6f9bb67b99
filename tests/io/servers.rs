//! The servers of the examples, and clients that break off.

use std::cell::Cell;
#[cfg(target_os = "linux")]
use std::fs::File;
use std::net::SocketAddr;
use std::rc::Rc;
#[cfg(target_os = "linux")]
use std::time::Duration;

use callsoon::io::{TcpListener, TcpStream};
use callsoon::{EventLoop, Result, create_task, run, run_on};

#[cfg(target_os = "linux")]
use crate::child::is_child;
use crate::run::on;

#[allow(dead_code)] // its clients
#[path = "../../examples/echo.rs"]
mod echo;
#[allow(dead_code)] // its own conversation
#[path = "../../examples/tour/reactor.rs"]
mod reactor;

/// Sends two bytes, and receives them.
async fn converses(server: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(server).await?;
    stream.write_all(b"hi").await?;
    let mut heard = [0; 2];
    stream.read_exact(&mut heard).await?;
    assert_eq!(&heard, b"hi");
    Ok(stream)
}

/// Resets its connection: what it was sent is there, and unread, when it closes.
async fn resets(server: SocketAddr) -> Result<()> {
    let stream = TcpStream::connect(server).await?;
    stream.write_all(b"xx").await?;
    stream.read_exact(&mut [0]).await
}

#[test]
fn echo_serves_on_after_clients_reset() {
    let served = run(async {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let server = create_task(echo::serve(listener));
        let early = converses(address).await?;
        for _ in 0..20 {
            resets(address).await?;
            converses(address).await?;
        }
        early.write_all(b"!").await?;
        early.read_exact(&mut [0]).await?;
        assert!(!server.done());
        server.cancel();
        assert!(server.await.unwrap_err().is_cancelled());
        Ok(())
    });
    served.unwrap();
}

/// Returns a loop with an exception handler that counts its calls.
fn counting_loop() -> (EventLoop, Rc<Cell<usize>>) {
    let (event_loop, count) = (EventLoop::with_virtual_time(), Rc::new(Cell::new(0)));
    let counts = count.clone();
    event_loop.set_exception_handler(Some(Rc::new(move |_, _| counts.set(counts.get() + 1))));
    (event_loop, count)
}

#[test]
fn the_tours_server_forgets_clients_that_reset() {
    let (event_loop, count) = counting_loop();
    let served = run_on(&event_loop, async {
        let listener = Rc::new(std::net::TcpListener::bind("127.0.0.1:0")?);
        listener.set_nonblocking(true)?;
        reactor::listen(&on(), &listener)?;
        let address = listener.local_addr()?;
        resets(address).await?;
        converses(address).await?;
        converses(address).await?;
        on().remove_reader(&listener).map(drop)
    });
    served.unwrap();
    // Once for the reset, and not in each turn. A close on Wine resets nothing.
    assert_eq!(count.get(), usize::from(cfg!(unix)));
}

#[cfg(target_os = "linux")]
#[test]
fn the_tours_server_rests_without_descriptors() {
    const NAME: &str = "servers::the_tours_server_rests_without_descriptors";
    if !is_child(NAME, "ulimit -n 64") {
        return;
    }
    let (event_loop, count) = counting_loop();
    let served = run_on(&event_loop, async {
        let listener = Rc::new(std::net::TcpListener::bind("127.0.0.1:0")?);
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        reactor::listen(&on(), &listener)?;
        // At once, so that no descriptor is left when the server looks.
        let client = std::net::TcpStream::connect(address)?;
        let eaten: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
        callsoon::sleep(Duration::from_millis(2500)).await?;
        drop(eaten);
        let client = TcpStream::from(client)?;
        client.write_all(b"hi").await?;
        client.read_exact(&mut [0; 2]).await?;
        on().remove_reader(&listener).map(drop)
    });
    served.unwrap();
    assert_eq!((count.get(), event_loop.time()), (3, Duration::from_secs(3)));
}
