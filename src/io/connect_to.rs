//! [`ConnectTo`]: the places that [`TcpStream::connect`](super::TcpStream::connect) connects to.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use crate::error::{Error, ErrorKind, Result};

/// A place to connect to: an address, or a host by name with a port, as `("localhost", 80)` or
/// `"localhost:80"`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no place to connect to",
    label = "neither an address nor a host with a port",
    note = "`\"localhost:80\"`, `(\"localhost\", 80)` and a `SocketAddr` are"
)]
pub trait ConnectTo {
    /// The place itself.
    ///
    /// # Errors
    ///
    /// [`Value`](ErrorKind::Value) for text without a port.
    #[doc(hidden)]
    fn destination(self) -> Result<Destination>;
}

/// The kinds of places.
#[derive(Debug)]
pub enum Destination {
    /// An address.
    Address(SocketAddr),
    /// A name, to be looked up, and a port.
    Host(String, u16),
}

macro_rules! addresses {
    ($($address:ty),*) => {
        $(
            impl ConnectTo for $address {
                fn destination(self) -> Result<Destination> {
                    Ok(Destination::Address(self.into()))
                }
            }
        )*
    };
}

addresses!(SocketAddr, SocketAddrV4, SocketAddrV6, (IpAddr, u16), (Ipv4Addr, u16), (Ipv6Addr, u16));

impl ConnectTo for &SocketAddr {
    fn destination(self) -> Result<Destination> {
        (*self).destination()
    }
}

impl ConnectTo for (&str, u16) {
    fn destination(self) -> Result<Destination> {
        Ok(Destination::Host(self.0.to_owned(), self.1))
    }
}

impl ConnectTo for (String, u16) {
    fn destination(self) -> Result<Destination> {
        Ok(Destination::Host(self.0, self.1))
    }
}

impl ConnectTo for &str {
    fn destination(self) -> Result<Destination> {
        if let Ok(address) = self.parse() {
            return Ok(Destination::Address(address));
        }
        let parts = self.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
        match parts {
            Some((host, port)) => Ok(Destination::Host(host.to_owned(), port)),
            None => {
                let message = format!("no port in {self:?}: it is to be like \"localhost:80\"");
                Err(Error::new(ErrorKind::Value, message))
            }
        }
    }
}

impl ConnectTo for &String {
    fn destination(self) -> Result<Destination> {
        self.as_str().destination()
    }
}
