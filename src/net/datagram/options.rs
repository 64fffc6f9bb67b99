//! [`DatagramOptions`]: the options of a datagram socket.

/// Options of `create_datagram_endpoint`.
#[derive(Clone, Copy, Debug, Default)]
pub struct DatagramOptions {
    pub(super) reuse_port: bool,
    pub(super) allow_broadcast: bool,
}

impl DatagramOptions {
    /// A socket with the options that the system gives it.
    #[must_use]
    pub fn new() -> DatagramOptions {
        DatagramOptions::default()
    }

    /// Lets several sockets be bound to the same port, if all of them have this option:
    /// `reuse_port`. Only on Unix.
    #[must_use]
    pub fn reuse_port(mut self, reuse: bool) -> DatagramOptions {
        self.reuse_port = reuse;
        self
    }

    /// Lets the socket send to a broadcast address: `allow_broadcast`. A remote address is where
    /// datagrams go then, while they may come from others too.
    #[must_use]
    pub fn allow_broadcast(mut self, allow: bool) -> DatagramOptions {
        self.allow_broadcast = allow;
        self
    }
}
