//! Pairs of connected sockets: Unix ones, and connections of TCP where there are no others.

use std::io::{self, Read};

#[cfg(unix)]
pub(crate) use std::os::unix::net::UnixStream as LocalStream;

#[cfg(windows)]
pub(crate) use std::net::TcpStream as LocalStream;

#[cfg(unix)]
pub(crate) use callsoon::io::UnixStream as AsyncLocalStream;

#[cfg(windows)]
pub(crate) use callsoon::io::TcpStream as AsyncLocalStream;

#[cfg(unix)]
pub(crate) fn local_pair() -> io::Result<(LocalStream, LocalStream)> {
    LocalStream::pair()
}

#[cfg(windows)]
pub(crate) fn local_pair() -> io::Result<(LocalStream, LocalStream)> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let one = LocalStream::connect(listener.local_addr()?)?;
    let (other, _) = listener.accept()?;
    one.set_nodelay(true)?;
    other.set_nodelay(true)?;
    Ok((one, other))
}

pub(crate) fn async_local_pair() -> callsoon::Result<(AsyncLocalStream, AsyncLocalStream)> {
    let (one, other) = local_pair()?;
    Ok((AsyncLocalStream::from(one)?, AsyncLocalStream::from(other)?))
}

/// The other end of `peer` is closed, or will be as soon as a child that another test has just
/// forked, with a copy of every descriptor, has started its program. A close that leaves something
/// unread may be a reset.
#[track_caller]
pub(crate) fn assert_closed(mut peer: LocalStream) {
    peer.set_read_timeout(Some(std::time::Duration::from_secs(60))).unwrap();
    match peer.read(&mut [0]) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
        read => assert_eq!(read.expect("the other end is open"), 0),
    }
}
