//! Echo servers by what stands on sockets: asyncio's streams and protocols, tokio's buffered halves.

use std::{cell::OnceCell, future::Future, io};

use callsoon::net::{DEFAULT_LIMIT, Protocol, StreamReader, StreamWriter, Transport, start_server};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader, BufWriter};

/// The servers by name. Each prints its port.
pub const SERVERS: &[(&str, fn())] = &[
    ("callsoon-streams", || callsoon_server(callsoon_streams())),
    ("callsoon-protocol", || callsoon_server(callsoon_protocol())),
    ("tokio-buffered", tokio_buffered),
];

fn callsoon_server(serve: impl Future<Output = callsoon::Result<()>> + 'static) {
    callsoon::run(serve).unwrap();
}

async fn callsoon_streams() -> callsoon::Result<()> {
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

fn tokio_buffered() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let serve = async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{}", listener.local_addr().unwrap().port());
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            tokio::task::spawn_local(buffered_echo(stream));
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
