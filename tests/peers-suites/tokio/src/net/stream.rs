//! [`TcpStream`] and [`UnixStream`].

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::os::unix::net as unix;
use std::path::Path;
use std::task::{Context, Poll};
use std::time::Duration;

use callsoon::io::Async;
use tokio_own::io::ReadBuf;

use super::addr::ToSocketAddrs;
use super::datagram::receive;
use super::ready::common;
use super::split;
use super::streaming::{async_read, async_write};
use super::{on, to_io};
use crate::here::Here;

pub struct TcpStream {
    pub(super) io: Here<Async<std::net::TcpStream>>,
}

pub struct UnixStream {
    pub(super) io: Here<Async<unix::UnixStream>>,
}

macro_rules! stream {
    ($stream:ident, $std:ty, $addr:ty, $split:ident) => {
        impl $stream {
            #[track_caller]
            pub fn from_std(std: $std) -> io::Result<$stream> {
                let io = Async::new_on(&on(), std).map_err(to_io)?;
                Ok($stream { io: Here::new(io) })
            }

            pub fn into_std(self) -> io::Result<$std> {
                Ok(self.io.into_inner().into_inner())
            }

            pub fn local_addr(&self) -> io::Result<$addr> {
                self.io.get_ref().local_addr().map(Into::into)
            }

            pub fn peer_addr(&self) -> io::Result<$addr> {
                self.io.get_ref().peer_addr().map(Into::into)
            }

            pub fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
                self.io.get_ref().read(buffer)
            }

            pub fn try_read_vectored(&self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                self.io.get_ref().read_vectored(buffers)
            }

            pub fn try_read_buf<B: bytes::BufMut>(&self, buffer: &mut B) -> io::Result<usize> {
                receive(buffer, |bytes| Ok((self.try_read(bytes)?, ()))).map(|(count, ())| count)
            }

            pub fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
                self.io.get_ref().write(bytes)
            }

            pub fn try_write_vectored(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
                self.io.get_ref().write_vectored(buffers)
            }

            pub fn split(&mut self) -> (split::$split::ReadHalf<'_>, split::$split::WriteHalf<'_>) {
                split::$split::split(self)
            }

            pub fn into_split(
                self,
            ) -> (split::$split::OwnedReadHalf, split::$split::OwnedWriteHalf) {
                split::$split::into_split(self)
            }

            pub(super) fn poll_read_of(
                &self,
                cx: &mut Context<'_>,
                buffer: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                let read = Async::poll_read(&self.io, cx, buffer.initialize_unfilled());
                read.map_ok(|count| buffer.advance(count)).map_err(to_io)
            }

            pub(super) fn poll_write_of(
                &self,
                cx: &mut Context<'_>,
                buffers: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                Async::poll_write(&self.io, cx, buffers).map_err(to_io)
            }

            pub(super) fn end_writing(&self) -> io::Result<()> {
                match self.io.get_ref().shutdown(Shutdown::Write) {
                    Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
                    ended => ended,
                }
            }
        }

        common!($stream);

        async_read!($stream);
        async_write!($stream, |_: &mut $stream| ());

        impl TryFrom<$std> for $stream {
            type Error = io::Error;

            fn try_from(std: $std) -> io::Result<$stream> {
                $stream::from_std(std)
            }
        }
    };
}

stream!(TcpStream, std::net::TcpStream, SocketAddr, tcp);
stream!(UnixStream, unix::UnixStream, unix::SocketAddr, unix);

impl TcpStream {
    pub async fn connect<A: ToSocketAddrs>(addr: A) -> io::Result<TcpStream> {
        let mut last =
            io::Error::new(io::ErrorKind::InvalidInput, "could not resolve to any address");
        for addr in addr.all()? {
            on();
            let connect = Here::new(callsoon::io::TcpStream::connect(addr));
            match connect.await.map(|stream| stream.into_inner()) {
                Ok(std) => return TcpStream::from_std(std),
                Err(error) => last = to_io(error),
            }
        }
        Err(last)
    }

    pub async fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        Here::new(self.io.read_with(|stream| stream.peek(buffer))).await.map_err(to_io)
    }

    pub fn poll_peek(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<usize>> {
        let bytes = buffer.initialize_unfilled();
        let peeked = self.io.poll_read_with(cx, |stream| stream.peek(bytes)).map_err(to_io);
        peeked.map_ok(|count| {
            buffer.advance(count);
            count
        })
    }

    pub fn nodelay(&self) -> io::Result<bool> {
        self.io.get_ref().nodelay()
    }

    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.io.get_ref().set_nodelay(nodelay)
    }

    pub fn quickack(&self) -> io::Result<bool> {
        socket2::SockRef::from(self.io.get_ref()).tcp_quickack()
    }

    pub fn set_quickack(&self, quickack: bool) -> io::Result<()> {
        socket2::SockRef::from(self.io.get_ref()).set_tcp_quickack(quickack)
    }

    pub fn linger(&self) -> io::Result<Option<Duration>> {
        socket2::SockRef::from(self.io.get_ref()).linger()
    }

    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        socket2::SockRef::from(self.io.get_ref()).set_linger(linger)
    }

    pub fn set_zero_linger(&self) -> io::Result<()> {
        self.set_linger(Some(Duration::ZERO))
    }

    pub fn ttl(&self) -> io::Result<u32> {
        self.io.get_ref().ttl()
    }

    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.io.get_ref().set_ttl(ttl)
    }
}

/// The process at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UCred {
    pid: i32,
    uid: u32,
    gid: u32,
}

impl UCred {
    pub fn uid(&self) -> u32 {
        self.uid
    }

    pub fn gid(&self) -> u32 {
        self.gid
    }

    pub fn pid(&self) -> Option<i32> {
        Some(self.pid)
    }
}

impl UnixStream {
    pub async fn connect<P: AsRef<Path>>(path: P) -> io::Result<UnixStream> {
        on();
        let connect = Here::new(callsoon::io::UnixStream::connect(path.as_ref().to_owned()));
        let stream = connect.await.map(|stream| stream.into_inner()).map_err(to_io)?;
        UnixStream::from_std(stream)
    }

    pub async fn connect_addr(addr: &unix::SocketAddr) -> io::Result<UnixStream> {
        UnixStream::from_std(unix::UnixStream::connect_addr(addr)?)
    }

    pub fn peer_cred(&self) -> io::Result<UCred> {
        use std::os::fd::AsRawFd;
        let mut cred = libc::ucred { pid: 0, uid: 0, gid: 0 };
        let mut length = size_of::<libc::ucred>() as libc::socklen_t;
        let fd = self.as_raw_fd();
        let to = (&raw mut cred).cast();
        // SAFETY: `to` has room for `length` bytes.
        match unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_PEERCRED, to, &mut length) }
        {
            0 => Ok(UCred { pid: cred.pid, uid: cred.uid, gid: cred.gid }),
            _ => Err(io::Error::last_os_error()),
        }
    }

    #[track_caller]
    pub fn pair() -> io::Result<(UnixStream, UnixStream)> {
        let (one, other) = unix::UnixStream::pair()?;
        Ok((UnixStream::from_std(one)?, UnixStream::from_std(other)?))
    }
}
