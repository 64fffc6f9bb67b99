//! [`TlsTransport`]: a transport over that of a socket, which calls its protocol with what was
//! decrypted.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::any::Any;
use core::cell::{Cell, OnceCell};
use core::fmt;
use core::time::Duration;

use super::address::{Address, Ends};
use super::callbacks::Callbacks;
use super::events::Events;
use super::flow_control::FlowControl;
use super::lost_writes::LostWrites;
use super::made::Close;
use super::socket::Socket;
use super::socket_transport::SocketTransport;
use super::tls_options::TlsOptions;
use super::tls_session::{Session, TlsInfo};
use crate::asyncio::{LoopExtension, LoopFuture, TaskRegistry};
use crate::collections::{Key, KeyedQueue, RefCell};
use crate::error::{Error, Result};
use crate::event_loop::{LoopRef, TimerHandle, drop_quietly};

/// The high-water mark of writing: `FLOW_CONTROL_HIGH_WATER_SSL_WRITE`.
const WRITE_LIMIT: usize = 512 * 1024;

/// asyncio's `SSLProtocolState`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    Unwrapped,
    Handshake,
    Wrapped,
    Flushing,
    Shutdown,
}

/// The last call of the protocol: asyncio's `AppProtocolState`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Called {
    Nothing,
    Made,
    Eof,
    Lost,
}

/// asyncio's `SSLProtocol` and `_SSLProtocolTransport`. Clones are the same connection.
#[derive(Clone)]
pub(crate) struct TlsTransport(pub(super) Rc<Tls>);

/// Calls the protocol's `connection_made`.
type Made = Box<dyn FnOnce(&TlsTransport) -> Result<()>>;

pub(super) struct Tls {
    pub(super) callbacks: Callbacks<dyn Events>,
    pub(super) session: Session,
    /// The transport of the socket, until that is lost.
    pub(super) lower: RefCell<Option<SocketTransport>>,
    pub(super) ends: OnceCell<Ends>,
    pub(super) made: Cell<Option<Made>>,
    pub(super) waiter: Cell<Option<LoopFuture<()>>>,
    pub(super) state: Cell<State>,
    pub(super) called: Cell<Called>,
    pub(super) closed: Cell<bool>,
    /// The peer has closed its direction of the socket.
    pub(super) eof: Cell<bool>,
    pub(super) lost: LostWrites,
    pub(super) flow: FlowControl,
    /// The socket takes no more for now.
    pub(super) is_full: Cell<bool>,
    /// The protocol wants no more for now.
    pub(super) paused: Cell<bool>,
    /// The socket isn't read for now.
    pub(super) lower_paused: Cell<bool>,
    pub(super) timeouts: (Duration, Duration),
    /// Of the handshake, or of the end.
    pub(super) timer: RefCell<Option<TimerHandle>>,
    /// The place among the connections of the loop.
    pub(super) key: Cell<Option<Key>>,
}

/// The connections of a loop that are not lost. They hold the transports of their sockets, which hold
/// them.
#[derive(Default)]
pub(super) struct Connections(pub(super) RefCell<KeyedQueue<TlsTransport>>);

impl LoopExtension for Connections {
    fn close(&self, event_loop: &LoopRef) {
        let all: Vec<TlsTransport> = self.0.borrow().iter().cloned().collect();
        drop(self.0.take());
        for connection in all {
            drop_quietly(event_loop, connection.take_held());
        }
    }

    fn into_any(self: Rc<Self>) -> Rc<dyn Any> {
        self
    }
}

impl TlsTransport {
    /// Makes a connection over `socket`. `made` is called after the handshake, and `waiter` is done
    /// then.
    pub(crate) fn over(
        on: &LoopRef,
        socket: Socket,
        options: &TlsOptions,
        protocol: Rc<dyn Events>,
        made: Made,
        waiter: LoopFuture<()>,
    ) -> Result<TlsTransport> {
        let tls = TlsTransport::new(on, options, protocol, Some(made), waiter)?;
        let own = tls.clone();
        let begin = move |_: &SocketTransport| own.begin();
        let lower = SocketTransport::new(on, socket, Rc::new(tls.clone()), begin, None)?;
        tls.stand_on(&lower);
        Ok(tls)
    }

    /// Has `lower` talk TLS from now on: asyncio's `start_tls`. `waiter` is done after the handshake;
    /// closing the connection before takes it back.
    pub(crate) fn upgrade(
        lower: &SocketTransport,
        options: &TlsOptions,
        protocol: Rc<dyn Events>,
        waiter: LoopFuture<()>,
    ) -> Result<Upgrade> {
        if lower.is_closing() {
            return Err(Error::runtime("Transport is closing"));
        }
        let on = lower.get_loop();
        let tls = TlsTransport::new(on, options, protocol, None, waiter)?;
        lower.pause_reading();
        tls.stand_on(lower);
        lower.callbacks().set_protocol(Rc::new(tls.clone()));
        let own = tls.clone();
        on.call_soon(move || own.begin())?;
        let lower = lower.clone();
        on.call_soon(move || lower.resume_reading())?;
        Ok(Upgrade(tls))
    }

