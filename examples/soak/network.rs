//! [`Network`]: servers of streams, and their clients.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use callsoon::net::{
    DEFAULT_LIMIT, Server, StreamReader, StreamWriter, open_connection, start_server,
};
use callsoon::{Result, create_task, running_loop, sleep};
use fastrand::Rng;

use crate::work::millis;

type Served = Pin<Box<dyn Future<Output = Result<()>>>>;

/// Limit on the time until the server has ended a connection that its client has aborted.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Network {
    echo: Server,
    http: Server,
    connections: Rc<Cell<usize>>,
}

/// Sends back what comes, as fast as it is read.
async fn echo(reader: StreamReader, writer: StreamWriter) -> Result<()> {
    loop {
        let bytes = reader.read(4096).await?;
        if bytes.is_empty() {
            break;
        }
        writer.write(&bytes)?;
        writer.drain().await?;
    }
    writer.close();
    writer.wait_closed().await
}

/// Answers requests like those of HTTP, one after the other.
async fn respond(reader: StreamReader, writer: StreamWriter) -> Result<()> {
    loop {
        let head = reader.readuntil(b"\r\n\r\n").await;
        let Ok(head) = head else { break };
        let path = head.split(|byte| *byte == b' ').nth(1).unwrap_or_default().to_vec();
        writer.write(
            format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", path.len()).as_bytes(),
        )?;
        writer.write(&path)?;
        writer.drain().await?;
    }
    writer.close();
    writer.wait_closed().await
}

fn port(server: &Server) -> u16 {
    server.addresses()[0].ip().expect("of TCP").port()
}

impl Network {
    pub(crate) async fn start() -> Result<Network> {
        let connections = Rc::new(Cell::new(0));
        let counted = |serve: fn(StreamReader, StreamWriter) -> Served| {
            let connections = connections.clone();
            move |reader, writer| {
                let connections = connections.clone();
                connections.set(connections.get() + 1);
                let served = serve(reader, writer);
                async move {
                    // A client that aborts its connection is an error to the server, and nothing more.
                    let _: Result<()> = served.await;
                    connections.set(connections.get() - 1);
                    Ok(())
                }
            }
        };
        let echo = counted(|reader, writer| Box::pin(echo(reader, writer)));
        let http = counted(|reader, writer| Box::pin(respond(reader, writer)));
        Ok(Network {
            echo: start_server(echo, Some("127.0.0.1"), 0, DEFAULT_LIMIT).await?,
            http: start_server(http, Some("127.0.0.1"), 0, DEFAULT_LIMIT).await?,
            connections,
        })
    }

    /// Sends much, and reads the echo slowly and by small parts, so that each side waits for the other.
    pub(crate) async fn slow_reader(&self, mut rng: Rng) -> Result<u64> {
        let (reader, writer) = open_connection("127.0.0.1", port(&self.echo), 1024).await?;
        let bytes: Vec<u8> = (0..rng.usize(1..200_000)).map(|_| rng.u8(..)).collect();
        let (sent, writes) = (bytes.clone(), Rc::new(writer));
        let closes = writes.clone();
        let sender = create_task(async move {
            for part in sent.chunks(16 * 1024) {
                writes.write(part)?;
                writes.drain().await?;
            }
            writes.write_eof()
        });
        let mut got = Vec::new();
        loop {
            let part = reader.read(rng.usize(1..32 * 1024)).await?;
            if part.is_empty() {
                break;
            }
            got.extend(part);
            if rng.u8(0..4) == 0 {
                sleep(millis(&mut rng, 4)).await?;
            }
        }
        sender.await?;
        assert!(got == bytes, "{} of {} bytes came back", got.len(), bytes.len());
        closes.close();
        closes.wait_closed().await?;
        Ok(1)
    }

    /// Some requests over one connection, some of them at once.
    pub(crate) async fn requests(&self, mut rng: Rng) -> Result<u64> {
        let (reader, writer) =
            open_connection("127.0.0.1", port(&self.http), DEFAULT_LIMIT).await?;
        let mut answers = 0;
        for _ in 0..rng.u8(1..10) {
            let paths: Vec<String> =
                (0..rng.u8(1..4)).map(|_| "/".repeat(rng.usize(1..2000))).collect();
            for path in &paths {
                writer.write(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes())?;
            }
            writer.drain().await?;
            for path in &paths {
                let head = String::from_utf8(reader.readuntil(b"\r\n\r\n").await?).expect("ASCII");
                assert!(
                    head.ends_with(&format!("content-length: {}\r\n\r\n", path.len())),
                    "{head}"
                );
                assert_eq!(reader.readexactly(path.len()).await?, path.as_bytes());
                answers += 1;
            }
            sleep(millis(&mut rng, 3)).await?;
        }
        writer.close();
        writer.wait_closed().await?;
        Ok(answers)
    }

    /// A client that goes away in the midst of it, and one that is cancelled.
    pub(crate) async fn aborted(&self, mut rng: Rng) -> Result<u64> {
        let (_reader, writer) = open_connection("127.0.0.1", port(&self.echo), 1024).await?;
        writer.write(&vec![0; rng.usize(1..100_000)])?;
        let (to, length) = (port(&self.http), millis(&mut rng, 5));
        let client = create_task(async move {
            let (reader, writer) = open_connection("127.0.0.1", to, DEFAULT_LIMIT).await?;
            writer.write(b"GET / HTTP/1.1\r\n")?;
            reader.readline().await
        });
        sleep(length).await?;
        writer.transport().abort();
        client.cancel();
        assert!(client.await.unwrap_err().is_cancelled());
        Ok(2)
    }

    /// Waits until the servers have heard of the ends of all connections.
    pub(crate) async fn settle(&self) -> Result<()> {
        let start = running_loop()?.time();
        while self.connections.get() > 0 {
            let waited = running_loop()?.time() - start;
            assert!(waited < PATIENCE, "{} connections are left", self.connections.get());
            sleep(Duration::from_millis(1)).await?;
        }
        // The sockets are closed in the turn after that.
        sleep(Duration::from_millis(5)).await
    }

    pub(crate) async fn stop(&self) -> Result<()> {
        for server in [&self.echo, &self.http] {
            server.close();
            server.wait_closed().await?;
        }
        Ok(())
    }
}
