//! Says a line to an echo server over TLS, both on one loop.

use callsoon::io::{TcpListener, TcpStream};
use callsoon::{Result, create_task, run};
use futures_util::{AsyncReadExt, AsyncWriteExt};
use tls_rustls::{connect, fresh_certificate, serve};

fn main() -> Result<()> {
    run(async {
        let (acceptor, connector) = fresh_certificate()?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let server = create_task(serve(listener, acceptor));

        let mut stream = connect(&connector, TcpStream::connect(address).await?).await?;
        stream.write_all(b"hello, in private").await?;
        stream.close().await?;
        let mut echoed = String::new();
        stream.read_to_string(&mut echoed).await?;
        println!("{echoed}");
        server.cancel();
        Ok(())
    })
}
