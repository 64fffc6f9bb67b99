//! The methods that all kinds of datagram sockets have.

use std::io;
use std::task::Poll;

use tokio_own::io::ReadBuf;

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

/// Notes in `buffer` what was received into it, and returns where from.
pub(super) fn filled<R>(
    buffer: &mut ReadBuf<'_>,
    polled: Poll<io::Result<(usize, R)>>,
) -> Poll<io::Result<R>> {
    polled.map_ok(|(count, from)| {
        buffer.advance(count);
        from
    })
}

/// Implements them for `$socket`, which is a `$std` below.
macro_rules! datagram {
    ($socket:ident, $std:ty, $addr:ty) => {
        impl $socket {
            #[track_caller]
            pub fn from_std(std: $std) -> std::io::Result<$socket> {
                let io = callsoon::io::Async::new_on(&crate::net::on(), std)
                    .map_err(crate::net::to_io)?;
                Ok($socket { io: crate::here::Here::new(io) })
            }

            pub fn into_std(self) -> std::io::Result<$std> {
                Ok(self.io.into_inner().into_inner())
            }

            pub fn local_addr(&self) -> std::io::Result<$addr> {
                self.io.get_ref().local_addr()
            }

            pub fn peer_addr(&self) -> std::io::Result<$addr> {
                self.io.get_ref().peer_addr()
            }

            pub async fn send(&self, bytes: &[u8]) -> std::io::Result<usize> {
                crate::here::Here::new(self.io.write_with(|socket| socket.send(bytes)))
                    .await
                    .map_err(crate::net::to_io)
            }

            pub async fn recv(&self, buffer: &mut [u8]) -> std::io::Result<usize> {
                crate::here::Here::new(self.io.read_with(|socket| socket.recv(buffer)))
                    .await
                    .map_err(crate::net::to_io)
            }

            pub async fn recv_from(&self, buffer: &mut [u8]) -> std::io::Result<(usize, $addr)> {
                crate::here::Here::new(self.io.read_with(|socket| socket.recv_from(buffer)))
                    .await
                    .map_err(crate::net::to_io)
            }

            pub async fn recv_buf<B: bytes::BufMut>(
                &self,
                buffer: &mut B,
            ) -> std::io::Result<usize> {
                let work = self.io.read_with(|socket| {
                    crate::net::datagram::receive(buffer, |bytes| Ok((socket.recv(bytes)?, ())))
                });
                crate::here::Here::new(work)
                    .await
                    .map(|(count, ())| count)
                    .map_err(crate::net::to_io)
            }

            pub async fn recv_buf_from<B: bytes::BufMut>(
                &self,
                buffer: &mut B,
            ) -> std::io::Result<(usize, $addr)> {
                let work = self.io.read_with(|socket| {
                    crate::net::datagram::receive(buffer, |bytes| socket.recv_from(bytes))
                });
                crate::here::Here::new(work).await.map_err(crate::net::to_io)
            }

            pub fn try_send(&self, bytes: &[u8]) -> std::io::Result<usize> {
                self.io.get_ref().send(bytes)
            }

            pub fn try_recv(&self, buffer: &mut [u8]) -> std::io::Result<usize> {
                self.io.get_ref().recv(buffer)
            }

            pub fn try_recv_from(&self, buffer: &mut [u8]) -> std::io::Result<(usize, $addr)> {
                self.io.get_ref().recv_from(buffer)
            }

            pub fn try_recv_buf<B: bytes::BufMut>(&self, buffer: &mut B) -> std::io::Result<usize> {
                crate::net::datagram::receive(buffer, |bytes| Ok((self.try_recv(bytes)?, ())))
                    .map(|(count, ())| count)
            }

            pub fn try_recv_buf_from<B: bytes::BufMut>(
                &self,
                buffer: &mut B,
            ) -> std::io::Result<(usize, $addr)> {
                crate::net::datagram::receive(buffer, |bytes| self.try_recv_from(bytes))
            }

            pub fn poll_send(
                &self,
                cx: &mut std::task::Context<'_>,
                bytes: &[u8],
            ) -> std::task::Poll<std::io::Result<usize>> {
                self.io.poll_write_with(cx, |socket| socket.send(bytes)).map_err(crate::net::to_io)
            }

            pub fn poll_recv(
                &self,
                cx: &mut std::task::Context<'_>,
                buffer: &mut tokio_own::io::ReadBuf<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                let bytes = buffer.initialize_unfilled();
                let polled = self
                    .io
                    .poll_read_with(cx, |socket| socket.recv(bytes))
                    .map_err(crate::net::to_io);
                polled.map_ok(|count| buffer.advance(count))
            }

            pub fn poll_recv_from(
                &self,
                cx: &mut std::task::Context<'_>,
                buffer: &mut tokio_own::io::ReadBuf<'_>,
            ) -> std::task::Poll<std::io::Result<$addr>> {
                let bytes = buffer.initialize_unfilled();
                let polled = self
                    .io
                    .poll_read_with(cx, |socket| socket.recv_from(bytes))
                    .map_err(crate::net::to_io);
                crate::net::datagram::filled(buffer, polled)
            }
        }
    };
}
pub(super) use datagram;
