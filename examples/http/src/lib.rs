//! HTTP/1 by hyper on a callsoon loop: a server and a client, for their programs and their tests.
//! `threads` has the server on several loops, a thread each.

mod stop;
mod threads;

use std::cell::Cell;
use std::future::poll_fn;
use std::io::Write as _;
use std::mem::replace;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use callsoon::bridges::LoopTimer;
use callsoon::io::{TcpListener, TcpStream};
use callsoon::{
    Catch, Error, ErrorKind, Result, ReturnWhen, TaskGroup, create_task, running_loop, sleep,
    timeout, wait, wrap_future,
};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::{Body, Bytes, Incoming};
use hyper::rt::{Read, Write};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, client, header, server};

pub use stop::Stop;
pub use threads::{listen, serve_on_threads};

/// The body of the server's answer to `GET /`.
pub const GREETING: &str = "hello from the loop\n";

/// The longest body that `POST /echo` takes, in bytes.
pub const MOST_ECHOED: u64 = 16 << 20;

/// The time that requests in progress have after a graceful end has begun.
pub const GRACE: Duration = Duration::from_secs(10);

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

/// Serves one connection to its end, which a set `stop` brings about after the request in progress.
/// A peer that breaks it off or talks nonsense is reported, and disturbs no other. A cancellation is
/// returned, unless it came between two requests.
pub async fn serve_one(
    stream: impl Read + Write + Unpin,
    timer: LoopTimer,
    stop: Stop,
) -> Result<()> {
    let mut http = server::conn::http1::Builder::new();
    // A peer has 30 seconds for the head of a request, by hyper's own default.
    let connection = http.timer(timer).serve_connection(stream, service_fn(answer));
    let (mut connection, mut wakes) = (pin!(connection), None);
    let mut is_stopping = false;
    let served = poll_fn(|cx| {
        wakes.get_or_insert_with(|| stop.wakes(cx.waker()));
        if stop.is_set() && !replace(&mut is_stopping, true) {
            connection.as_mut().graceful_shutdown();
        }
        connection.as_mut().poll(cx)
    });
    let Err(error) = served.await else { return Ok(()) };
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

/// Serves a connection in a task of its own. A panic of that task is reported, too.
async fn serve_apart(stream: TcpStream, timer: LoopTimer, stop: Stop) -> Result<()> {
    let serving = async move {
        stream.set_nodelay(true)?;
        serve_one(stream, timer, stop).await
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
    serve_until(listener, &Stop::default()).await.map(drop)
}

/// Serves each connection, all at once, until `stop` is set, and returns how many there were. Then it
/// closes the listener and the idle connections, and ends when the requests in progress are answered,
/// or after [`GRACE`].
pub async fn serve_until(listener: TcpListener, stop: &Stop) -> Result<usize> {
    let count = Rc::new(Cell::new(0));
    let served = timeout(None, async |limit| {
        TaskGroup::scope(async |group| {
            let connections = (group.clone(), stop.clone(), count.clone());
            let accepting = group.create_task(accept_all(listener, connections))?;
            stop.wait().await?;
            accepting.cancel();
            wait([&accepting], None, ReturnWhen::AllCompleted).await?;
            stop.wake();
            limit.reschedule(running_loop()?.time() + GRACE)
        })
        .await
    });
    if served.await.catch_kind(ErrorKind::Timeout)?.is_err() {
        report(&"cut off at the end");
    }
    Ok(count.get())
}

/// Accepts connections, each of which becomes a task of the group and is counted.
async fn accept_all(
    listener: TcpListener,
    (group, stop, count): (TaskGroup, Stop, Rc<Cell<usize>>),
) -> Result<()> {
    let timer = LoopTimer::new();
    loop {
        let (stream, _peer) = listener.accept().await?;
        count.set(count.get() + 1);
        group.create_task(serve_apart(stream, timer, stop.clone()))?;
    }
}

/// The status and the body of what is at `path`.
pub async fn get(server: SocketAddr, path: &str) -> Result<(StatusCode, Bytes)> {
    let stream = TcpStream::connect(server).await?;
    let (mut sender, connection) = client::conn::http1::handshake(stream).await?;
    // Driving the connection and waiting for the response are two things, so the first is a task.
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
