//! Asks an HTTP/1 server: `client ADDRESS PATH`.

use std::net::SocketAddr;

use callsoon::io::TcpStream;
use callsoon::{Error, ErrorKind, Result, create_task, run, wrap_future};
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Request, header};

/// The status and the body of what is at `path`.
async fn get(server: SocketAddr, path: &str) -> Result<(u16, Bytes)> {
    let stream = TcpStream::connect(server).await?;
    let (mut sender, connection) = http1::handshake(stream).await?;
    // What is said over the connection, and what is asked of it, are two things to wait for.
    let connection = create_task(async move { Ok(connection.await?) })?;
    let request =
        Request::get(path).header(header::HOST, server.to_string()).body(Empty::<Bytes>::new())?;
    // Wrapped, because these two know nothing of the loop: so a cancellation is returned here.
    let response = wrap_future(sender.send_request(request)).await??;
    let status = response.status().as_u16();
    let body = wrap_future(response.into_body().collect()).await??.to_bytes();
    drop(sender);
    connection.await?;
    Ok((status, body))
}

fn main() -> Result<()> {
    let mut words = std::env::args().skip(1);
    let (Some(server), Some(path)) = (words.next(), words.next()) else {
        return Err(Error::new(ErrorKind::Value, "usage: client ADDRESS PATH"));
    };
    let server = server.parse()?;
    let (status, body) = run(async move { get(server, &path).await })?;
    eprintln!("status {status}");
    print!("{}", String::from_utf8_lossy(&body));
    Ok(())
}
