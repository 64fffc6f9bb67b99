//! [`ServerOptions`]: the way in which a server listens.

use super::transport::Tls;
use crate::io::{BindOptions, Family};

/// The most connections that wait to be accepted, unless another number is set.
const BACKLOG: u32 = 100;

/// The way in which a server listens: parameters of asyncio's `create_server`, `start_server` and
/// their like of Unix sockets.
///
/// ```
/// use callsoon::net::{DEFAULT_LIMIT, ServerOptions, StreamReader, StreamWriter, start_server_with};
///
/// callsoon::run(async {
///     let greet = async |_: StreamReader, writer: StreamWriter| writer.write(b"hello\n");
///     let options = ServerOptions::new().backlog(10).start_serving(false);
///     let place = (["127.0.0.1", "localhost"], 0);
///     let server = start_server_with(greet, place, DEFAULT_LIMIT, &options).await?;
///     assert!(!server.is_serving());
///     server.start_serving().await?;
///     assert!(server.is_serving());
///     server.close();
///     server.wait_closed().await
/// }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct ServerOptions {
    pub(super) backlog: u32,
    pub(super) start_serving: bool,
    pub(super) bind: BindOptions,
    pub(super) family: Option<Family>,
    #[cfg(unix)]
    pub(super) cleanup_socket: bool,
    pub(super) tls: Option<Tls>,
}

impl Default for ServerOptions {
    fn default() -> ServerOptions {
        ServerOptions {
            backlog: BACKLOG,
            start_serving: true,
            bind: BindOptions::default(),
            family: None,
            #[cfg(unix)]
            cleanup_socket: true,
            tls: None,
        }
    }
}

impl ServerOptions {
    /// Serves at once, with room for 100 connections that are not accepted yet, and with the other options
    /// of asyncio.
    #[must_use]
    pub fn new() -> ServerOptions {
        ServerOptions::default()
    }

    /// Sets how many connections may wait to be accepted, and how many are accepted in one turn:
    /// `backlog`, 100 by default. Of 0, one is accepted in a turn. Windows has its own queue, of 128.
    #[must_use]
    pub fn backlog(mut self, count: u32) -> ServerOptions {
        self.backlog = count;
        self
    }

    /// Sets whether the server accepts connections at once: `start_serving`, true by default.
    /// Otherwise it begins with [`Server::start_serving`](super::Server::start_serving) or
    /// [`serve_forever`](super::Server::serve_forever), and connections are refused before. On Windows they
    /// wait instead.
    #[must_use]
    pub fn start_serving(mut self, at_once: bool) -> ServerOptions {
        self.start_serving = at_once;
        self
    }

    /// Sets whether an address is taken of which connections are still closing: `reuse_address`, true by
    /// default. On Windows it is false by default, and true is an error of kind
    /// [`Value`](crate::ErrorKind::Value).
    #[must_use]
    pub fn reuse_address(mut self, reuse: bool) -> ServerOptions {
        self.bind.reuse_address = reuse;
        self
    }

    /// Lets several servers share an address and its connections, if all of them have this option:
    /// `reuse_port`. On Windows, and other systems without it, it is an error of kind
    /// [`Value`](crate::ErrorKind::Value).
    #[must_use]
    pub fn reuse_port(mut self, reuse: bool) -> ServerOptions {
        self.bind.reuse_port = reuse;
        self
    }

    /// Has the system look from time to time whether the peers of idle connections are still there:
    /// `keep_alive`. On Windows it is an error of kind [`Value`](crate::ErrorKind::Value).
    #[must_use]
    pub fn keep_alive(mut self, keep: bool) -> ServerOptions {
        self.bind.keep_alive = keep;
        self
    }

    /// Serves at the addresses of `family` only: `family`.
    #[must_use]
    pub fn family(mut self, family: Family) -> ServerOptions {
        self.family = Some(family);
        self
    }

    /// Sets whether the path of a Unix socket is removed when the server is closed: `cleanup_socket`,
    /// true by default. One that another socket has taken stays in any case.
    #[cfg(unix)]
    #[must_use]
    pub fn cleanup_socket(mut self, cleanup: bool) -> ServerOptions {
        self.cleanup_socket = cleanup;
        self
    }

    /// Serves over TLS: `ssl`, `ssl_handshake_timeout` and `ssl_shutdown_timeout`.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> ServerOptions {
        self.tls = Some(tls);
        self
    }
}
