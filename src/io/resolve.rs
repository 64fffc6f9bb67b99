//! Names of hosts, and the error of several attempts to connect.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use super::family::Family;
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

    /// The addresses of `host` that are of `family`, at once if it is an address itself.
    pub(crate) async fn addresses_of(
        &self,
        host: &str,
        port: u16,
        family: Option<Family>,
    ) -> Result<Vec<SocketAddr>> {
        let mut found = match host.parse::<IpAddr>() {
            Ok(address) => vec![SocketAddr::new(address, port)],
            Err(_) => self.getaddrinfo(host, port).await?,
        };
        if found.is_empty() {
            return Err(io::Error::other("getaddrinfo() returned empty list").into());
        }
        found.retain(|address| family.is_none_or(|family| family.has(address)));
        if found.is_empty() {
            let none = Error::from(io::Error::other("Address family for hostname not supported"));
            return Err(none.about(|| format!("can't look up {host:?}")));
        }
        Ok(found)
    }
}

/// One error for all attempts: with `all_errors` a group, and otherwise the first, if all say the same.
pub(super) fn combined(errors: Vec<Error>, all_errors: bool) -> Error {
    if all_errors {
        return Error::from_group("create_connection failed", errors);
    }
    let said: Vec<String> = errors.iter().map(ToString::to_string).collect();
    match (errors.first(), said.first()) {
        (Some(error), Some(first)) if said.iter().all(|other| other == first) => error.clone(),
        _ => io::Error::other(format!("Multiple exceptions: {}", said.join(", "))).into(),
    }
}
