//! [`ConnectOptions`]: the way in which the addresses of a host are tried.

use alloc::borrow::ToOwned;
use alloc::string::String;
use core::time::Duration;

use super::family::Family;

/// The way in which the addresses of a host are tried: parameters of asyncio's `create_connection`.
///
/// ```
/// use std::time::Duration;
/// use callsoon::io::ConnectOptions;
///
/// let options = ConnectOptions::new().happy_eyeballs_delay(Duration::from_millis(250));
/// # drop(options);
/// ```
#[derive(Clone, Debug, Default)]
pub struct ConnectOptions {
    pub(super) local_addr: Option<(String, u16)>,
    pub(super) happy_eyeballs_delay: Option<Duration>,
    pub(super) interleave: Option<usize>,
    pub(super) family: Option<Family>,
    pub(super) all_errors: bool,
}

impl ConnectOptions {
    /// Tries one address after the other, in the order of the system, from any local one.
    #[must_use]
    pub fn new() -> ConnectOptions {
        ConnectOptions::default()
    }

    /// Binds the socket to `port` of `host` before it connects: `local_addr`. A name is looked up;
    /// of its addresses the first of the right family that can be bound is taken. Port 0 is one
    /// that is free.
    #[must_use]
    pub fn local_addr(mut self, host: &str, port: u16) -> ConnectOptions {
        self.local_addr = Some((host.to_owned(), port));
        self
    }

    /// Begins with the next address when the one before has failed, or hasn't connected within
    /// `delay`: `happy_eyeballs_delay`, for which RFC 8305 recommends 250 ms. The first that
    /// connects is taken.
    ///
    /// Families take turns then, if [`interleave`](ConnectOptions::interleave) says nothing else.
    #[must_use]
    pub fn happy_eyeballs_delay(mut self, delay: Duration) -> ConnectOptions {
        self.happy_eyeballs_delay = Some(delay);
        self
    }

    /// Has families take turns after the first `count` addresses of the first family:
    /// `interleave`. With 0 the system's order stays.
    #[must_use]
    pub fn interleave(mut self, count: usize) -> ConnectOptions {
        self.interleave = Some(count);
        self
    }

    /// Tries the addresses of `family` only: `family`. A local address is of the same.
    #[must_use]
    pub fn family(mut self, family: Family) -> ConnectOptions {
        self.family = Some(family);
        self
    }

    /// Fails with a [group](crate::ErrorKind::Group) of the errors of all attempts, if none of them
    /// connects: `all_errors`. Otherwise the error is the only one, or has the texts of all.
    #[must_use]
    pub fn all_errors(mut self, all: bool) -> ConnectOptions {
        self.all_errors = all;
        self
    }
}
