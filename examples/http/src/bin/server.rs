//! Serves HTTP/1 until it is interrupted: `server [ADDRESS]`.

use std::io::Write;

use callsoon::io::TcpListener;
use callsoon::{Result, create_task, run, running_loop};

/// What Ctrl-C sends.
const SIGINT: i32 = 2;

fn main() -> Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".to_owned());
    run(async move {
        let listener = TcpListener::bind(address)?;
        println!("http://{}", listener.local_addr()?);
        std::io::stdout().flush()?;
        let server = create_task(http_hyper::serve(listener));
        let stops = server.clone();
        running_loop()?.add_signal_handler(SIGINT, move || {
            stops.cancel();
        })?;
        match server.await {
            Err(error) if error.is_cancelled() => Ok(()),
            outcome => outcome,
        }
    })
}
