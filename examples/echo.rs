//! A TCP echo server and its clients, all on one loop: `echo [CLIENTS] [REQUESTS]`.
//!
//! Each connection is a task, and ends when its client closes its side. A client that breaks off is
//! reported, and disturbs no other. Then the server is cancelled, says how much it has done, and
//! closes what is open still.

use std::cell::Cell;
use std::io::{Write, stderr};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Instant;

use callsoon::io::{TcpListener, TcpStream};
use callsoon::{Result, TaskGroup, create_task, run};

/// Sends back whatever comes, until the client closes its side.
async fn echo(stream: TcpStream, echoed: Rc<Cell<usize>>) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = [0; 4096];
    loop {
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..count]).await?;
        echoed.set(echoed.get() + count);
    }
}

/// Serves one client to its end. An error, or a panic, is that client's: it is reported, and the
/// others are served. Only the server's own cancellation is returned.
async fn serve_one(stream: TcpStream, peer: SocketAddr, echoed: Rc<Cell<usize>>) -> Result<()> {
    match create_task(echo(stream, echoed)).await {
        Err(error) if !error.is_cancelled() => {
            // Unlike `eprintln!`, this doesn't panic where the standard error is closed.
            let _ = writeln!(stderr(), "{peer}: {error}");
            Ok(())
        }
        outcome => outcome,
    }
}

/// Serves until it is cancelled. Where descriptors run out, the listener reports that, and rests
/// for a second.
pub(crate) async fn serve(listener: TcpListener) -> Result<()> {
    let echoed = Rc::new(Cell::new(0));
    let outcome = TaskGroup::scope(async |group| {
        loop {
            let (stream, peer) = listener.accept().await?;
            group.create_task(serve_one(stream, peer, echoed.clone()))?;
        }
    })
    .await;
    println!("the server echoed {} bytes", echoed.get());
    outcome
}

async fn ask(server: SocketAddr, requests: usize) -> Result<()> {
    let stream = TcpStream::connect(server).await?;
    stream.set_nodelay(true)?;
    let mut answer = [0; 16];
    for number in 0..requests {
        let question = format!("question {number:7}").into_bytes();
        stream.write_all(&question).await?;
        stream.read_exact(&mut answer).await?;
        assert_eq!(answer.as_slice(), question);
    }
    Ok(())
}

fn main() -> Result<()> {
    let mut numbers = std::env::args().skip(1).map(|number| number.parse());
    let clients = numbers.next().unwrap_or(Ok(10))?;
    let requests = numbers.next().unwrap_or(Ok(1000))?;
    run(async move {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let server = create_task(serve(listener));
        let start = Instant::now();
        TaskGroup::scope(async |group| {
            for _ in 0..clients {
                group.create_task(ask(address, requests))?;
            }
            Ok(())
        })
        .await?;
        let took = start.elapsed();
        println!("{clients} clients, {requests} requests each: {took:?}");
        server.cancel();
        assert!(server.await.is_err_and(|error| error.is_cancelled()));
        Ok(())
    })
}
