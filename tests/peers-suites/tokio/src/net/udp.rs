//! [`UdpSocket`].

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::task::{Context, Poll};

use callsoon::io::Async;
use tokio_own::io::ReadBuf;

use super::addr::{ToSocketAddrs, first};
use super::datagram::{datagram, filled};
use super::ready::common;
use super::to_io;
use crate::here::Here;

pub struct UdpSocket {
    io: Here<Async<std::net::UdpSocket>>,
}

common!(UdpSocket);
datagram!(UdpSocket, std::net::UdpSocket, SocketAddr);

impl UdpSocket {
    pub async fn bind<A: ToSocketAddrs>(addr: A) -> io::Result<UdpSocket> {
        UdpSocket::from_std(first(&addr, std::net::UdpSocket::bind)?)
    }

    pub async fn connect<A: ToSocketAddrs>(&self, addr: A) -> io::Result<()> {
        first(&addr, |addr| self.io.get_ref().connect(addr))
    }

    pub async fn send_to<A: ToSocketAddrs>(&self, bytes: &[u8], to: A) -> io::Result<usize> {
        let to = to.all()?.into_iter().next();
        let to = to.ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, "no addresses to send data to")
        })?;
        Here::new(self.io.write_with(|socket| socket.send_to(bytes, to))).await.map_err(to_io)
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

    pub fn try_send_to(&self, bytes: &[u8], to: SocketAddr) -> io::Result<usize> {
        self.io.get_ref().send_to(bytes, to)
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

    pub fn poll_send_to(
        &self,
        cx: &mut Context<'_>,
        bytes: &[u8],
        to: SocketAddr,
    ) -> Poll<io::Result<usize>> {
        self.io.poll_write_with(cx, |socket| socket.send_to(bytes, to)).map_err(to_io)
    }

    pub fn poll_peek_from(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<SocketAddr>> {
        let bytes = buffer.initialize_unfilled();
        let polled = self.io.poll_read_with(cx, |socket| socket.peek_from(bytes)).map_err(to_io);
        filled(buffer, polled)
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
