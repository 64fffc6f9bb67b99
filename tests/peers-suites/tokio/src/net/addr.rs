//! [`ToSocketAddrs`]: what names addresses, looked up at once.

use std::io;
use std::net::SocketAddr;

pub trait ToSocketAddrs {
    #[doc(hidden)]
    fn all(&self) -> io::Result<Vec<SocketAddr>>;
}

impl<T: std::net::ToSocketAddrs + ?Sized> ToSocketAddrs for T {
    fn all(&self) -> io::Result<Vec<SocketAddr>> {
        Ok(self.to_socket_addrs()?.collect())
    }
}

pub async fn lookup_host<T: ToSocketAddrs>(
    host: T,
) -> io::Result<impl Iterator<Item = SocketAddr>> {
    Ok(host.all()?.into_iter())
}

/// Returns the output of `work` for the first address for which it succeeds.
pub(super) fn first<T>(
    addrs: &impl ToSocketAddrs,
    mut work: impl FnMut(SocketAddr) -> io::Result<T>,
) -> io::Result<T> {
    let mut last = io::Error::new(io::ErrorKind::InvalidInput, "could not resolve to any address");
    for addr in addrs.all()? {
        match work(addr) {
            Ok(made) => return Ok(made),
            Err(error) => last = error,
        }
    }
    Err(last)
}
