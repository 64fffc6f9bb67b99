//! A server, and two clients that ask it at once, on one loop. How they do it is in `lib.rs`.

use callsoon::io::TcpListener;
use callsoon::{Result, create_task, gather, run};
use http_hyper::{get, serve};

fn main() -> Result<()> {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let server = create_task(serve(listener));
        let mut clients = Vec::new();
        for path in ["/", "/nowhere"] {
            clients.push(create_task(get(address, path)));
        }
        for (status, body) in gather(&clients).await? {
            print!("{}: {}", status.as_u16(), String::from_utf8_lossy(&body));
        }
        server.cancel();
        assert!(server.await.unwrap_err().is_cancelled());
        println!("the server is gone");
        Ok(())
    })
}
