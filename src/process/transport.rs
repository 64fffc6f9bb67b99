//! [`SubprocessTransport`]: a child process with its pipes, which calls its protocol.

use super::events::SubprocessEvents;
use super::started::Started;
use super::system::{Child, Descriptor, SIGKILL, SIGTERM, connect, no_such_process};
use super::watch::watch;
use crate::asyncio::{LoopExtension, LoopFuture, TaskRegistry, release};
use crate::collections::{Key, KeyedQueue, RefCell};
use crate::error::{Error, Result};
use crate::event_loop::{LoopRef, drop_quietly};
use crate::logging::say;
use crate::net::{BaseEvents, Callbacks, Close, Events, Transport, made};
use alloc::boxed::Box;
use alloc::rc::{Rc, Weak};
use alloc::vec::Vec;
use core::any::Any;
use core::cell::Cell;
use core::fmt;

/// A child process that calls its [`SubprocessProtocol`](super::SubprocessProtocol):
/// `asyncio.SubprocessTransport`.
///
/// Clones are the same child. It goes on when all are dropped, and is reaped when it ends. A child
/// that goes on when its loop closes is killed and reaped.
#[derive(Clone)]
pub struct SubprocessTransport(Rc<State>);

/// Schedules a call of the protocol. The call itself keeps its type, which names it in reports.
type ScheduleCall = Box<dyn FnOnce(&LoopRef) -> Result<()>>;

struct State {
    callbacks: Callbacks<dyn SubprocessEvents>,
    child: Rc<Child>,
    returncode: Cell<Option<i32>>,
    closed: Cell<bool>,
    /// The pipes of the standard streams, in their places.
    pipes: [Pipe; 3],
    /// The calls of the protocol while the pipes are being connected.
    pending: RefCell<Option<Vec<ScheduleCall>>>,
    /// The call of `connection_lost` is scheduled.
    finished: Cell<bool>,
    waiters: RefCell<Vec<LoopFuture<()>>>,
    /// The place among the loop's children.
    key: Cell<Option<Key>>,
}

#[derive(Default)]
struct Pipe {
    /// The child has this pipe.
    wanted: Cell<bool>,
    /// There once it is connected.
    transport: RefCell<Option<Transport>>,
    disconnected: Cell<bool>,
}

/// The children of a loop that are not done.
#[derive(Default)]
struct Children(RefCell<KeyedQueue<SubprocessTransport>>);

impl LoopExtension for Children {
    fn close(&self, event_loop: &LoopRef) {
        let children: Vec<SubprocessTransport> = self.0.borrow().iter().cloned().collect();
        drop(self.0.take());
        // All are told before one is waited for, and none is spared by a panic of another's protocol.
        children.iter().for_each(|child| _ = child.0.child.kill());
        children.iter().for_each(SubprocessTransport::end);
        for child in children {
            drop_quietly(event_loop, child.take_held());
            drop_quietly(event_loop, child);
        }
    }

    fn into_any(self: Rc<Self>) -> Rc<dyn Any> {
        self
    }
}

impl SubprocessTransport {
    /// Begins to connect the pipes, and to watch the child. `waiter` is done when the pipes are
    /// connected; `connection_made` is called then.
    pub(super) fn new(
        on: &LoopRef,
        started: Started,
        protocol: Rc<dyn SubprocessEvents>,
        connection_made: impl FnOnce(&SubprocessTransport) -> Result<()> + 'static,
        waiter: LoopFuture<()>,
    ) -> Result<SubprocessTransport> {
        let Started { child, stdin, stdout, stderr } = started;
        let transport = SubprocessTransport(Rc::new(State {
            callbacks: Callbacks::new(on, protocol),
            child: Rc::new(child),
            returncode: Cell::new(None),
            closed: Cell::new(false),
            pipes: Default::default(),
            pending: RefCell::new(Some(Vec::new())),
            finished: Cell::new(false),
            waiters: RefCell::default(),
            key: Cell::new(None),
        }));
        let ends = [stdin, stdout, stderr];
        for (pipe, end) in transport.0.pipes.iter().zip(&ends) {
            pipe.wanted.set(end.is_some());
        }
        let begun = transport.begin(ends, connection_made, waiter);
        if begun.is_err() {
            transport.end();
            drop(transport.take_held());
        }
        begun.map(|()| transport)
    }

    fn begin(
        &self,
        ends: [Option<Descriptor>; 3],
        connection_made: impl FnOnce(&SubprocessTransport) -> Result<()> + 'static,
        waiter: LoopFuture<()>,
    ) -> Result<()> {
        let own = self.clone();
        watch(self.get_loop(), &self.0.child, move |code| own.process_exited(code))?;
        let connecting = Connecting { child: self.clone(), waiter };
        self.get_loop().create_task(async move {
            match connecting.child.connect_pipes(ends, connection_made).await {
                Ok(()) => release(&connecting.waiter)?,
                // One that was cancelled meanwhile stays so.
                Err(error) => drop(connecting.waiter.set_exception(error)),
            }
            Ok(())
        })?;
        let children = TaskRegistry::of(self.get_loop()).extension::<Children>();
        self.0.key.set(Some(children.0.borrow_mut().push(self.clone())));
        Ok(())
    }

