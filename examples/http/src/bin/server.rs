//! Serves HTTP/1 until it is interrupted: `server [ADDRESS] [--threads N]`. A second interrupt ends it at
//! once.

use std::env::args;
use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;

use callsoon::{Error, ErrorKind, Result, run, running_loop};
use http_hyper::{Stop, listen, serve_on_threads};

/// The signal of Ctrl-C.
const SIGINT: i32 = 2;

fn arguments(mut words: impl Iterator<Item = String>) -> Result<(SocketAddr, usize)> {
    let usage = || Error::new(ErrorKind::Value, "usage: server [ADDRESS] [--threads N]");
    let (mut address, mut threads) = (SocketAddr::from(([127, 0, 0, 1], 0)), 1);
    while let Some(word) = words.next() {
        if word == "--threads" {
            let count = words.next().and_then(|word| word.parse().ok());
            threads = count.filter(|&count| count > 0).ok_or_else(usage)?;
        } else {
            address = word.parse().map_err(|_| usage())?;
        }
    }
    Ok((address, threads))
}

/// Prints a line. An output that is read no more is an error, and no panic.
fn say(line: &str) -> Result<()> {
    let mut output = std::io::stdout();
    let said = writeln!(output, "{line}").and_then(|()| output.flush());
    said.map_err(|error| Error::new(ErrorKind::Io, format!("can't print {line:?}: {error}")))
}

async fn serve(address: SocketAddr, threads: usize) -> Result<()> {
    let listeners = listen(address, threads).map_err(|error| {
        Error::new(ErrorKind::Io, format!("can't listen on {address}: {}", error.message()))
    })?;
    say(&format!("http://{}", listeners[0].local_addr()?))?;
    let (on, stop) = (running_loop()?, Stop::default());
    let stops = stop.clone();
    running_loop()?.add_signal_handler(SIGINT, move || {
        stops.set();
        on.remove_signal_handler(SIGINT).map(drop)
    })?;
    let served = serve_on_threads(listeners, &stop).await?;
    say(&format!("connections: {served:?}"))
}

fn main() -> ExitCode {
    let served =
        arguments(args().skip(1)).and_then(|(address, threads)| run(serve(address, threads)));
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "server: {}", error.message());
            ExitCode::FAILURE
        }
    }
}
