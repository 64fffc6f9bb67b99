//! Connections and servers of streams.

use alloc::rc::Rc;
use core::future::Future;
use std::net::TcpStream as TcpSocket;
#[cfg(unix)]
use std::os::unix::net::UnixStream as UnixSocket;
#[cfg(unix)]
use std::path::Path;

use super::listening::listening_at;
#[cfg(unix)]
use super::serve_at::ServeAtPath;
use super::serve_at::{Place, ServeAt};
use super::server::Server;
use super::server_options::ServerOptions;
use super::stream_protocol::StreamProtocol;
use super::stream_reader::StreamReader;
use super::stream_writer::StreamWriter;
use super::transport::{Socket, Tls, Transport};
use crate::asyncio::{AnyFuture, LoopFuture};
use crate::error::Result;
use crate::event_loop::running_loop;
#[cfg(unix)]
use crate::io::UnixStream;
use crate::io::{ConnectOptions, TcpStream};

/// Connects to `port` of `host`: `asyncio.open_connection`. The reader has a limit of `limit`
/// bytes, for which asyncio's default is [`DEFAULT_LIMIT`](super::DEFAULT_LIMIT).
///
/// ```
/// use callsoon::net::{DEFAULT_LIMIT, open_connection, start_server};
///
/// callsoon::run(async {
///     let echo = async |reader: callsoon::net::StreamReader, writer: callsoon::net::StreamWriter| {
///         writer.write(&reader.readline().await?)?;
///         writer.drain().await
///     };
///     let server = start_server(echo, Some("127.0.0.1"), 0, DEFAULT_LIMIT).await?;
///     let port = server.addresses()[0].ip().map_or(0, |address| address.port());
///     let (reader, writer) = open_connection("127.0.0.1", port, DEFAULT_LIMIT).await?;
///     writer.write(b"hello\n")?;
///     assert_eq!(reader.readline().await?, b"hello\n");
///     writer.close();
///     writer.wait_closed().await?;
///     server.close();
///     server.wait_closed().await
/// }).unwrap();
/// ```
///
/// # Errors
///
/// As [`TcpStream::connect_to_host`]; [`Value`](crate::ErrorKind::Value) if `limit` is 0.
///
/// # Cancellation
///
/// Cancelled or dropped, the connection is closed.
pub async fn open_connection(
    host: &str,
    port: u16,
    limit: usize,
) -> Result<(StreamReader, StreamWriter)> {
    open_connection_with(host, port, limit, &ConnectOptions::new()).await
}

/// Connects like [`open_connection`], with options: the parameters `local_addr`, `happy_eyeballs_delay` and
/// `interleave`.
///
/// # Errors
///
/// As [`TcpStream::connect_to_host_with`]; [`Value`](crate::ErrorKind::Value) if `limit` is 0.
///
/// # Cancellation
///
/// Cancelled or dropped, the connection is closed.
pub async fn open_connection_with(
    host: &str,
    port: u16,
    limit: usize,
    options: &ConnectOptions,
) -> Result<(StreamReader, StreamWriter)> {
    open_tcp(host, port, limit, options, None).await
}

/// The streams of a connection by name, over TLS if `tls` is given.
pub(super) async fn open_tcp(
    host: &str,
    port: u16,
    limit: usize,
    options: &ConnectOptions,
    tls: Option<&Tls>,
) -> Result<(StreamReader, StreamWriter)> {
    open(limit, tls, async || {
        let stream = TcpStream::connect_to_host_with(host, port, options).await?;
        Ok(Socket::Tcp(Rc::new(stream.into_inner())))
    })
    .await
}

/// Connects to the listener at `path`: `asyncio.open_unix_connection`. For the rest see
/// [`open_connection`].
///
/// # Errors
///
/// As [`UnixStream::connect`]; [`Value`](crate::ErrorKind::Value) if `limit` is 0.
///
/// # Cancellation
///
/// Cancelled or dropped, the connection is closed.
#[cfg(unix)]
pub async fn open_unix_connection(
    path: impl AsRef<Path>,
    limit: usize,
) -> Result<(StreamReader, StreamWriter)> {
    open_unix(path, limit, None).await
}

