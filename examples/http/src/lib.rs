//! An HTTP/1 server by hyper on a callsoon loop, for its program and its tests.

use std::time::Duration;

use callsoon::bridges::LoopTimer;
use callsoon::io::TcpListener;
use callsoon::{Error, Result, TaskGroup, sleep};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Incoming};
use hyper::rt::{Read, Write};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};

/// What the server says to `GET /`.
pub const GREETING: &str = "hello from the loop\n";

/// How much it takes back of a body to `POST /echo`.
pub const MOST_ECHOED: u64 = 16 << 20;

/// Answers one request: `GET /`, `GET /later` after a second, `POST /echo`.
///
/// # Errors
///
/// The cancellation; what is wrong with the connection.
pub async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>> {
    let (status, body) = match (request.method(), request.uri().path()) {
        (&Method::GET, "/") => (StatusCode::OK, Bytes::from_static(GREETING.as_bytes())),
        (&Method::GET, "/later") => {
            sleep(Duration::from_secs(1)).await?;
            (StatusCode::OK, Bytes::from_static(GREETING.as_bytes()))
        }
        (&Method::POST, "/echo") => match request.body().size_hint().upper() {
            Some(length) if length <= MOST_ECHOED => {
                (StatusCode::OK, request.into_body().collect().await?.to_bytes())
            }
            _ => (StatusCode::PAYLOAD_TOO_LARGE, Bytes::new()),
        },
        _ => (StatusCode::NOT_FOUND, Bytes::from_static(b"there is nothing here\n")),
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    Ok(response)
}

/// Serves one connection to its end. A peer that breaks it off or talks nonsense is reported,
/// and is nobody else's concern.
///
/// # Errors
///
/// The cancellation of the task, unless that came between two requests: then it just ends.
pub async fn serve_one(stream: impl Read + Write + Unpin, timer: LoopTimer) -> Result<()> {
    let mut http = http1::Builder::new();
    // A peer has 30 seconds for the head of a request, by hyper's own default.
    let connection = http.timer(timer).serve_connection(stream, service_fn(answer));
    match connection.await {
        Err(error) => match Error::within(&error) {
            Some(own) if own.is_cancelled() => Err(own),
            _ => {
                eprintln!("a connection: {error}");
                Ok(())
            }
        },
        Ok(()) => Ok(()),
    }
}

/// Serves whoever comes, each in a task of its own, until it is cancelled.
///
/// # Errors
///
/// The cancellation; what the system says when nobody can be accepted.
pub async fn serve(listener: TcpListener) -> Result<()> {
    let timer = LoopTimer::new()?;
    TaskGroup::scope(async |group| {
        loop {
            let (stream, _peer) = listener.accept().await?;
            stream.set_nodelay(true)?;
            group.create_task(serve_one(stream, timer))?;
        }
    })
    .await
}
