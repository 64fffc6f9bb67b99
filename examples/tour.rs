//! A tour of the crate, with a stop at each of its parts. Prints what happens, and ends by itself.
//!
//!     cargo run --release --example tour

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use callsoon::{
    EventLoop, LoopRef, Result, create_task, generator, run, running_loop, sleep, yield_now,
};

const MOMENT: Duration = Duration::from_millis(10);

fn main() -> Result<()> {
    stop("The loop runs callbacks in a written order", callbacks)?;
    stop("Tasks take turns", || run(tasks()))?;
    stop("A cancelled task cleans up, and may await while it does", || run(cancellation()))?;
    stop("Time can be virtual", virtual_time)?;
    stop("What nobody catches goes to the exception handler", exceptions)?;
    stop("Another thread calls in", another_thread)?;
    stop("A generator gives values, and cleans up when it is closed", || run(generators()))?;
    stop("A TCP echo on the reactor", || run(tcp_echo()))
}

fn stop(title: &str, visit: impl FnOnce() -> Result<()>) -> Result<()> {
    println!("\n{title}");
    visit()
}

/// A callback that says `what`.
fn say(what: &'static str) -> impl Fn() + 'static {
    move || println!("  {what}")
}

fn callbacks() -> Result<()> {
    let event_loop = EventLoop::new();
    event_loop.call_later(2 * MOMENT, say("after 20 ms"))?;
    event_loop.call_later(MOMENT, say("after 10 ms"))?;
    event_loop.call_later(MOMENT, say("never: it is cancelled"))?.cancel();
    let on = event_loop.clone();
    event_loop.call_soon(move || {
        println!("  first; it schedules another");
        on.call_soon(say("in the next turn, so it comes last")).map(drop)
    })?;
    event_loop.call_soon(say("second"))?;
    let on = event_loop.clone();
    event_loop.call_later(3 * MOMENT, move || on.stop())?;
    event_loop.run_forever()
}

async fn tasks() -> Result<()> {
    let count = async |name: &'static str| {
        for turn in 1..=2 {
            println!("  {name}: {turn}");
            yield_now().await?;
        }
        Ok(name.len())
    };
    let first = create_task(count("hare"))?;
    let second = create_task(count("tortoise"))?;
    println!("  both are made, neither has started");
    println!("  their results: {} and {}", first.await?, second.await?);
    Ok(())
}

async fn cancellation() -> Result<()> {
    let session = create_task(async {
        println!("  connected");
        let outcome = sleep(Duration::from_secs(3600)).await;
        println!("  asked to leave: saying goodbye takes a moment");
        sleep(MOMENT).await?;
        println!("  goodbye was said");
        outcome
    })?;
    sleep(MOMENT).await?;
    session.cancel();
    let outcome = session.clone().await;
    println!("  awaited, it gives {outcome:?}; cancelled: {}", session.cancelled());
    Ok(())
}

fn virtual_time() -> Result<()> {
    let started = Instant::now();
    let event_loop = EventLoop::with_virtual_time();
    event_loop.run_until_complete(async {
        let day = create_task(async {
            sleep(Duration::from_secs(24 * 3600)).await?;
            println!("  the day is over");
            Ok(())
        })?;
        sleep(Duration::from_secs(12 * 3600)).await?;
        println!("  it is noon");
        day.await
    })?;
    println!("  {:?} on the loop's clock", event_loop.time());
    println!("  under a second on the wall's: {}", started.elapsed() < Duration::from_secs(1));
    let stalled = event_loop.run_forever();
    println!("  a loop with nothing left to wait for says so: {:?}", stalled.map_err(|e| e.kind()));
    Ok(())
}

fn exceptions() -> Result<()> {
    let event_loop = EventLoop::with_virtual_time();
    event_loop.set_exception_handler(Some(Rc::new(|_on, context| {
        let error = context.exception.as_ref().map(|error| error.message());
        println!("  handler: {:?}", error.unwrap_or_default());
    })));
    event_loop
        .call_soon(|| -> Result<()> { Err(io::Error::other("the callback failed").into()) })?;
    let on = event_loop.clone();
    event_loop.call_later(MOMENT, move || {
        println!("  and the loop lives on");
        on.stop();
    })?;
    event_loop.run_forever()
}

fn another_thread() -> Result<()> {
    let event_loop = EventLoop::new();
    let handle = event_loop.handle();
    let home = thread::current().id();
    let thread = thread::spawn(move || {
        let sum: u64 = (1..=1000).sum();
        handle.call_soon_threadsafe(move || {
            println!("  the thread counted to {sum}");
            println!("  said on the loop's own thread: {}", thread::current().id() == home);
            running_loop().map(|on| on.stop())
        })
    });
    event_loop.run_forever()?;
    thread.join().expect("the thread doesn't panic")
}

async fn generators() -> Result<()> {
    let lines = generator(async |y| {
        let mut closed = Ok(());
        for line in ["one", "two", "three"] {
            closed = y.give(line).await.map(drop);
            if closed.is_err() {
                break;
            }
        }
        sleep(MOMENT).await?;
        println!("  the generator has cleaned up");
        closed
    });
    while let Some(line) = lines.next().await? {
        println!("  got {line}");
        if line == "two" {
            println!("  enough");
            break;
        }
    }
    lines.aclose().await
}

async fn tcp_echo() -> Result<()> {
    let on = running_loop()?;
    let listener = Rc::new(TcpListener::bind(("127.0.0.1", 0))?);
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    println!("  listening");

    let (accepting, door) = (on.clone(), listener.clone());
    on.add_reader(listener.clone(), move || {
        let (stream, _from) = door.accept()?;
        println!("  the server has a visitor");
        echo(&accepting, stream)
    })?;

    let sent = vec![7; 300_000];
    let received = converse(&on, TcpStream::connect(address)?, sent.clone()).await?;
    println!("  sent {} bytes; the same came back: {}", sent.len(), received == sent);
    on.remove_reader(&listener)?;
    Ok(())
}

/// Sends back whatever comes, until the other side has said all.
fn echo(on: &LoopRef, stream: TcpStream) -> Result<()> {
    stream.set_nonblocking(true)?;
    let stream = Rc::new(stream);
    let unsent = Rc::new(RefCell::new(VecDeque::new()));
    let (reading, source) = (on.clone(), stream.clone());
    on.add_reader(stream, move || {
        let mut bytes = [0; 16 * 1024];
        let Some(count) = unless_blocked((&*source).read(&mut bytes))? else { return Ok(()) };
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
        let Some(count) = unless_blocked((&*source).write(unsent.as_slices().0))? else {
            return Ok(());
        };
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

/// `None` where the socket isn't ready after all, which the next turn will tell.
fn unless_blocked(done: io::Result<usize>) -> Result<Option<usize>> {
    match done {
        Ok(count) => Ok(Some(count)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error.into()),
    }
}