/// The streams of a connection to a path, over TLS if `tls` is given.
#[cfg(unix)]
pub(super) async fn open_unix(
    path: impl AsRef<Path>,
    limit: usize,
    tls: Option<&Tls>,
) -> Result<(StreamReader, StreamWriter)> {
    open(limit, tls, async || {
        let stream = UnixStream::connect(path).await?;
        Ok(Socket::Unix(Rc::new(stream.into_inner())))
    })
    .await
}

/// The streams of `socket`, which is connected already: `asyncio.open_connection` with `sock`. To talk TLS,
/// go on with `start_tls` of the writer, of the feature `tls`.
///
/// # Errors
///
/// [`Value`](crate::ErrorKind::Value) if `limit` is 0, and for a socket that isn't one of streams; what the
/// system says.
///
/// # Cancellation
///
/// Cancelled or dropped, the connection is closed.
pub async fn open_connection_on(
    socket: TcpSocket,
    limit: usize,
) -> Result<(StreamReader, StreamWriter)> {
    open(limit, None, async || Socket::given_tcp(socket)).await
}

/// Does as [`open_connection_on`], for a Unix socket: `asyncio.open_unix_connection` with `sock`.
///
/// ```
/// use callsoon::net::{DEFAULT_LIMIT, open_unix_connection_on};
///
/// callsoon::run(async {
///     let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
///     let (_, writer) = open_unix_connection_on(ours, DEFAULT_LIMIT).await?;
///     let (reader, _writer) = open_unix_connection_on(theirs, DEFAULT_LIMIT).await?;
///     writer.write(b"hello\n")?;
///     assert_eq!(reader.readline().await?, b"hello\n");
///     Ok(())
/// }).unwrap();
/// ```
///
/// # Errors
///
/// As [`open_connection_on`].
///
/// # Cancellation
///
/// As [`open_connection_on`].
#[cfg(unix)]
pub async fn open_unix_connection_on(
    socket: UnixSocket,
    limit: usize,
) -> Result<(StreamReader, StreamWriter)> {
    open(limit, None, async || Socket::given_unix(socket)).await
}

/// The streams of the connection that `connect` makes, over TLS if `tls` is given.
async fn open(
    limit: usize,
    tls: Option<&Tls>,
    connect: impl AsyncFnOnce() -> Result<Socket>,
) -> Result<(StreamReader, StreamWriter)> {
    let on = running_loop()?;
    let reader = StreamReader::on(&on, limit)?;
    let socket = connect().await?;
    let protocol = StreamProtocol::new(&on, &reader);
    let waiter = LoopFuture::new(&on);
    let transport = protocol.transport(socket, tls, |_| Ok(()), waiter.clone())?;
    // Dropped before the connection is made, it closes that.
    let writer = StreamWriter::new(&transport, protocol, Some(&reader));
    waiter.await?;
    Ok((reader, writer))
}

/// Serves streams at `port` of `host` (port 0: one that is free): `asyncio.start_server`. Without a
/// host, or with an empty one, it serves on all interfaces, of either family.
///
/// `connected` is called with the streams of each client, and its future is a task. A task that
/// fails is reported (`Unhandled exception in client_connected_cb`), and its connection is closed;
/// so is that of a task that is cancelled. A writer that `connected` doesn't move into its future is
/// dropped at once, which closes the connection; an async closure keeps both.
///
/// # Errors
///
/// What the system says of the name or the address; [`Value`](crate::ErrorKind::Value) if `limit`
/// is 0; the cancellation.
///
/// # Cancellation
///
/// Cancelled or dropped, it serves nothing.
pub async fn start_server<F>(
    connected: impl Fn(StreamReader, StreamWriter) -> F + 'static,
    host: Option<&str>,
    port: u16,
    limit: usize,
) -> Result<Server>
where
    F: Future<Output = Result<()>> + 'static,
{
    start_server_with(connected, (host, port), limit, &ServerOptions::new()).await
}

