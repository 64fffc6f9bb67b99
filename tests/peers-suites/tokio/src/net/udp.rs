//! [`UdpSocket`].

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::task::{Context, Poll};

use callsoon::io::Async;
use tokio_own::io::ReadBuf;

use super::addr::{ToSocketAddrs, first};
use super::ready::common;
use super::{on, to_io};
use crate::here::Here;

pub struct UdpSocket {
    io: Here<Async<std::net::UdpSocket>>,
}

common!(UdpSocket);

/// Receives into a vector's or a buffer's spare room.
pub(super) fn receive<B: bytes::BufMut, R>(
    buffer: &mut B,
    receive: impl FnOnce(&mut [u8]) -> io::Result<(usize, R)>,
) -> io::Result<(usize, R)> {
    let mut bytes = vec![0; buffer.chunk_mut().len()];
    let (count, from) = receive(&mut bytes)?;
    buffer.put_slice(&bytes[..count]);
    Ok((count, from))
}

impl UdpSocket {
    pub async fn bind<A: ToSocketAddrs>(addr: A) -> io::Result<UdpSocket> {
        UdpSocket::from_std(first(&addr, std::net::UdpSocket::bind)?)
    }

    #[track_caller]
    pub fn from_std(std: std::net::UdpSocket) -> io::Result<UdpSocket> {
        let io = Async::new_on(&on(), std).map_err(to_io)?;
        Ok(UdpSocket { io: Here::new(io) })
    }

    pub fn into_std(self) -> io::Result<std::net::UdpSocket> {
        self.io.into_inner().into_inner().map_err(to_io)
    }

    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().local_addr()
    }

    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().peer_addr()
    }

    pub async fn connect<A: ToSocketAddrs>(&self, addr: A) -> io::Result<()> {
        first(&addr, |addr| self.io.get_ref().connect(addr))
    }

    pub async fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        Here::new(self.io.write_with(|socket| socket.send(bytes))).await.map_err(to_io)
    }

    pub async fn send_to<A: ToSocketAddrs>(&self, bytes: &[u8], to: A) -> io::Result<usize> {
        let to = to.all()?.into_iter().next();
        let to = to.ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, "no addresses to send data to")
        })?;
        Here::new(self.io.write_with(|socket| socket.send_to(bytes, to))).await.map_err(to_io)
    }

    pub async fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        Here::new(self.io.read_with(|socket| socket.recv(buffer))).await.map_err(to_io)
    }

    pub async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        Here::new(self.io.read_with(|socket| socket.recv_from(buffer))).await.map_err(to_io)
    }

    pub async fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        Here::new(self.io.read_with(|socket| socket.peek(buffer))).await.map_err(to_io)
    }

    pub async fn peek_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        Here::new(self.io.read_with(|socket| socket.peek_from(buffer))).await.map_err(to_io)
    }

    pub async fn peek_sender(&self) -> io::Result<SocketAddr> {
        self.peek_from(&mut []).await.map(|(_, from)| from)
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

    pub fn try_send_to(&self, bytes: &[u8], to: SocketAddr) -> io::Result<usize> {
        self.io.get_ref().send_to(bytes, to)
    }

    pub fn try_recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.io.get_ref().recv(buffer)
    }

    pub fn try_recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.io.get_ref().recv_from(buffer)
    }

    pub fn try_peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.io.get_ref().peek(buffer)
    }

    pub fn try_peek_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.io.get_ref().peek_from(buffer)
    }

    pub fn try_peek_sender(&self) -> io::Result<SocketAddr> {
        self.try_peek_from(&mut []).map(|(_, from)| from)
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

    pub fn poll_send_to(
        &self,
        cx: &mut Context<'_>,
        bytes: &[u8],
        to: SocketAddr,
    ) -> Poll<io::Result<usize>> {
        self.io.poll_write_with(cx, |socket| socket.send_to(bytes, to)).map_err(to_io)
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

    pub fn poll_peek_from(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<SocketAddr>> {
        let bytes = buffer.initialize_unfilled();
        let polled = self.io.poll_read_with(cx, |socket| socket.peek_from(bytes)).map_err(to_io);
        polled.map_ok(|(count, from)| {
            buffer.advance(count);
            from
        })
    }

    pub fn poll_peek_sender(&self, cx: &mut Context<'_>) -> Poll<io::Result<SocketAddr>> {
        let polled = self.io.poll_read_with(cx, |socket| socket.peek_from(&mut []));
        polled.map_ok(|(_, from)| from).map_err(to_io)
    }

    pub fn broadcast(&self) -> io::Result<bool> {
        self.io.get_ref().broadcast()
    }

    pub fn set_broadcast(&self, broadcast: bool) -> io::Result<()> {
        self.io.get_ref().set_broadcast(broadcast)
    }

    pub fn ttl(&self) -> io::Result<u32> {
        self.io.get_ref().ttl()
    }

    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.io.get_ref().set_ttl(ttl)
    }

    pub fn multicast_loop_v4(&self) -> io::Result<bool> {
        self.io.get_ref().multicast_loop_v4()
    }

    pub fn set_multicast_loop_v4(&self, is_on: bool) -> io::Result<()> {
        self.io.get_ref().set_multicast_loop_v4(is_on)
    }

    pub fn join_multicast_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.io.get_ref().join_multicast_v4(&group, &interface)
    }
}
