//! [`ServeAt`] and [`ServeAtPath`]: the places of servers.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use std::net::TcpListener;
#[cfg(unix)]
use std::os::unix::net::UnixListener;
#[cfg(unix)]
use std::path::{Path, PathBuf};

/// A place of a server: a port of a host, as `("localhost", 80)`, of several hosts, as
/// `(["127.0.0.1", "::1"], 80)`, or of all interfaces, as `(None, 80)`; or a listener of the standard
/// library, which is asyncio's `sock`. A place is one of these, so that `host` and `sock` at the same time,
/// or none of both, don't compile.
///
/// Each name is looked up. An address that several hosts have, or one host twice, is bound once. In a list,
/// `None` stands for all interfaces; alone, so does an empty name.
///
/// A listener need not listen yet: one that is made of a socket that was only bound does too.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no place of a server",
    label = "neither hosts with a port nor a listener",
    note = "`(\"localhost\", 80)`, `([\"127.0.0.1\", \"::1\"], 80)`, `(None, 80)` and a `std::net::TcpListener` are"
)]
pub trait ServeAt {
    /// The place itself.
    #[doc(hidden)]
    fn place(self) -> Place;
}

/// A place of a server between the processes of a machine: a path, or a listener of the standard library,
/// which is asyncio's `sock`.
///
/// A path that begins with a zero byte is an abstract name on Linux.
#[cfg(unix)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no path of a server",
    label = "neither a path nor a listener",
    note = "a `&str`, a `&Path`, a `PathBuf` and a `std::os::unix::net::UnixListener` are"
)]
pub trait ServeAtPath {
    /// The place itself.
    #[doc(hidden)]
    fn place(self) -> Place;
}

/// The kinds of places.
#[derive(Debug)]
pub enum Place {
    /// Hosts by name, all interfaces for none, with a port.
    Hosts(Vec<Option<String>>, u16),
    /// A socket that is bound already.
    Tcp(TcpListener),
    /// A Unix socket that is bound already, and whether its path may be removed.
    #[cfg(unix)]
    Unix(UnixListener, bool),
    /// A path.
    #[cfg(unix)]
    Path(PathBuf),
}

impl ServeAt for (Option<&str>, u16) {
    fn place(self) -> Place {
        let host = self.0.filter(|host| !host.is_empty());
        Place::Hosts(vec![host.map(ToOwned::to_owned)], self.1)
    }
}

impl ServeAt for (&str, u16) {
    fn place(self) -> Place {
        (Some(self.0), self.1).place()
    }
}

impl ServeAt for (&String, u16) {
    fn place(self) -> Place {
        (self.0.as_str(), self.1).place()
    }
}

impl ServeAt for (&[&str], u16) {
    fn place(self) -> Place {
        Place::Hosts(self.0.iter().map(|host| Some((*host).to_owned())).collect(), self.1)
    }
}

impl<const N: usize> ServeAt for ([&str; N], u16) {
    fn place(self) -> Place {
        (&self.0[..], self.1).place()
    }
}

impl ServeAt for (&[Option<&str>], u16) {
    fn place(self) -> Place {
        let hosts = self.0.iter().map(|host| host.map(ToOwned::to_owned));
        Place::Hosts(hosts.collect(), self.1)
    }
}

impl<const N: usize> ServeAt for ([Option<&str>; N], u16) {
    fn place(self) -> Place {
        (&self.0[..], self.1).place()
    }
}

impl ServeAt for (Vec<String>, u16) {
    fn place(self) -> Place {
        Place::Hosts(self.0.into_iter().map(Some).collect(), self.1)
    }
}

impl ServeAt for TcpListener {
    fn place(self) -> Place {
        Place::Tcp(self)
    }
}

#[cfg(unix)]
impl ServeAt for UnixListener {
    fn place(self) -> Place {
        Place::Unix(self, false)
    }
}

#[cfg(unix)]
impl ServeAtPath for UnixListener {
    fn place(self) -> Place {
        Place::Unix(self, true)
    }
}

/// Paths of any type.
macro_rules! paths {
    ($($path:ty),*) => {
        $(
            #[cfg(unix)]
            impl ServeAtPath for $path {
                fn place(self) -> Place {
                    Place::Path(self.into())
                }
            }
        )*
    };
}

paths!(&str, &String, String, &Path, &PathBuf, PathBuf);