/// Serves like [`start_server`], at any place and with options: several hosts, the parameter `sock`, and
/// those that [`ServerOptions`] has.
///
/// # Errors
///
/// As [`start_server`]; [`Value`](crate::ErrorKind::Value) for a listener that isn't one of streams, and for
/// options that the system is without.
///
/// # Cancellation
///
/// As [`start_server`].
pub async fn start_server_with<F>(
    connected: impl Fn(StreamReader, StreamWriter) -> F + 'static,
    at: impl ServeAt,
    limit: usize,
    options: &ServerOptions,
) -> Result<Server>
where
    F: Future<Output = Result<()>> + 'static,
{
    serve(connected, at.place(), limit, options).await
}

/// Serves streams at `path`: `asyncio.start_unix_server`. A socket that is left there is removed, and
/// so is its own when the server is closed. For the rest see [`start_server`].
///
/// # Errors
///
/// As [`start_server`].
///
/// # Cancellation
///
/// As [`start_server`].
#[cfg(unix)]
pub async fn start_unix_server<F>(
    connected: impl Fn(StreamReader, StreamWriter) -> F + 'static,
    path: impl AsRef<Path>,
    limit: usize,
) -> Result<Server>
where
    F: Future<Output = Result<()>> + 'static,
{
    start_unix_server_with(connected, path.as_ref(), limit, &ServerOptions::new()).await
}

/// Serves like [`start_unix_server`], at a path or by a listener, and with options: the parameter `sock`, and
/// `backlog`, `start_serving`, `cleanup_socket` and `ssl` of [`ServerOptions`]. The others are for addresses
/// of IP.
///
/// # Errors
///
/// As [`start_server`]; [`Value`](crate::ErrorKind::Value) for a listener that isn't one of Unix streams.
///
/// # Cancellation
///
/// As [`start_server`].
#[cfg(unix)]
pub async fn start_unix_server_with<F>(
    connected: impl Fn(StreamReader, StreamWriter) -> F + 'static,
    at: impl ServeAtPath,
    limit: usize,
    options: &ServerOptions,
) -> Result<Server>
where
    F: Future<Output = Result<()>> + 'static,
{
    serve(connected, at.place(), limit, options).await
}

/// Serves streams.
async fn serve<F>(
    connected: impl Fn(StreamReader, StreamWriter) -> F + 'static,
    place: Place,
    limit: usize,
    options: &ServerOptions,
) -> Result<Server>
where
    F: Future<Output = Result<()>> + 'static,
{
    let on = running_loop()?;
    drop(StreamReader::on(&on, limit)?);
    let sockets = listening_at(&on, place, options).await?;
    let connected = Rc::new(connected);
    let (of, own_options) = (on.clone(), options.clone());
    let connect = move |socket, waiter| {
        let reader = StreamReader::on(&of, limit)?;
        let protocol = StreamProtocol::new(&of, &reader);
        let (own, connected) = (Rc::clone(&protocol), Rc::clone(&connected));
        let made = move |transport: &Transport| {
            let writer = StreamWriter::new(transport, own, Some(&reader));
            let served = connected(reader, writer);
            serve_client(transport, served)
        };
        protocol.transport(socket, own_options.tls.as_ref(), made, waiter)
    };
    Server::start(&on, sockets, options, Rc::new(connect)).await
}

/// Runs what the callback of a server has returned, as a task: asyncio's
/// `StreamReaderProtocol.connection_made`.
fn serve_client(
    transport: &Transport,
    served: impl Future<Output = Result<()>> + 'static,
) -> Result<()> {
    let task = transport.get_loop().create_task(served)?;
    let transport = transport.clone();
    task.add_done_callback(move |task: &dyn AnyFuture| match task.exception() {
        Err(_cancelled) => transport.close(),
        Ok(Some(error)) => {
            transport.report("Unhandled exception in client_connected_cb", Some(error));
            transport.close();
        }
        Ok(None) => {}
    });
    Ok(())
}
