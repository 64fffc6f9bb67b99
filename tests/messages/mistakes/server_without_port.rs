use callsoon::net::{DEFAULT_LIMIT, ServerOptions, StreamReader, StreamWriter, start_server_with};
use callsoon::run;

async fn serve(_: StreamReader, _: StreamWriter) -> callsoon::Result<()> {
    Ok(())
}

fn main() -> callsoon::Result<()> {
    run(async {
        start_server_with(serve, "127.0.0.1", DEFAULT_LIMIT, &ServerOptions::new()).await?;
        Ok(())
    })
}
