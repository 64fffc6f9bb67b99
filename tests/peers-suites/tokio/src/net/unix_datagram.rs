//! [`UnixDatagram`].

use std::io;
use std::net::Shutdown;
use std::os::unix::net::{self as unix, SocketAddr};
use std::path::Path;
use std::task::{Context, Poll};

use callsoon::io::Async;
use tokio_own::io::ReadBuf;

use super::ready::common;
use super::udp::receive;
use super::{on, to_io};
use crate::here::Here;

pub struct UnixDatagram {
    io: Here<Async<unix::UnixDatagram>>,
}

common!(UnixDatagram);

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

    #[track_caller]
    pub fn from_std(std: unix::UnixDatagram) -> io::Result<UnixDatagram> {
        let io = Async::new_on(&on(), std).map_err(to_io)?;
        Ok(UnixDatagram { io: Here::new(io) })
    }

    pub fn into_std(self) -> io::Result<unix::UnixDatagram> {
        self.io.into_inner().into_inner().map_err(to_io)
    }

    pub fn connect<P: AsRef<Path>>(&self, path: P) -> io::Result<()> {
        self.io.get_ref().connect(path)
    }

    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().local_addr()
    }

    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().peer_addr()
    }

    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.io.get_ref().shutdown(how)
    }

    pub async fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        Here::new(self.io.write_with(|socket| socket.send(bytes))).await.map_err(to_io)
    }

    pub async fn send_to<P: AsRef<Path>>(&self, bytes: &[u8], to: P) -> io::Result<usize> {
        Here::new(self.io.write_with(|socket| socket.send_to(bytes, &to))).await.map_err(to_io)
    }

    pub async fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        Here::new(self.io.read_with(|socket| socket.recv(buffer))).await.map_err(to_io)
    }

    pub async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        Here::new(self.io.read_with(|socket| socket.recv_from(buffer))).await.map_err(to_io)
    }

    pub async fn recv_buf<B: bytes::BufMut>(&self, buffer: &mut B) -> io::Result<usize> {
        let work =
            self.io.read_with(|socket| receive(buffer, |bytes| Ok((socket.recv(bytes)?, ()))));
        Here::new(work).await.map(|(count, ())| count).map_err(to_io)
    }

    pub async fn recv_buf_from<B: bytes::BufMut>(
        &self,
        buffer: &mut B,
    ) -> io::Result<(usize, SocketAddr)> {
        let work = self.io.read_with(|socket| receive(buffer, |bytes| socket.recv_from(bytes)));
        Here::new(work).await.map_err(to_io)
    }

    pub fn try_send(&self, bytes: &[u8]) -> io::Result<usize> {
        self.io.get_ref().send(bytes)
    }

    pub fn try_send_to<P: AsRef<Path>>(&self, bytes: &[u8], to: P) -> io::Result<usize> {
        self.io.get_ref().send_to(bytes, to)
    }

    pub fn try_recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.io.get_ref().recv(buffer)
    }

    pub fn try_recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.io.get_ref().recv_from(buffer)
    }

    pub fn try_recv_buf<B: bytes::BufMut>(&self, buffer: &mut B) -> io::Result<usize> {
        receive(buffer, |bytes| Ok((self.try_recv(bytes)?, ()))).map(|(count, ())| count)
    }

    pub fn try_recv_buf_from<B: bytes::BufMut>(
        &self,
        buffer: &mut B,
    ) -> io::Result<(usize, SocketAddr)> {
        receive(buffer, |bytes| self.try_recv_from(bytes))
    }

    pub fn poll_send(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.io.poll_write_with(cx, |socket| socket.send(bytes)).map_err(to_io)
    }

    pub fn poll_send_to<P: AsRef<Path>>(
        &self,
        cx: &mut Context<'_>,
        bytes: &[u8],
        to: P,
    ) -> Poll<io::Result<usize>> {
        self.io.poll_write_with(cx, |socket| socket.send_to(bytes, &to)).map_err(to_io)
    }

    pub fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let bytes = buffer.initialize_unfilled();
        let polled = self.io.poll_read_with(cx, |socket| socket.recv(bytes)).map_err(to_io);
        polled.map_ok(|count| buffer.advance(count))
    }

    pub fn poll_recv_from(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<SocketAddr>> {
        let bytes = buffer.initialize_unfilled();
        let polled = self.io.poll_read_with(cx, |socket| socket.recv_from(bytes)).map_err(to_io);
        polled.map_ok(|(count, from)| {
            buffer.advance(count);
            from
        })
    }
}
