use callsoon::io::TcpStream;
use callsoon::run;

fn main() -> callsoon::Result<()> {
    run(async {
        TcpStream::connect(80).await?;
        Ok(())
    })
}