    /// asyncio's `_connect_pipes`.
    async fn connect_pipes(
        &self,
        ends: [Option<Descriptor>; 3],
        connection_made: impl FnOnce(&SubprocessTransport) -> Result<()> + 'static,
    ) -> Result<()> {
        for (fd, end) in ends.into_iter().enumerate() {
            let Some(end) = end else { continue };
            let events = Rc::new(PipeEvents { child: Rc::downgrade(&self.0), fd });
            let waiter = LoopFuture::new(self.get_loop());
            let (on, child) = (self.get_loop(), &self.0.child);
            let transport = connect(on, child, fd, end, events, waiter.clone())?;
            let transport = made(transport, waiter).await?;
            if self.is_closing() {
                transport.close();
            }
            self.0.pipes[fd].transport.replace(Some(transport));
        }
        let own = self.clone();
        self.get_loop().call_soon(move || connection_made(&own))?;
        let pending = self.0.pending.take().unwrap_or_default();
        pending.into_iter().try_for_each(|schedule| schedule(self.get_loop()))
    }

    /// The loop on which it calls its protocol.
    #[must_use]
    pub fn get_loop(&self) -> &LoopRef {
        self.0.callbacks.event_loop()
    }

    pub(super) fn callbacks(&self) -> &Callbacks<dyn SubprocessEvents> {
        &self.0.callbacks
    }

    /// The number of the process: `get_pid`.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.0.child.pid()
    }

    /// The return code once the process has ended: `get_returncode`. A negative one is the signal
    /// that has ended it.
    #[must_use]
    pub fn returncode(&self) -> Option<i32> {
        self.0.returncode.get()
    }

    /// The transport of the pipe that is the child's descriptor `fd`: 0 for its standard input, 1
    /// for its standard output, 2 for its standard error: `get_pipe_transport`. It is there once the
    /// pipe is connected, and stays when that is lost.
    #[must_use]
    pub fn pipe_transport(&self, fd: usize) -> Option<Transport> {
        self.0.pipes.get(fd)?.transport.borrow().clone()
    }

    /// Sends a signal to the process: `send_signal`. One that has ended gets none. Signal 0 is none
    /// either. On Windows `SIGTERM` (15) and `SIGKILL` (9) end the process, and there are no others.
    ///
    /// # Errors
    ///
    /// The system's `ESRCH` once it has ended and its pipes are closed (Python's
    /// `ProcessLookupError`; on Windows an error of the kind [`NotFound`](std::io::ErrorKind::NotFound)), and
    /// its `EINVAL` for a number that is no signal's; what else it says. On Windows
    /// [`Value`](crate::ErrorKind::Value) for other signals.
    pub fn send_signal(&self, signal: i32) -> Result<()> {
        if self.0.callbacks.protocol().is_none() {
            return Err(no_such_process().into());
        }
        self.0.child.send_signal(signal)
    }

    /// Sends `SIGTERM`: `terminate`.
    ///
    /// # Errors
    ///
    /// As [`send_signal`](SubprocessTransport::send_signal).
    pub fn terminate(&self) -> Result<()> {
        self.send_signal(SIGTERM)
    }

    /// Sends `SIGKILL`: `kill`.
    ///
    /// # Errors
    ///
    /// As [`send_signal`](SubprocessTransport::send_signal).
    pub fn kill(&self) -> Result<()> {
        self.send_signal(SIGKILL)
    }

    /// Returns whether it is closed: `is_closing`.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.0.closed.get()
    }

    /// Closes the pipes, and kills the process unless it has ended: `close`.
    pub fn close(&self) {
        if self.0.closed.replace(true) {
            return;
        }
        for fd in 0..self.0.pipes.len() {
            if let Some(pipe) = self.pipe_transport(fd) {
                pipe.close();
            }
        }
        if self.0.returncode.get().is_none() {
            if self.get_loop().debug() && self.0.child.is_running() {
                say!(Warn, "Close running child process: kill {self:?}");
            }
            // One of another user goes on, as in asyncio.
            self.0.child.kill();
        }
    }

    /// Waits until the process has ended and its pipes are closed, and returns its return code; at
    /// once if it has ended: asyncio's `_wait`.
    pub(super) async fn wait(&self) -> Result<i32> {
        if let Some(code) = self.0.returncode.get() {
            return Ok(code);
        }
        let waiter = LoopFuture::new(self.get_loop());
        self.0.waiters.borrow_mut().push(waiter.clone());
        let _waiting = Waiting(self, waiter.clone());
        waiter.await?;
        self.0.returncode.get().ok_or_else(Error::closed)
    }

    /// Schedules a call of the protocol, behind those before.
    fn call(&self, call: impl FnOnce(&dyn SubprocessEvents) -> Result<()> + 'static) -> Result<()> {
        let Some(protocol) = self.0.callbacks.protocol() else { return Ok(()) };
        self.schedule(move || call(&*protocol))
    }

    /// Schedules a callback, behind those that wait for the pipes to be connected.
    fn schedule(&self, callback: impl FnOnce() -> Result<()> + 'static) -> Result<()> {
        if let Some(pending) = &mut *self.0.pending.borrow_mut() {
            pending.push(Box::new(move |on| on.call_soon(callback).map(drop)));
            return Ok(());
        }
        self.get_loop().call_soon(callback).map(drop)
    }

    fn pipe_lost(&self, fd: usize, error: Option<Error>) -> Result<()> {
        self.0.pipes[fd].disconnected.set(true);
        self.call(move |protocol| protocol.pipe_connection_lost(fd, error))?;
        self.try_finish()
    }

    fn process_exited(&self, code: i32) -> Result<()> {
        self.0.returncode.set(Some(code));
        self.call(|protocol| protocol.process_exited())?;
        self.try_finish()
    }

    /// Schedules the end, if the process has ended and all its pipes are closed.
    fn try_finish(&self) -> Result<()> {
        let is_done = |pipe: &Pipe| !pipe.wanted.get() || pipe.disconnected.get();
        if self.0.returncode.get().is_none() || !self.0.pipes.iter().all(is_done) {
            return Ok(());
        }
        if self.0.finished.replace(true) { Ok(()) } else { self.schedule_connection_lost() }
    }

    fn schedule_connection_lost(&self) -> Result<()> {
        let own = self.clone();
        self.schedule(move || own.call_connection_lost())
    }

    fn call_connection_lost(&self) -> Result<()> {
        let outcome = self.0.callbacks.connection_lost(None);
        let waiters = self.0.waiters.take();
        waiters.iter().for_each(|waiter| drop(release(waiter)));
        if let Some(key) = self.0.key.take() {
            let children = TaskRegistry::of(self.get_loop()).extension::<Children>();
            let own = children.0.borrow_mut().remove(key);
            drop(own);
        }
        drop(self.0.callbacks.take());
        outcome
    }

    /// Not all pipes were connected, and the rest never will be: nothing is called any more, and the
    /// end comes with that of the process.
    fn give_up(&self) {
        let Some(calls) = self.0.pending.take() else { return };
        self.0.finished.set(false);
        self.0.pipes.iter().for_each(|pipe| pipe.wanted.set(false));
        let protocol = self.0.callbacks.take();
        // A loop that has closed calls nothing.
        let _ = self.try_finish();
        drop((calls, protocol));
    }

    /// The loop calls nothing any more: ends the process.
    fn end(&self) {
        if let Some(code) = self.0.child.end() {
            self.0.returncode.set(Some(code));
        }
    }

    /// Takes out what may refer to this in turn.
    fn take_held(&self) -> impl Sized + use<> {
        (self.0.pending.take(), self.0.waiters.take(), self.0.callbacks.take())
    }
}

