//! [`UnixDatagram`].

use std::io;
use std::net::Shutdown;
use std::os::unix::net::{self as unix, SocketAddr};
use std::path::Path;
use std::task::{Context, Poll};

use callsoon::io::Async;

use super::datagram::datagram;
use super::ready::common;
use super::to_io;
use crate::here::Here;

pub struct UnixDatagram {
    io: Here<Async<unix::UnixDatagram>>,
}

common!(UnixDatagram);
datagram!(UnixDatagram, unix::UnixDatagram, SocketAddr);

impl UnixDatagram {
    #[track_caller]
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<UnixDatagram> {
        UnixDatagram::from_std(unix::UnixDatagram::bind(path)?)
    }

    #[track_caller]
    pub fn pair() -> io::Result<(UnixDatagram, UnixDatagram)> {
        let (one, other) = unix::UnixDatagram::pair()?;
        Ok((UnixDatagram::from_std(one)?, UnixDatagram::from_std(other)?))
    }

    #[track_caller]
    pub fn unbound() -> io::Result<UnixDatagram> {
        UnixDatagram::from_std(unix::UnixDatagram::unbound()?)
    }

    pub fn connect<P: AsRef<Path>>(&self, path: P) -> io::Result<()> {
        self.io.get_ref().connect(path)
    }

    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.io.get_ref().shutdown(how)
    }

    pub async fn send_to<P: AsRef<Path>>(&self, bytes: &[u8], to: P) -> io::Result<usize> {
        Here::new(self.io.write_with(|socket| socket.send_to(bytes, &to))).await.map_err(to_io)
    }

    pub fn try_send_to<P: AsRef<Path>>(&self, bytes: &[u8], to: P) -> io::Result<usize> {
        self.io.get_ref().send_to(bytes, to)
    }

    pub fn poll_send_to<P: AsRef<Path>>(
        &self,
        cx: &mut Context<'_>,
        bytes: &[u8],
        to: P,
    ) -> Poll<io::Result<usize>> {
        self.io.poll_write_with(cx, |socket| socket.send_to(bytes, &to)).map_err(to_io)
    }
}
