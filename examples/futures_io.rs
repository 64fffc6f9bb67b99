//! The bridge of the feature `futures-io`: a socket as `AsyncRead` and `AsyncWrite`, for all that is
//! written for these.
//!
//!     cargo run --example futures_io --features futures-io

use std::future::poll_fn;
use std::io;
use std::net::Shutdown;
use std::pin::Pin;

use callsoon::io::{TcpListener, TcpStream};
use callsoon::{Result, create_task, run};
use futures_io::{AsyncRead, AsyncWrite};

/// Sends back whatever comes, and then closes. Knows of the traits only, as another crate would.
async fn echo(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<usize> {
    let (mut buffer, mut echoed) = ([0; 512], 0);
    loop {
        let count = poll_fn(|cx| Pin::new(&mut stream).poll_read(cx, &mut buffer)).await?;
        let mut left = &buffer[..count];
        while !left.is_empty() {
            left = &left[poll_fn(|cx| Pin::new(&mut stream).poll_write(cx, left)).await?..];
        }
        if count == 0 {
            poll_fn(|cx| Pin::new(&mut stream).poll_close(cx)).await?;
            return Ok(echoed);
        }
        echoed += count;
    }
}

async fn conversation() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let server = create_task(async move {
        let (stream, _from) = listener.accept().await?;
        Ok(echo(stream).await?)
    });

    let stream = TcpStream::connect(address).await?;
    stream.write_all(&[b'x'; 10_000]).await?;
    stream.shutdown(Shutdown::Write)?;
    let (mut buffer, mut heard) = ([0; 512], 0);
    loop {
        match stream.read(&mut buffer).await? {
            0 => break,
            count => heard += count,
        }
    }
    println!("sent 10000 bytes, heard {heard}; the server echoed {}", server.await?);
    Ok(())
}

fn main() -> Result<()> {
    run(conversation())
}
