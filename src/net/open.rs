//! Connections and servers of streams.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::future::Future;
#[cfg(unix)]
use std::path::Path;

use super::listening::{Listening, listening_at};
use super::server::Server;
use super::stream_protocol::StreamProtocol;
use super::stream_reader::StreamReader;
use super::stream_writer::StreamWriter;
use super::transport::{Socket, Tls, Transport};
use crate::asyncio::{AnyFuture, LoopFuture};
use crate::error::Result;
use crate::event_loop::{LoopRef, running_loop};
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
    let on = running_loop()?;
    let reader = StreamReader::on(&on, limit)?;
    let stream = TcpStream::connect_to_host_with(host, port, options).await?.into_inner();
    open(&on, Socket::Tcp(Rc::new(stream)), tls, reader).await
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
    let on = running_loop()?;
    let reader = StreamReader::on(&on, limit)?;
    let stream = UnixStream::connect(path).await?.into_inner();
    open(&on, Socket::Unix(Rc::new(stream)), None, reader).await
}

/// The streams of a connection.
async fn open(
    on: &LoopRef,
    socket: Socket,
    tls: Option<&Tls>,
    reader: StreamReader,
) -> Result<(StreamReader, StreamWriter)> {
    let protocol = StreamProtocol::new(on, &reader);
    let waiter = LoopFuture::new(on);
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
    serve_tcp(connected, host, port, limit, None).await
}

/// Serves streams at `port` of `host`, over TLS if `tls` is given.
pub(super) async fn serve_tcp<F>(
    connected: impl Fn(StreamReader, StreamWriter) -> F + 'static,
    host: Option<&str>,
    port: u16,
    limit: usize,
    tls: Option<Tls>,
) -> Result<Server>
where
    F: Future<Output = Result<()>> + 'static,
{
    let on = running_loop()?;
    drop(StreamReader::on(&on, limit)?);
    let sockets = listening_at(&on, host, port).await?;
    serve(&on, sockets, tls, connected, limit).await
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
    let on = running_loop()?;
    drop(StreamReader::on(&on, limit)?);
    serve(&on, [Listening::unix(path.as_ref())?].into(), None, connected, limit).await
}

/// Serves streams.
async fn serve<F>(
    on: &LoopRef,
    sockets: Vec<Listening>,
    tls: Option<Tls>,
    connected: impl Fn(StreamReader, StreamWriter) -> F + 'static,
    limit: usize,
) -> Result<Server>
where
    F: Future<Output = Result<()>> + 'static,
{
    let connected = Rc::new(connected);
    let of = on.clone();
    let connect = move |socket, waiter| {
        let reader = StreamReader::on(&of, limit)?;
        let protocol = StreamProtocol::new(&of, &reader);
        let (own, connected) = (Rc::clone(&protocol), Rc::clone(&connected));
        let made = move |transport: &Transport| {
            let writer = StreamWriter::new(transport, own, Some(&reader));
            let served = connected(reader, writer);
            serve_client(transport, served)
        };
        protocol.transport(socket, tls.as_ref(), made, waiter)
    };
    Server::start(on, sockets, Rc::new(connect)).await
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