    fn new(
        on: &LoopRef,
        options: &TlsOptions,
        protocol: Rc<dyn Events>,
        made: Option<Made>,
        waiter: LoopFuture<()>,
    ) -> Result<TlsTransport> {
        let called = if made.is_some() { Called::Nothing } else { Called::Made };
        Ok(TlsTransport(Rc::new(Tls {
            callbacks: Callbacks::new(on, protocol),
            session: Session::new(options.connection()?),
            lower: RefCell::default(),
            ends: OnceCell::new(),
            made: Cell::new(made),
            waiter: Cell::new(Some(waiter)),
            state: Cell::new(State::Unwrapped),
            called: Cell::new(called),
            closed: Cell::new(false),
            eof: Cell::new(false),
            lost: LostWrites::default(),
            flow: FlowControl::new(WRITE_LIMIT),
            is_full: Cell::new(false),
            paused: Cell::new(false),
            lower_paused: Cell::new(false),
            timeouts: options.timeouts(),
            timer: RefCell::default(),
            key: Cell::new(None),
        })))
    }

    /// Notes the socket's transport.
    fn stand_on(&self, lower: &SocketTransport) {
        let _ = self.0.ends.set(lower.ends());
        self.0.lower.replace(Some(lower.clone()));
        let connections = self.connections();
        self.0.key.set(Some(connections.0.borrow_mut().push(self.clone())));
    }

    pub(super) fn connections(&self) -> Rc<Connections> {
        TaskRegistry::of(self.get_loop()).extension()
    }

    /// Takes out what may refer to this in turn.
    fn take_held(&self) -> impl Sized + use<> {
        let held = (self.0.lower.take(), self.0.callbacks.take(), self.0.made.take());
        (held, self.0.waiter.take(), self.0.timer.take())
    }

    pub(crate) fn callbacks(&self) -> &Callbacks<dyn Events> {
        &self.0.callbacks
    }

    pub(crate) fn flow(&self) -> &FlowControl {
        &self.0.flow
    }

    pub(crate) fn get_loop(&self) -> &LoopRef {
        self.0.callbacks.event_loop()
    }

    pub(crate) fn lower(&self) -> Option<SocketTransport> {
        self.0.lower.borrow().clone()
    }

    /// The outcome of the handshake, once it is over.
    pub(crate) fn info(&self) -> Option<TlsInfo> {
        let before = matches!(self.0.called.get(), Called::Nothing);
        if before { None } else { self.0.session.info() }
    }

    pub(crate) fn sockname(&self) -> Option<Address> {
        self.0.ends.get()?.own()
    }

    pub(crate) fn peername(&self) -> Option<Address> {
        self.0.ends.get()?.peer()
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.0.closed.get()
    }

    pub(crate) fn is_reading(&self) -> bool {
        !self.0.paused.get()
    }

    pub(crate) fn pause_reading(&self) {
        self.0.paused.set(true);
    }

    pub(crate) fn resume_reading(&self) -> Result<()> {
        if !self.0.paused.replace(false) {
            return Ok(());
        }
        let own = self.clone();
        self.get_loop().call_soon(move || own.go_on()).map(drop)
    }

    pub(crate) fn close(&self) {
        self.0.closed.set(true);
        if let Err(error) = self.start_shutdown() {
            // asyncio's `close` raises the cancellation of the protocol that it calls.
            self.abort_with(Some(error.clone()));
            self.report("Fatal error on SSL protocol", Some(error));
        }
    }

    pub(crate) fn abort(&self) {
        self.0.closed.set(true);
        self.abort_with(None);
    }

    pub(crate) fn write_buffer_size(&self) -> usize {
        self.0.session.unsent()
    }

    pub(crate) fn write_buffer_limits(&self) -> (usize, usize) {
        self.0.flow.limits()
    }

    pub(crate) fn set_write_buffer_limits(
        &self,
        high: Option<usize>,
        low: Option<usize>,
    ) -> Result<()> {
        self.0.flow.set_limits(WRITE_LIMIT, high, low)?;
        self.control_writing();
        Ok(())
    }

    pub(crate) fn write(&self, data: &[u8]) {
        if data.is_empty() {
            return;
        }
        if !matches!(self.0.state.get(), State::Handshake | State::Wrapped) {
            self.0.lost.count("SSL connection is closed");
            return;
        }
        self.0.session.write(data);
        if self.0.state.get() == State::Wrapped {
            self.do_write();
        }
    }

    pub(crate) fn report(&self, message: &str, error: Option<Error>) {
        self.0.callbacks.report(self, message, error);
    }
}

/// A connection that is about to talk TLS. Given up, it is closed behind what was written before.
pub(crate) struct Upgrade(pub(super) TlsTransport);

impl Close for Upgrade {
    fn close(&self) {
        self.0.0.closed.set(true);
        if let Some(lower) = self.0.lower() {
            lower.close();
        }
    }
}

impl fmt::Debug for TlsTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("TlsTransport");
        shown.field("state", &self.0.state.get()).field("closing", &self.is_closing());
        shown.field("peername", &self.peername()).finish_non_exhaustive()
    }
}
