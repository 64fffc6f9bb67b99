//! Making endpoints of datagrams.

use alloc::rc::Rc;
use alloc::vec::Vec;
use std::net::SocketAddr;
#[cfg(unix)]
use std::os::unix::fs::FileTypeExt;
#[cfg(unix)]
use std::os::unix::net::UnixDatagram;
#[cfg(unix)]
use std::path::Path;

use super::options::DatagramOptions;
use super::protocol::{DatagramProtocol, endpoint_of};
use super::socket::Socket;
use super::transport::DatagramTransport;
use crate::error::{Error, ErrorKind, Result};
use crate::event_loop::LoopRef;
use crate::io::udp_socket;
#[cfg(unix)]
use crate::io::unix_address;
use crate::net::transport::{Address, made_by};

/// The addresses of one family: the local and the remote one.
type Pair = (Option<SocketAddr>, Option<SocketAddr>);

impl LoopRef {
    /// Makes an endpoint of UDP, bound to the address `local` and connected to `remote`, as far as
    /// they are given, and has it call the protocol that `factory` makes:
    /// `loop.create_datagram_endpoint`. It returns after `connection_made`.
    ///
    /// ```
    /// use std::rc::Rc;
    /// use callsoon::net::{Address, DatagramOptions, DatagramProtocol, DatagramTransport};
    /// use callsoon::{LoopFuture, Result, run, running_loop};
    ///
    /// struct Answer(LoopFuture<Vec<u8>>);
    ///
    /// impl DatagramProtocol for Answer {
    ///     fn connection_made(&self, transport: &DatagramTransport) -> Result<()> {
    ///         transport.sendto(b"to myself", transport.sockname().as_ref())
    ///     }
    ///
    ///     fn datagram_received(&self, data: &[u8], _from: &Address) -> Result<()> {
    ///         self.0.set_result(data.to_vec())
    ///     }
    /// }
    ///
    /// run(async {
    ///     let on = running_loop()?;
    ///     let protocol = || Answer(on.create_future());
    ///     let local = Some(("127.0.0.1", 0));
    ///     let options = DatagramOptions::new();
    ///     let (transport, answer) =
    ///         on.create_datagram_endpoint(protocol, local, None, options).await?;
    ///     assert_eq!((&answer.0).await?, b"to myself");
    ///     transport.close();
    ///     Ok(())
    /// }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// What the system says of a name, or of the first address that was tried;
    /// [`Value`](ErrorKind::Value) without any address, or if the addresses have no family in
    /// common; the cancellation.
    ///
    /// # Cancellation
    ///
    /// Cancelled or dropped, the endpoint is closed.
    pub async fn create_datagram_endpoint<P: DatagramProtocol + 'static>(
        &self,
        factory: impl FnOnce() -> P,
        local: Option<(&str, u16)>,
        remote: Option<(&str, u16)>,
        options: DatagramOptions,
    ) -> Result<(DatagramTransport, Rc<P>)> {
        let value = |message| Err(Error::new(ErrorKind::Value, message));
        if local.is_none() && remote.is_none() {
            return value("unexpected address family");
        }
        let pairs = self.pairs_of(local, remote).await?;
        let mut failed = None;
        for pair in pairs {
            match open(pair, options) {
                Ok(socket) => {
                    let remote = pair.1.map(Address::Ip);
                    return self.datagram_endpoint(factory, socket, remote).await;
                }
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or_else(|| value("can not get address information"), Err)
    }

    /// Makes an endpoint of Unix datagrams, bound to the path `local` and connected to the one at
    /// `remote`, as far as they are given: `loop.create_datagram_endpoint` with `AF_UNIX`. A socket
    /// that is left at `local` is removed. For the rest see
    /// [`create_datagram_endpoint`](LoopRef::create_datagram_endpoint).
    ///
    /// # Errors
    ///
    /// What the system says; the cancellation.
    ///
    /// # Cancellation
    ///
    /// Cancelled or dropped, the endpoint is closed.
    #[cfg(unix)]
    pub async fn create_unix_datagram_endpoint<P: DatagramProtocol + 'static>(
        &self,
        factory: impl FnOnce() -> P,
        local: Option<&Path>,
        remote: Option<&Path>,
    ) -> Result<(DatagramTransport, Rc<P>)> {
        let socket = crate::error::about(open_unix(local, remote), || "no datagram socket".into())?;
        let peer = remote.and(socket.peer_addr().ok()).map(Address::Unix);
        self.datagram_endpoint(factory, Socket::Unix(Rc::new(socket)), peer).await
    }

    async fn datagram_endpoint<P: DatagramProtocol + 'static>(
        &self,
        factory: impl FnOnce() -> P,
        socket: Socket,
        remote: Option<Address>,
    ) -> Result<(DatagramTransport, Rc<P>)> {
        made_by(self, factory, |own, waiter| endpoint_of(self, socket, own, remote, waiter)).await
    }

    /// The addresses of each family that has all that are asked for, in the order in which the
    /// families are found. Of several of a family the last is taken, as in asyncio.
    async fn pairs_of(
        &self,
        local: Option<(&str, u16)>,
        remote: Option<(&str, u16)>,
    ) -> Result<Vec<Pair>> {
        let mut pairs: Vec<(bool, Pair)> = Vec::new();
        for (named, is_local) in [(local, true), (remote, false)] {
            let Some((host, port)) = named else { continue };
            for address in self.addresses_of(host, port, None).await? {
                let family = address.is_ipv4();
                let place = pairs.iter().position(|(of, _)| *of == family).unwrap_or_else(|| {
                    pairs.push((family, (None, None)));
                    pairs.len() - 1
                });
                let pair = &mut pairs[place].1;
                *(if is_local { &mut pair.0 } else { &mut pair.1 }) = Some(address);
            }
        }
        let is_whole = |pair: &Pair| {
            local.is_some() == pair.0.is_some() && remote.is_some() == pair.1.is_some()
        };
        Ok(pairs.into_iter().map(|(_, pair)| pair).filter(is_whole).collect())
    }
}

fn open((local, remote): Pair, options: DatagramOptions) -> Result<Socket> {
    let family = local.or(remote).ok_or_else(Error::cancelled)?;
    let socket = udp_socket(family, local, options.reuse_port)?;
    if options.allow_broadcast {
        socket.set_broadcast(true)?;
    }
    if let Some(remote) = remote.filter(|_| !options.allow_broadcast) {
        socket.connect(remote)?;
    }
    Ok(Socket::Udp(Rc::new(socket)))
}

#[cfg(unix)]
fn open_unix(local: Option<&Path>, remote: Option<&Path>) -> std::io::Result<UnixDatagram> {
    let socket = match local {
        Some(path) => {
            if std::fs::metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
                std::fs::remove_file(path)?;
            }
            UnixDatagram::bind_addr(&unix_address(path)?)?
        }
        None => UnixDatagram::unbound()?,
    };
    socket.set_nonblocking(true)?;
    if let Some(path) = remote {
        socket.connect_addr(&unix_address(path)?)?;
    }
    Ok(socket)
}
