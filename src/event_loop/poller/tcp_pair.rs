//! [`tcp_pair`]: a connection within this process, where the system has no other pairs of sockets.

use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};

/// Two ends, the first of them in non-blocking mode, to be watched by the loop.
pub(crate) fn tcp_pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let theirs = TcpStream::connect(listener.local_addr()?)?;
    let ours = loop {
        // Another process may have connected before.
        let (ours, peer) = listener.accept()?;
        if peer == theirs.local_addr()? {
            break ours;
        }
    };
    ours.set_nonblocking(true)?;
    for end in [&ours, &theirs] {
        end.set_nodelay(true)?;
    }
    Ok((ours, theirs))
}
