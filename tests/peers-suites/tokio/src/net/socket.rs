//! [`TcpSocket`] and [`UnixSocket`]: sockets before they are connected.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, RawFd};
use std::path::Path;
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, Type};

use super::{TcpListener, TcpStream, UnixDatagram, UnixListener, UnixStream};

#[derive(Debug)]
pub struct TcpSocket(Socket);

#[derive(Debug)]
pub struct UnixSocket {
    socket: Socket,
    is_stream: bool,
}

/// Begins to connect, in non-blocking mode.
fn begin(socket: &Socket, addr: &SockAddr) -> io::Result<()> {
    match socket.connect(addr) {
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => Ok(()),
        begun => begun,
    }
}

macro_rules! option {
    ($($get:ident $set:ident $of:ident $of_set:ident $value:ty;)*) => {
        impl TcpSocket {
            $(
                pub fn $get(&self) -> io::Result<$value> {
                    self.0.$of().map(|value| value as $value)
                }

                pub fn $set(&self, value: $value) -> io::Result<()> {
                    self.0.$of_set(value as _)
                }
            )*
        }
    };
}

option! {
    keepalive set_keepalive keepalive set_keepalive bool;
    reuseaddr set_reuseaddr reuse_address set_reuse_address bool;
    reuseport set_reuseport reuse_port set_reuse_port bool;
    nodelay set_nodelay tcp_nodelay set_tcp_nodelay bool;
}

impl TcpSocket {
    pub fn new_v4() -> io::Result<TcpSocket> {
        TcpSocket::new(Domain::IPV4)
    }

    pub fn new_v6() -> io::Result<TcpSocket> {
        TcpSocket::new(Domain::IPV6)
    }

    fn new(domain: Domain) -> io::Result<TcpSocket> {
        let socket = Socket::new(domain, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        Ok(TcpSocket(socket))
    }

    pub fn from_std_stream(std: std::net::TcpStream) -> TcpSocket {
        TcpSocket(std.into())
    }

    pub fn bind(&self, addr: SocketAddr) -> io::Result<()> {
        self.0.bind(&addr.into())
    }

    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.0.local_addr()?.as_socket().expect("an address of the Internet"))
    }

    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.0.take_error()
    }

    pub fn linger(&self) -> io::Result<Option<Duration>> {
        self.0.linger()
    }

    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        self.0.set_linger(linger)
    }

    pub fn set_zero_linger(&self) -> io::Result<()> {
        self.0.set_linger(Some(Duration::ZERO))
    }

    pub fn send_buffer_size(&self) -> io::Result<u32> {
        self.0.send_buffer_size().map(|size| size as u32)
    }

    pub fn set_send_buffer_size(&self, size: u32) -> io::Result<()> {
        self.0.set_send_buffer_size(size as usize)
    }

    pub fn recv_buffer_size(&self) -> io::Result<u32> {
        self.0.recv_buffer_size().map(|size| size as u32)
    }

    pub fn set_recv_buffer_size(&self, size: u32) -> io::Result<()> {
        self.0.set_recv_buffer_size(size as usize)
    }

    pub async fn connect(self, addr: SocketAddr) -> io::Result<TcpStream> {
        begin(&self.0, &addr.into())?;
        let stream = TcpStream::from_std(self.0.into())?;
        stream.writable().await?;
        match stream.take_error()? {
            Some(error) => Err(error),
            None => Ok(stream),
        }
    }

    #[track_caller]
    pub fn listen(self, backlog: u32) -> io::Result<TcpListener> {
        self.0.listen(backlog as i32)?;
        TcpListener::from_std(self.0.into())
    }
}

impl AsRawFd for TcpSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl AsFd for TcpSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl FromRawFd for TcpSocket {
    unsafe fn from_raw_fd(fd: RawFd) -> TcpSocket {
        // SAFETY: The caller's.
        TcpSocket(unsafe { Socket::from_raw_fd(fd) })
    }
}

impl UnixSocket {
    pub fn new_stream() -> io::Result<UnixSocket> {
        UnixSocket::new(Type::STREAM)
    }

    pub fn new_datagram() -> io::Result<UnixSocket> {
        UnixSocket::new(Type::DGRAM)
    }

    fn new(kind: Type) -> io::Result<UnixSocket> {
        let socket = Socket::new(Domain::UNIX, kind, None)?;
        socket.set_nonblocking(true)?;
        Ok(UnixSocket { socket, is_stream: kind == Type::STREAM })
    }

    pub fn bind(&self, path: impl AsRef<Path>) -> io::Result<()> {
        self.socket.bind(&SockAddr::unix(path)?)
    }

    pub fn listen(self, backlog: u32) -> io::Result<UnixListener> {
        if !self.is_stream {
            return Err(io::Error::other("listen cannot be called on a datagram socket"));
        }
        self.socket.listen(backlog as i32)?;
        UnixListener::from_std(self.socket.into())
    }

    pub async fn connect(self, path: impl AsRef<Path>) -> io::Result<UnixStream> {
        if !self.is_stream {
            return Err(io::Error::other("connect cannot be called on a datagram socket"));
        }
        begin(&self.socket, &SockAddr::unix(path)?)?;
        let stream = UnixStream::from_std(self.socket.into())?;
        stream.writable().await?;
        match stream.take_error()? {
            Some(error) => Err(error),
            None => Ok(stream),
        }
    }

    pub fn datagram(self) -> io::Result<UnixDatagram> {
        if self.is_stream {
            return Err(io::Error::other("datagram cannot be called on a stream socket"));
        }
        UnixDatagram::from_std(self.socket.into())
    }
}
