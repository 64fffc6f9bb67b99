//! Asks an HTTP/1 server: `client ADDRESS PATH`.

use callsoon::{Error, ErrorKind, Result, run};
use http_hyper::get;

fn main() -> Result<()> {
    let mut words = std::env::args().skip(1);
    let (Some(server), Some(path)) = (words.next(), words.next()) else {
        return Err(Error::new(ErrorKind::Value, "usage: client ADDRESS PATH"));
    };
    let server = server.parse()?;
    let (status, body) = run(async move { get(server, &path).await })?;
    eprintln!("status {status}");
    print!("{}", String::from_utf8_lossy(&body));
    Ok(())
}
