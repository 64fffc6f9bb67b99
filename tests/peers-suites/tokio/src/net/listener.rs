//! [`TcpListener`] and [`UnixListener`].

use std::io;
use std::net::SocketAddr;
use std::os::unix::net as unix;
use std::path::Path;
use std::task::{Context, Poll};

use callsoon::io::Async;

use super::addr::{ToSocketAddrs, first};
use super::ready::common;
use super::{TcpStream, UnixStream, on, to_io};
use crate::here::Here;

pub struct TcpListener {
    io: Here<Async<std::net::TcpListener>>,
}

pub struct UnixListener {
    io: Here<Async<unix::UnixListener>>,
}

macro_rules! listener {
    ($listener:ident, $stream:ident, $std:ty, $addr:ty) => {
        impl $listener {
            #[track_caller]
            pub fn from_std(std: $std) -> io::Result<$listener> {
                let io = Async::new_on(&on(), std).map_err(to_io)?;
                Ok($listener { io: Here::new(io) })
            }

            pub fn into_std(self) -> io::Result<$std> {
                Ok(self.io.into_inner().into_inner())
            }

            pub fn local_addr(&self) -> io::Result<$addr> {
                self.io.get_ref().local_addr()
            }

            pub async fn accept(&self) -> io::Result<($stream, $addr)> {
                let accept = Here::new(self.io.read_with(|listener| listener.accept()));
                let (stream, addr) = accept.await.map_err(to_io)?;
                Ok(($stream::from_std(stream)?, addr))
            }

            pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<($stream, $addr)>> {
                let accepted = self.io.poll_read_with(cx, |listener| listener.accept());
                let (stream, addr) = std::task::ready!(accepted).map_err(to_io)?;
                Poll::Ready($stream::from_std(stream).map(|stream| (stream, addr)))
            }
        }

        common!($listener);

        impl TryFrom<$std> for $listener {
            type Error = io::Error;

            fn try_from(std: $std) -> io::Result<$listener> {
                $listener::from_std(std)
            }
        }
    };
}

listener!(TcpListener, TcpStream, std::net::TcpListener, SocketAddr);
listener!(UnixListener, UnixStream, unix::UnixListener, unix::SocketAddr);

impl TcpListener {
    pub async fn bind<A: ToSocketAddrs>(addr: A) -> io::Result<TcpListener> {
        TcpListener::from_std(first(&addr, std::net::TcpListener::bind)?)
    }

    pub fn ttl(&self) -> io::Result<u32> {
        self.io.get_ref().ttl()
    }

    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.io.get_ref().set_ttl(ttl)
    }
}

/// A path that begins with a zero byte is an abstract name.
fn unix_addr(path: &Path) -> io::Result<unix::SocketAddr> {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::ffi::OsStrExt;
    match path.as_os_str().as_bytes() {
        [0, name @ ..] => unix::SocketAddr::from_abstract_name(name),
        _ => unix::SocketAddr::from_pathname(path),
    }
}

impl UnixListener {
    #[track_caller]
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<UnixListener> {
        UnixListener::bind_addr(&unix_addr(path.as_ref())?)
    }

    #[track_caller]
    pub fn bind_addr(addr: &unix::SocketAddr) -> io::Result<UnixListener> {
        UnixListener::from_std(unix::UnixListener::bind_addr(addr)?)
    }
}
