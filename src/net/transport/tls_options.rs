//! [`TlsOptions`]: the side of a TLS connection, with its configuration.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::sync::Arc;
use core::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, Connection, ServerConfig, ServerConnection};

use super::tls_session::tls_error;
use crate::error::{Error, ErrorKind, Result};

/// The options of TLS for a connection: asyncio's `ssl`, `server_hostname`, `ssl_handshake_timeout` and
/// `ssl_shutdown_timeout`.
#[derive(Clone, Debug)]
pub struct TlsOptions {
    side: Side,
    handshake_timeout: Duration,
    shutdown_timeout: Duration,
}

#[derive(Clone, Debug)]
enum Side {
    Client(Arc<ClientConfig>, ServerName<'static>),
    Server(Arc<ServerConfig>),
}

impl TlsOptions {
    /// A client's side, of a server that has to prove that it is `server_name`: a name or an address.
    ///
    /// # Errors
    ///
    /// [`Value`](ErrorKind::Value) if `server_name` is neither.
    pub fn client(config: Arc<ClientConfig>, server_name: &str) -> Result<TlsOptions> {
        let name = ServerName::try_from(server_name.to_owned()).map_err(|error| {
            Error::new(ErrorKind::Value, format!("{server_name:?} is no server's name: {error}"))
        })?;
        Ok(TlsOptions::of(Side::Client(config, name)))
    }

    /// A server's side.
    #[must_use]
    pub fn server(config: Arc<ServerConfig>) -> TlsOptions {
        TlsOptions::of(Side::Server(config))
    }

    fn of(side: Side) -> TlsOptions {
        let [handshake_timeout, shutdown_timeout] = [60, 30].map(Duration::from_secs);
        TlsOptions { side, handshake_timeout, shutdown_timeout }
    }

    /// Sets the time after which a handshake is given up: `ssl_handshake_timeout`, 60 s by default. Where it is
    /// zero, making a connection is an error of kind [`Value`](ErrorKind::Value).
    #[must_use]
    pub fn handshake_timeout(mut self, timeout: Duration) -> TlsOptions {
        self.handshake_timeout = timeout;
        self
    }

    /// Sets the time after which the peer's end is not waited for any more:
    /// `ssl_shutdown_timeout`, 30 s by default. It may not be zero either.
    #[must_use]
    pub fn shutdown_timeout(mut self, timeout: Duration) -> TlsOptions {
        self.shutdown_timeout = timeout;
        self
    }

    /// The timeouts of the handshake and of the end.
    pub(super) fn timeouts(&self) -> (Duration, Duration) {
        (self.handshake_timeout, self.shutdown_timeout)
    }

    /// The connection that is to be made with them.
    pub(super) fn connection(&self) -> Result<Connection> {
        let (handshake, shutdown) = self.timeouts();
        for (name, timeout) in [("handshake", handshake), ("shutdown", shutdown)] {
            if timeout.is_zero() {
                let message = format!("ssl_{name}_timeout should be a positive number, got 0");
                return Err(Error::new(ErrorKind::Value, message));
            }
        }
        let mut connection = match &self.side {
            Side::Client(config, name) => {
                let client = ClientConnection::new(Arc::clone(config), name.clone());
                Connection::Client(client.map_err(tls_error)?)
            }
            Side::Server(config) => {
                Connection::Server(ServerConnection::new(Arc::clone(config)).map_err(tls_error)?)
            }
        };
        // The marks of the transport limit it.
        connection.set_buffer_limit(None);
        Ok(connection)
    }
}
