//! Connections and servers of the program's own protocols.

use alloc::rc::Rc;

use super::listening::listening_at;
use super::protocol::{Protocol, transport_of};
use super::server::Server;
use super::socket::Socket;
use super::transport::Transport;
use crate::asyncio::LoopFuture;
use crate::error::Result;
use crate::event_loop::LoopRef;
use crate::io::TcpStream;

impl LoopRef {
    /// Connects to `port` of `host`, and has the connection call the protocol that `factory` makes:
    /// `loop.create_connection`. It returns after `connection_made`.
    ///
    /// # Errors
    ///
    /// As [`TcpStream::connect_to_host`].
    ///
    /// # Cancellation
    ///
    /// Cancelled or dropped, the connection is closed.
    pub async fn create_connection<P: Protocol + 'static>(
        &self,
        factory: impl FnOnce() -> P,
        host: &str,
        port: u16,
    ) -> Result<(Transport, Rc<P>)> {
        let stream = TcpStream::connect_to_host(host, port).await?.into_inner()?;
        let protocol = Rc::new(factory());
        let waiter = LoopFuture::new(self);
        let called = Rc::<P>::clone(&protocol);
        let transport = transport_of(self, Socket::Tcp(Rc::new(stream)), called, waiter.clone())?;
        let closing = CloseOnDrop(Some(transport));
        waiter.await?;
        Ok((closing.keep(), protocol))
    }

    /// Serves at `port` of `host`, or of all interfaces, and has each connection call a protocol
    /// that `factory` makes: `loop.create_server`.
    ///
    /// # Errors
    ///
    /// As [`start_server`](super::start_server).
    ///
    /// # Cancellation
    ///
    /// As [`start_server`](super::start_server).
    pub async fn create_server<P: Protocol + 'static>(
        &self,
        factory: impl Fn() -> P + 'static,
        host: Option<&str>,
        port: u16,
    ) -> Result<Server> {
        let sockets = listening_at(self, host, port).await?;
        let on = self.clone();
        let connect = move |socket, waiter| transport_of(&on, socket, Rc::new(factory()), waiter);
        let server = Server::new(self, sockets, Rc::new(connect));
        server.start_serving().await?;
        Ok(server)
    }
}

/// Closes a connection when the wait for it is dropped.
struct CloseOnDrop(Option<Transport>);

impl CloseOnDrop {
    fn keep(mut self) -> Transport {
        self.0.take().expect("it is dropped in no other place")
    }
}

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        if let Some(transport) = self.0.take() {
            transport.close();
        }
    }
}
