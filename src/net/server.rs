//! [`Server`]: sockets that listen, and the connections that they have accepted.

use alloc::format;
use alloc::rc::{Rc, Weak};
use alloc::vec::Vec;
use core::cell::Cell;
use core::fmt;
use core::time::Duration;
use std::io;

use super::listening::Listening;
use super::server_options::ServerOptions;
use super::settle::settle;
use super::transport::{
    Address, Clients, Close, Connection, Socket, Transport, TransportSocket, is_passing, made,
};
use crate::asyncio::{LoopFuture, sleep};
use crate::collections::{Key, KeyedQueue, RefCell};
use crate::error::{Error, Result};
use crate::event_loop::{ExceptionContext, LoopRef};
use crate::io::{REST, is_out_of_resources, report_out_of_resources};
use crate::panics::caught;

/// Makes the transport and the protocol of an accepted connection.
pub(super) type Connect = Rc<dyn Fn(Socket, LoopFuture<()>) -> Result<Transport>>;

/// A server: asyncio's `Server`, as [`start_server`](super::start_server) returns it.
///
/// Clones are the same server. It serves on when the last is dropped, until it is closed or its loop
/// is.
#[derive(Clone)]
pub struct Server(Rc<ServerState>);

struct ServerState {
    on: LoopRef,
    /// Gone once it is closed.
    sockets: RefCell<Option<Vec<Rc<Listening>>>>,
    /// The connections that are not lost, in the order of accepting.
    clients: RefCell<KeyedQueue<Weak<Connection>>>,
    /// Gone once it is closed and all connections are lost.
    waiters: RefCell<Option<Vec<LoopFuture<()>>>>,
    backlog: u32,
    connect: Connect,
    serving: Cell<bool>,
    forever: RefCell<Option<LoopFuture<()>>>,
}

impl Server {
    fn new(on: &LoopRef, sockets: Vec<Listening>, backlog: u32, connect: Connect) -> Server {
        Server(Rc::new(ServerState {
            on: on.clone(),
            sockets: RefCell::new(Some(sockets.into_iter().map(Rc::new).collect())),
            clients: RefCell::default(),
            waiters: RefCell::new(Some(Vec::new())),
            backlog,
            connect,
            serving: Cell::new(false),
            forever: RefCell::default(),
        }))
    }

    /// Makes a server, which accepts connections if the options say so. It is closed if it can't, and if
    /// the start is cancelled or dropped.
    pub(super) async fn start(
        on: &LoopRef,
        sockets: Vec<Listening>,
        options: &ServerOptions,
        connect: Connect,
    ) -> Result<Server> {
        let server = Server::new(on, sockets, options.backlog, connect);
        if !options.start_serving {
            return Ok(server);
        }
        server.begin_serving().inspect_err(|_| server.close())?;
        made(server, sleep(Duration::ZERO)).await
    }

    /// The loop that it serves on: `get_loop`.
    #[must_use]
    pub fn get_loop(&self) -> &LoopRef {
        &self.0.on
    }

    /// Returns whether it accepts connections: `is_serving`.
    #[must_use]
    pub fn is_serving(&self) -> bool {
        self.0.serving.get()
    }

    /// Its sockets; none once it is closed: `sockets`.
    #[must_use]
    pub fn sockets(&self) -> Vec<TransportSocket> {
        self.listening().iter().map(|socket| socket.source()).collect()
    }

    /// The addresses of its sockets; none once it is closed.
    #[must_use]
    pub fn addresses(&self) -> Vec<Address> {
        self.listening().iter().filter_map(|socket| socket.address()).collect()
    }

    fn listening(&self) -> Vec<Rc<Listening>> {
        self.0.sockets.borrow().clone().unwrap_or_default()
    }

    /// Accepts connections from now on: `start_serving`. May be called again.
    ///
    /// # Errors
    ///
    /// [`Runtime`](crate::ErrorKind::Runtime) if the server is closed; what the system says; the
    /// cancellation.
    ///
    /// # Cancellation
    ///
    /// It serves all the same.
    pub async fn start_serving(&self) -> Result<()> {
        self.check_open()?;
        self.begin_serving()?;
        sleep(Duration::ZERO).await
    }

    fn check_open(&self) -> Result<()> {
        match *self.0.sockets.borrow() {
            Some(_) => Ok(()),
            None => Err(Error::runtime(format!("server {self:?} is closed"))),
        }
    }

    fn begin_serving(&self) -> Result<()> {
        if self.0.serving.replace(true) {
            return Ok(());
        }
        for socket in self.listening() {
            socket.listen(i32::try_from(self.0.backlog).unwrap_or(i32::MAX))?;
            self.watch(&socket)?;
        }
        Ok(())
    }

    fn watch(&self, socket: &Rc<Listening>) -> Result<()> {
        let (server, listening) = (self.clone(), Rc::clone(socket));
        socket.add_reader(&self.0.on, move || server.accept(&listening))
    }

    /// Accepts what there is, and at most so much in one turn as may wait to be accepted.
    fn accept(&self, listening: &Rc<Listening>) -> Result<()> {
        for _ in 0..self.0.backlog.max(1) {
            let error = match listening.accept() {
                Ok(socket) => {
                    let server = self.clone();
                    self.0.on.create_task(async move { server.connect(socket).await })?;
                    continue;
                }
                Err(error) => error,
            };
            if is_passing(&error) || error.kind() == io::ErrorKind::ConnectionAborted {
                return Ok(());
            }
            if !is_out_of_resources(&error) {
                return Err(error.into());
            }
            self.rest(listening, error)?;
            // asyncio goes on here, and tells its handler a hundred times.
            return Ok(());
        }
        Ok(())
    }

