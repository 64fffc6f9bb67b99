//! A TCP echo server and its clients, all on one loop: `echo [CLIENTS] [REQUESTS]`.
//!
//! Each connection is a task, and ends by the word of its client. Then the server is cancelled,
//! says how much it has done, and closes what is open still.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Instant;

use callsoon::io::{TcpListener, TcpStream};
use callsoon::{Result, TaskGroup, create_task, run};

/// Sends back whatever comes, until the client closes its side.
async fn echo(stream: TcpStream, echoed: Rc<Cell<usize>>) -> Result<()> {
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

/// Serves until it is cancelled.
async fn serve(listener: TcpListener) -> Result<()> {
    let echoed = Rc::new(Cell::new(0));
    let outcome = TaskGroup::scope(async |group| {
        loop {
            let (stream, _peer) = listener.accept().await?;
            stream.set_nodelay(true)?;
            group.create_task(echo(stream, echoed.clone()))?;
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
        let server = create_task(serve(listener))?;
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
