//! Sockets by callbacks, beneath the sockets of `callsoon::io`: `examples/echo.rs` has those.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::rc::Rc;
use std::time::Duration;

use callsoon::{LoopRef, Result, running_loop};

pub(crate) async fn tcp_echo() -> Result<()> {
    let on = running_loop()?;
    let listener = Rc::new(TcpListener::bind(("127.0.0.1", 0))?);
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    println!("  listening");

    listen(&on, &listener)?;

    let sent = vec![7; 300_000];
    let received = converse(&on, TcpStream::connect(address)?, sent.clone()).await?;
    println!("  sent {} bytes; the same came back: {}", sent.len(), received == sent);
    on.remove_reader(&listener)?;
    Ok(())
}

/// Echoes to each client. Where none can be accepted, as without a descriptor left, it reports that
/// and tries again in a second: the callback would be called in every turn meanwhile.
pub(crate) fn listen(on: &LoopRef, listener: &Rc<TcpListener>) -> Result<()> {
    let (accepting, door) = (on.clone(), listener.clone());
    on.add_reader(listener.clone(), move || match unless_blocked(door.accept()) {
        Ok(None) => Ok(()),
        Ok(Some((stream, _from))) => {
            println!("  the server has a visitor");
            echo(&accepting, stream)
        }
        Err(error) => {
            accepting.remove_reader(&door)?;
            let (again, door) = (accepting.clone(), door.clone());
            accepting.call_later(Duration::from_secs(1), move || listen(&again, &door))?;
            Err(error)
        }
    })
}

/// Sends back whatever comes, until the other side has said all or breaks off.
fn echo(on: &LoopRef, stream: TcpStream) -> Result<()> {
    stream.set_nonblocking(true)?;
    let stream = Rc::new(stream);
    let unsent = Rc::new(RefCell::new(VecDeque::new()));
    let (reading, source) = (on.clone(), stream.clone());
    on.add_reader(stream, move || {
        let mut bytes = [0; 16 * 1024];
        let read = unless_blocked((&*source).read(&mut bytes));
        let Some(count) = forget_if_failed(&reading, &source, read)? else { return Ok(()) };
        if count == 0 {
            println!("  the visitor leaves");
            return reading.remove_reader(&source).map(drop);
        }
        unsent.borrow_mut().extend(&bytes[..count]);
        send(&reading, &source, &unsent)
    })
}

/// Writes `unsent` as the socket takes it, then stops watching the socket.
fn send(on: &LoopRef, stream: &Rc<TcpStream>, unsent: &Rc<RefCell<VecDeque<u8>>>) -> Result<()> {
    let (writing, source, unsent) = (on.clone(), stream.clone(), unsent.clone());
    on.add_writer(stream.clone(), move || {
        let mut unsent = unsent.borrow_mut();
        let written = unless_blocked((&*source).write(unsent.as_slices().0));
        let Some(count) = forget_if_failed(&writing, &source, written)? else { return Ok(()) };
        unsent.drain(..count);
        if unsent.is_empty() { writing.remove_writer(&source).map(drop) } else { Ok(()) }
    })
}

/// Sends `bytes`, and returns what came back when it is as much.
async fn converse(on: &LoopRef, stream: TcpStream, bytes: Vec<u8>) -> Result<Vec<u8>> {
    stream.set_nonblocking(true)?;
    let stream = Rc::new(stream);
    let expected = bytes.len();
    send(on, &stream, &Rc::new(RefCell::new(bytes.into())))?;

    let heard = on.create_future();
    let (reading, source, filled) = (on.clone(), stream.clone(), heard.clone());
    let mut received = Vec::new();
    on.add_reader(stream, move || {
        let mut bytes = [0; 16 * 1024];
        let Some(count) = unless_blocked((&*source).read(&mut bytes))? else { return Ok(()) };
        received.extend_from_slice(&bytes[..count]);
        if count > 0 && received.len() < expected {
            return Ok(());
        }
        reading.remove_reader(&source)?;
        filled.set_result(std::mem::take(&mut received))
    })?;
    heard.await
}

/// Gives back `done`. A connection that has failed is not watched any more: the loop would call for
/// it in every turn.
fn forget_if_failed<R>(on: &LoopRef, stream: &Rc<TcpStream>, done: Result<R>) -> Result<R> {
    if done.is_err() {
        on.remove_reader(stream)?;
        on.remove_writer(stream)?;
    }
    done
}

/// `None` where the socket isn't ready after all, as the next turn will show.
fn unless_blocked<R>(done: io::Result<R>) -> Result<Option<R>> {
    match done {
        Ok(done) => Ok(Some(done)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error.into()),
    }
}
