use callsoon::io::{TcpListener, TcpStream};
use callsoon::run;

fn main() -> callsoon::Result<()> {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        TcpStream::connect(format!("127.0.0.1:{port}").as_str()).await?;
        TcpStream::connect(("127.0.0.1", port)).await?;
        Ok(())
    })
}
