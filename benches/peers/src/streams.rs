//! Echo servers by what stands on sockets: asyncio's streams and protocols, tokio's buffered halves.
//! Those of lines read one line, write it and flush it, and so on.

use std::{cell::OnceCell, future::Future, io};

use callsoon::net::{DEFAULT_LIMIT, Protocol, StreamReader, StreamWriter, Transport, start_server};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, BufWriter};

/// The servers by name. Each prints its port.
pub const SERVERS: &[(&str, fn())] = &[
    ("callsoon-streams", || callsoon_server(callsoon_streams(echo))),
    ("callsoon-streams-lines", || callsoon_server(callsoon_streams(echo_lines))),
    ("callsoon-protocol", || callsoon_server(callsoon_protocol())),
    ("tokio-buffered", || tokio_buffered(buffered_echo)),
    ("tokio-buffered-lines", || tokio_buffered(buffered_lines)),
];

fn callsoon_server(serve: impl Future<Output = callsoon::Result<()>> + 'static) {
    callsoon::run(serve).unwrap();
}

async fn callsoon_streams<F: Future<Output = callsoon::Result<()>> + 'static>(
    echo: fn(StreamReader, StreamWriter) -> F,
) -> callsoon::Result<()> {
    let server = start_server(echo, Some("127.0.0.1"), 0, DEFAULT_LIMIT).await?;
    println!("{}", server.addresses()[0].ip().unwrap().port());
    server.serve_forever().await
}

async fn echo(reader: StreamReader, writer: StreamWriter) -> callsoon::Result<()> {
    loop {
        let data = reader.read(1024).await?;
        if data.is_empty() {
            writer.close();
            return Ok(());
        }
        writer.write(&data)?;
        writer.drain().await?;
    }
}

async fn echo_lines(reader: StreamReader, writer: StreamWriter) -> callsoon::Result<()> {
    loop {
        let line = reader.readline().await?;
        if line.is_empty() {
            writer.close();
            return Ok(());
        }
        writer.write(&line)?;
        writer.drain().await?;
    }
}

#[derive(Default)]
struct Echo(OnceCell<Transport>);

impl Protocol for Echo {
    fn connection_made(&self, transport: &Transport) -> callsoon::Result<()> {
        let _ = self.0.set(transport.clone());
        Ok(())
    }

    fn data_received(&self, data: &[u8]) -> callsoon::Result<()> {
        self.0.get().map_or(Ok(()), |transport| transport.write(data))
    }
}

async fn callsoon_protocol() -> callsoon::Result<()> {
    let on = callsoon::running_loop()?;
    let server = on.create_server(Echo::default, Some("127.0.0.1"), 0).await?;
    println!("{}", server.addresses()[0].ip().unwrap().port());
    server.serve_forever().await
}

fn tokio_buffered<F>(echo: fn(tokio::net::TcpStream) -> F)
where
    F: Future<Output = io::Result<()>> + 'static,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let serve = async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{}", listener.local_addr().unwrap().port());
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            tokio::task::spawn_local(echo(stream));
        }
    };
    tokio::task::LocalSet::new().block_on(&runtime, serve)
}

async fn buffered_echo(stream: tokio::net::TcpStream) -> io::Result<()> {
    let (reads, writes) = stream.into_split();
    let (mut reader, mut writer) = (BufReader::new(reads), BufWriter::new(writes));
    let mut buffer = [0; 1024];
    loop {
        match reader.read(&mut buffer).await? {
            0 => return Ok(()),
            count => writer.write_all(&buffer[..count]).await?,
        }
        writer.flush().await?;
    }
}

async fn buffered_lines(stream: tokio::net::TcpStream) -> io::Result<()> {
    let (reads, writes) = stream.into_split();
    let (mut reader, mut writer) = (BufReader::new(reads), BufWriter::new(writes));
    let mut line = vec![];
    while reader.read_until(b'\n', &mut line).await? > 0 {
        writer.write_all(&line).await?;
        writer.flush().await?;
        line.clear();
    }
    Ok(())
}
