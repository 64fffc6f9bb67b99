// Servers that start at once, later, or with serve_forever, and one without hosts.
use std::time::Duration;

use callsoon::net::{
    DEFAULT_LIMIT, ServerOptions, StreamReader, StreamWriter, start_server, start_server_with,
};
use callsoon::{Catch, ErrorKind, EventLoop, Result, ReturnWhen, create_task, run_on, sleep, wait};

async fn hang_up(_reader: StreamReader, writer: StreamWriter) -> Result<()> {
    writer.close();
    Ok(())
}

async fn program() -> Result<()> {
    let server = start_server(hang_up, Some("127.0.0.1"), 0, DEFAULT_LIMIT).await?;
    println!("serves {}", server.is_serving());
    server.close();
    server.wait_closed().await?;

    let later = ServerOptions::new().start_serving(false);
    let hosts = (["127.0.0.1", "127.0.0.1"], 0);
    let server = start_server_with(hang_up, hosts, DEFAULT_LIMIT, &later).await?;
    println!("serves {} {}", server.is_serving(), server.sockets().len());
    server.start_serving().await?;
    server.start_serving().await?;
    println!("serves {}", server.is_serving());
    server.close();

    let server = start_server_with(hang_up, ("127.0.0.1", 0), DEFAULT_LIMIT, &later).await?;
    let serving = server.clone();
    let forever = create_task(async move { serving.serve_forever().await });
    sleep(Duration::from_millis(500)).await?;
    println!("serves {}", server.is_serving());
    forever.cancel();
    wait([&forever], None, ReturnWhen::AllCompleted).await?;
    println!("serves {} {}", server.is_serving(), server.sockets().len());

    start_server_with(hang_up, ([""; 0], 0), DEFAULT_LIMIT, &later).await?;
    Ok(())
}

async fn guarded() -> Result<()> {
    if let Err(error) = program().await.catch_kind(ErrorKind::Io)? {
        println!("{}", error.message());
    }
    Ok(())
}

pub(crate) fn main() -> Result<()> {
    run_on(&EventLoop::with_virtual_time(), guarded())
}