    /// Reports that the system is out of resources, and accepts nothing for a second.
    fn rest(&self, listening: &Rc<Listening>, error: io::Error) -> Result<()> {
        report_out_of_resources(&self.0.on, listening, error.into());
        listening.remove_reader(&self.0.on);
        let (server, listening) = (self.clone(), Rc::clone(listening));
        self.0.on.call_later(REST, move || match server.is_serving() {
            true => server.watch(&listening),
            false => Ok(()),
        })?;
        Ok(())
    }

    /// Makes the transport of an accepted connection: asyncio's `_accept_connection2`. Its errors, and those
    /// of the protocol's factory, are reported in debug mode only, as there.
    async fn connect(&self, socket: Socket) -> Result<()> {
        let waiter = LoopFuture::new(&self.0.on);
        let (error, transport) = match self.begin_connection(socket, &waiter) {
            Ok(transport) => {
                let Err(error) = waiter.await else { return Ok(()) };
                transport.close();
                (error, Some(transport))
            }
            Err(error) => (error, None),
        };
        if self.0.on.debug() {
            let message = "Error on transport creation for incoming connection";
            let mut context = ExceptionContext::new(message);
            context.exception = Some(error);
            context.transport = transport.map(|transport| format!("{transport:?}"));
            self.0.on.call_exception_handler(&context);
        }
        Ok(())
    }

    /// `waiter` is done when the connection is made.
    fn begin_connection(&self, socket: Socket, waiter: &LoopFuture<()>) -> Result<Transport> {
        self.check_open()?;
        let connect = || (self.0.connect)(socket, waiter.clone());
        let transport = caught(connect).and_then(|made| made)?;
        self.attach(&transport);
        Ok(transport)
    }

    fn attach(&self, transport: &Transport) {
        let key = self.0.clients.borrow_mut().push(transport.downgrade());
        transport.attach(Rc::<ServerState>::clone(&self.0), key);
    }

    /// Closes the sockets: `close`. Connections stay open. A task in
    /// [`serve_forever`](Server::serve_forever) is cancelled.
    pub fn close(&self) {
        let Some(sockets) = self.0.sockets.take() else { return };
        for socket in sockets {
            socket.stop(&self.0.on);
        }
        self.0.serving.set(false);
        let forever = self.0.forever.borrow().clone();
        if forever.is_some_and(|forever| forever.cancel()) {
            self.0.forever.take();
        }
        if self.0.clients.borrow().is_empty() {
            self.0.wake();
        }
    }

    fn clients(&self) -> Vec<Transport> {
        self.0.clients.borrow().iter().filter_map(Transport::upgrade).collect()
    }

    /// Closes all connections: `close_clients`. See [`Transport::close`].
    pub fn close_clients(&self) {
        self.clients().iter().for_each(Transport::close);
    }

    /// Aborts all connections: `abort_clients`. See [`Transport::abort`].
    pub fn abort_clients(&self) {
        self.clients().iter().for_each(Transport::abort);
    }

    /// Accepts connections until it is cancelled: `serve_forever`. Then it closes the server, and
    /// waits until all connections are lost.
    ///
    /// # Errors
    ///
    /// [`Runtime`](crate::ErrorKind::Runtime) if the server is closed, or another task is here; what
    /// the system says; the cancellation, also after [`close`](Server::close).
    ///
    /// # Cancellation
    ///
    /// As said. Dropped, it closes nothing.
    pub async fn serve_forever(&self) -> Result<()> {
        if self.0.forever.borrow().is_some() {
            let message = format!("server {self:?} is already being awaited on serve_forever()");
            return Err(Error::runtime(message));
        }
        self.check_open()?;
        self.begin_serving()?;
        let forever = LoopFuture::<()>::new(&self.0.on);
        *self.0.forever.borrow_mut() = Some(forever.clone());
        let _serving = Serving(&self.0);
        let outcome = forever.await;
        if outcome.as_ref().is_err_and(Error::is_cancelled) {
            self.close();
            // Another cancellation takes the place of the first.
            self.wait_closed().await?;
        }
        outcome
    }

    /// Waits until the server is closed and all its connections are lost: `wait_closed`.
    ///
    /// # Errors
    ///
    /// The cancellation.
    pub async fn wait_closed(&self) -> Result<()> {
        let waiter = LoopFuture::new(&self.0.on);
        match &mut *self.0.waiters.borrow_mut() {
            Some(waiters) => waiters.push(waiter.clone()),
            None => return Ok(()),
        }
        waiter.await
    }
}

impl Clients for ServerState {
    fn detach(&self, key: Key) {
        self.clients.borrow_mut().remove(key);
        if self.clients.borrow().is_empty() && self.sockets.borrow().is_none() {
            self.wake();
        }
    }
}

impl ServerState {
    fn wake(&self) {
        let waiters = self.waiters.take().unwrap_or_default();
        waiters.iter().for_each(|waiter| settle(waiter, None));
    }
}

/// Ends `serve_forever` when it is dropped.
struct Serving<'a>(&'a ServerState);

impl Drop for Serving<'_> {
    fn drop(&mut self) {
        let forever = self.0.forever.take();
        drop(forever);
    }
}

impl Close for Server {
    fn close(&self) {
        self.close();
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("addresses", &self.addresses()).finish_non_exhaustive()
    }
}
