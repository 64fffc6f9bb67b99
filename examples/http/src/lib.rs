//! HTTP/1 by hyper on a callsoon loop: a server and a client, for their programs and their tests.

use std::io::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use callsoon::bridges::LoopTimer;
use callsoon::io::{TcpListener, TcpStream};
use callsoon::{Error, Result, TaskGroup, create_task, sleep, wrap_future};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::{Body, Bytes, Incoming};
use hyper::rt::{Read, Write};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, client, header, server};

/// What the server says to `GET /`.
pub const GREETING: &str = "hello from the loop\n";

/// How much it takes back of a body to `POST /echo`.
pub const MOST_ECHOED: u64 = 16 << 20;

/// Answers one request: `GET /`, `GET /later` after a second, `POST /echo`. Its errors are a
/// cancellation, and what is wrong with the connection.
pub async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>> {
    let (status, body) = match (request.method(), request.uri().path()) {
        (&Method::GET, "/") => (StatusCode::OK, GREETING.into()),
        (&Method::GET, "/later") => {
            sleep(Duration::from_secs(1)).await?;
            (StatusCode::OK, GREETING.into())
        }
        (&Method::POST, "/echo") => match request.body().size_hint().upper() {
            Some(length) if length <= MOST_ECHOED => {
                (StatusCode::OK, request.into_body().collect().await?.to_bytes())
            }
            _ => (StatusCode::PAYLOAD_TOO_LARGE, Bytes::new()),
        },
        _ => (StatusCode::NOT_FOUND, "there is nothing here\n".into()),
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    Ok(response)
}

/// Serves one connection to its end. A peer that breaks it off or talks nonsense is reported,
/// and disturbs no other. A cancellation is returned, unless it came between two requests.
pub async fn serve_one(stream: impl Read + Write + Unpin, timer: LoopTimer) -> Result<()> {
    let mut http = server::conn::http1::Builder::new();
    // A peer has 30 seconds for the head of a request, by hyper's own default.
    let connection = http.timer(timer).serve_connection(stream, service_fn(answer));
    let Err(error) = connection.await else { return Ok(()) };
    match Error::find_in(&error) {
        Some(own) if own.is_cancelled() => Err(own),
        _ => {
            report(&error);
            Ok(())
        }
    }
}

/// Writes what is wrong with a connection. A standard error that is closed is no reason to stop.
fn report(error: &dyn std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "a connection: {error}");
}

/// Serves a connection in a task of its own, whose panic is reported, too.
async fn serve_apart(stream: TcpStream, timer: LoopTimer) -> Result<()> {
    let serving = async move {
        stream.set_nodelay(true)?;
        serve_one(stream, timer).await
    };
    match create_task(serving).await {
        Err(error) if !error.is_cancelled() => {
            report(&error);
            Ok(())
        }
        outcome => outcome,
    }
}

/// Serves each connection, all at once, until it is cancelled.
pub async fn serve(listener: TcpListener) -> Result<()> {
    let timer = LoopTimer::new();
    TaskGroup::scope(async |group| {
        loop {
            let (stream, _peer) = listener.accept().await?;
            group.create_task(serve_apart(stream, timer))?;
        }
    })
    .await
}

/// The status and the body of what is at `path`.
pub async fn get(server: SocketAddr, path: &str) -> Result<(StatusCode, Bytes)> {
    let stream = TcpStream::connect(server).await?;
    let (mut sender, connection) = client::conn::http1::handshake(stream).await?;
    // What is said over the connection, and what is asked of it, are two things to wait for.
    let connection = create_task(async move { Ok(connection.await?) });
    let request = Request::get(path).header(header::HOST, server.to_string());
    let request = request.body(Empty::<Bytes>::new())?;
    // Wrapped, because these two know nothing of the loop: so a cancellation is returned here.
    let response = wrap_future(sender.send_request(request)).await??;
    let status = response.status();
    let body = wrap_future(response.into_body().collect()).await??.to_bytes();
    drop(sender);
    connection.await?;
    Ok((status, body))
}