/// The pipes of a child while they are being connected, which may be left in the middle.
struct Connecting {
    child: SubprocessTransport,
    /// Done when they are.
    waiter: LoopFuture<()>,
}

impl Drop for Connecting {
    fn drop(&mut self) {
        self.child.give_up();
        self.waiter.cancel();
    }
}

/// A pipe of a child as its transport calls it: asyncio's `ReadSubprocessPipeProto`.
struct PipeEvents {
    child: Weak<State>,
    fd: usize,
}

impl PipeEvents {
    fn child(&self) -> Option<SubprocessTransport> {
        self.child.upgrade().map(SubprocessTransport)
    }
}

impl BaseEvents for PipeEvents {
    fn connection_lost(&self, error: Option<Error>) -> Result<()> {
        self.child().map_or(Ok(()), |child| child.pipe_lost(self.fd, error))
    }

    fn pause_writing(&self) -> Result<()> {
        let protocol = self.child().and_then(|child| child.0.callbacks.protocol());
        protocol.map_or(Ok(()), |protocol| protocol.pause_writing())
    }

    fn resume_writing(&self) -> Result<()> {
        let protocol = self.child().and_then(|child| child.0.callbacks.protocol());
        protocol.map_or(Ok(()), |protocol| protocol.resume_writing())
    }
}

impl Events for PipeEvents {
    fn data_received(&self, data: &[u8]) -> Result<()> {
        let (Some(child), fd, data) = (self.child(), self.fd, data.to_vec()) else { return Ok(()) };
        child.call(move |protocol| protocol.pipe_data_received(fd, &data))
    }

    fn eof_received(&self) -> Result<bool> {
        Ok(false)
    }
}

/// Takes a wait for the end back when it is dropped.
struct Waiting<'a>(&'a SubprocessTransport, LoopFuture<()>);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut waiters = self.0.0.waiters.borrow_mut();
        let place = waiters.iter().position(|waiter| waiter.id() == self.1.id());
        let own = place.map(|place| waiters.remove(place));
        drop(waiters);
        drop(own);
    }
}

impl Close for SubprocessTransport {
    fn close(&self) {
        self.close();
    }
}

impl fmt::Debug for SubprocessTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("SubprocessTransport");
        shown.field("pid", &self.pid()).field("returncode", &self.returncode());
        shown.field("closed", &self.is_closing()).finish_non_exhaustive()
    }
}
