//! Names of hosts, and the error of several attempts to connect.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use crate::error::{Error, Result, about};
use crate::event_loop::LoopRef;

impl LoopRef {
    /// Looks `host` up on the loop's own executor: `loop.getaddrinfo`. Returns the addresses in the
    /// system's order, each with `port`.
    ///
    /// # Errors
    ///
    /// What the system says; the cancellation; otherwise as
    /// [`run_in_executor`](LoopRef::run_in_executor).
    ///
    /// # Cancellation
    ///
    /// The thread goes on until the system answers, and its answer is dropped.
    pub async fn getaddrinfo(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>> {
        let host = host.to_owned();
        let look_up = move || {
            let found = (&*host, port).to_socket_addrs();
            let all = about(found, || format!("can't look up {host:?}"))?;
            Ok(all.collect::<Vec<_>>())
        };
        self.run_in_executor(None, look_up)?.await
    }

    /// Looks the names of the host and of the service of `address` up on the loop's own executor:
    /// `loop.getnameinfo`. `flags` are the system's, 0 for none: `NI_NUMERICHOST` and its like.
    ///
    /// # Errors
    ///
    /// As [`getaddrinfo`](LoopRef::getaddrinfo).
    ///
    /// # Cancellation
    ///
    /// As [`getaddrinfo`](LoopRef::getaddrinfo).
    #[cfg(unix)]
    pub async fn getnameinfo(&self, address: SocketAddr, flags: i32) -> Result<(String, String)> {
        let look_up = move || {
            let found = super::system::name_info(address, flags);
            about(found, || format!("can't look up {address}"))
        };
        self.run_in_executor(None, look_up)?.await
    }

    /// The addresses of `host`, at once if it is an address itself.
    pub(crate) async fn addresses_of(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let found = self.getaddrinfo(host, port).await?;
        if found.is_empty() {
            return Err(io::Error::other("getaddrinfo() returned empty list").into());
        }
        Ok(found)
    }
}

/// One error for all attempts: the first, if all say the same.
pub(super) fn combined(errors: &[Error]) -> Error {
    let said: Vec<String> = errors.iter().map(ToString::to_string).collect();
    match (errors.first(), said.first()) {
        (Some(error), Some(first)) if said.iter().all(|other| other == first) => error.clone(),
        _ => io::Error::other(format!("Multiple exceptions: {}", said.join(", "))).into(),
    }
}
