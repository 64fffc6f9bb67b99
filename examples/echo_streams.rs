//! An echo server and its clients, by asyncio's streams: `cargo run --example echo_streams`.

use callsoon::net::{DEFAULT_LIMIT, StreamReader, StreamWriter, open_connection, start_server};
use callsoon::{Result, create_task, gather, run};

/// Sends each line back until the client ends its direction.
async fn echo(reader: StreamReader, writer: StreamWriter) -> Result<()> {
    loop {
        let line = reader.readline().await?;
        if line.is_empty() {
            return Ok(());
        }
        writer.write(&line)?;
        writer.drain().await?;
    }
}

/// Sends some lines, and returns the number of bytes that came back.
async fn client(port: u16, number: usize) -> Result<usize> {
    let (reader, writer) = open_connection("127.0.0.1", port, DEFAULT_LIMIT).await?;
    for at in 0..3 {
        writer.write(format!("line {at} of client {number}\n").as_bytes())?;
        writer.drain().await?;
    }
    writer.write_eof()?;
    let echoed = reader.read_to_end().await?.len();
    writer.close();
    writer.wait_closed().await?;
    Ok(echoed)
}

fn main() -> Result<()> {
    run(async {
        let server = start_server(echo, Some("127.0.0.1"), 0, DEFAULT_LIMIT).await?;
        let port = server.addresses()[0].ip().map_or(0, |address| address.port());
        let clients: Vec<_> = (0..10).map(|number| create_task(client(port, number))).collect();
        let echoed: usize = gather(&clients).await?.into_iter().sum();
        server.close();
        server.wait_closed().await?;
        println!("10 clients, {echoed} bytes echoed");
        Ok(())
    })
}
