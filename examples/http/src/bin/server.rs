//! Serves HTTP/1 until it is interrupted: `server [ADDRESS] [--threads N]`. A second interrupt ends it at
//! once.

use std::env::args;
use std::io::Write;
use std::net::SocketAddr;

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

fn main() -> Result<()> {
    let (address, threads) = arguments(args().skip(1))?;
    run(async move {
        let listeners = listen(address, threads)?;
        println!("http://{}", listeners[0].local_addr()?);
        std::io::stdout().flush()?;
        let (on, stop) = (running_loop()?, Stop::default());
        let stops = stop.clone();
        running_loop()?.add_signal_handler(SIGINT, move || {
            stops.set();
            on.remove_signal_handler(SIGINT).map(drop)
        })?;
        let served = serve_on_threads(listeners, &stop).await?;
        println!("connections: {served:?}");
        Ok(())
    })
}
