//! [`Reactor`]: sockets and pipes to callbacks, through `polling`; and the loop's sleep.
//!
//! **Source Invariant**: a file descriptor that the poller watches is kept open by the
//! reactor's own hold on its [`Source`], which is dropped only after the poller was told to
//! forget it. This is all that `polling` asks of its `unsafe` functions, and the only file
//! with `unsafe` code in it for the sake of I/O.
//!
//! A loop that never watches a socket never makes a poller: it sleeps in a parker. Once there
//! is a poller the loop sleeps in that.
#![allow(unsafe_code)]

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::type_name;
use core::cell::{Cell, RefCell};
use core::fmt;
use core::time::Duration;
use std::sync::OnceLock;

use crossbeam_utils::sync::{Parker, Unparker};
use polling::{AsSource, Event, Events, PollMode, Poller};
use slab::Slab;

use super::handle::{CallbackOutput, Job, drop_quietly, run_callback};
use super::host::Notify;
use super::loop_ref::LoopRef;
use super::ready::ReadyQueue;
use crate::error::{Error, Result};

#[cfg(unix)]
type RawKey = std::os::fd::RawFd;
#[cfg(windows)]
type RawKey = std::os::windows::io::RawSocket;

fn raw_key(source: &impl AsSource) -> RawKey {
    #[cfg(unix)]
    return std::os::fd::AsRawFd::as_raw_fd(&source.as_fd());
    #[cfg(windows)]
    return std::os::windows::io::AsRawSocket::as_raw_socket(&source.as_socket());
}

/// Something with a file descriptor (on Windows a socket) that the loop may watch.
///
/// # Safety
///
/// The descriptor must stay open, and the same, for as long as the value lives, whoever holds
/// a shared reference to it. Every standard type with a descriptor is like that.
pub unsafe trait Source: AsSource {}

macro_rules! sources {
    ($($source:ty),* $(,)?) => {$(
        // SAFETY: It owns its descriptor, gives it up only by value, and closes it when dropped.
        unsafe impl Source for $source {}
    )*};
}

sources!(std::net::TcpStream, std::net::TcpListener, std::net::UdpSocket);
#[cfg(windows)]
sources!(std::os::windows::io::OwnedSocket);
#[cfg(unix)]
sources!(
    std::os::fd::OwnedFd,
    std::os::unix::net::UnixStream,
    std::os::unix::net::UnixListener,
    std::os::unix::net::UnixDatagram,
    std::fs::File,
    std::io::Stdin,
    std::io::Stdout,
    std::io::Stderr,
    std::process::ChildStdin,
    std::process::ChildStdout,
    std::process::ChildStderr,
);

// SAFETY: What it points to is a source, and lives at least as long.
unsafe impl<T: Source> Source for Rc<T> {}
// SAFETY: As for `Rc`.
unsafe impl<T: Source> Source for std::sync::Arc<T> {}

/// What is watched of one descriptor.
struct Watch {
    source: Rc<dyn Source>,
    reader: Option<Rc<dyn Repeating>>,
    writer: Option<Rc<dyn Repeating>>,
}

/// One of the two callbacks that a descriptor may have.
#[derive(Clone, Copy)]
enum Side {
    Reader,
    Writer,
}

impl Watch {
    fn side(&mut self, side: Side) -> &mut Option<Rc<dyn Repeating>> {
        match side {
            Side::Reader => &mut self.reader,
            Side::Writer => &mut self.writer,
        }
    }

    fn interest(&self, key: usize) -> Event {
        Event::new(key, self.reader.is_some(), self.writer.is_some())
    }
}

/// A callback that runs once for each turn in which its socket is ready.
struct Repeat<F> {
    /// Away while it runs, and for good once it is cancelled.
    callback: Cell<Option<F>>,
    cancelled: Cell<bool>,
}

/// What the reactor needs of a [`Repeat`], whatever its closure.
trait Repeating: Job {
    fn cancel(&self);
    fn job(self: Rc<Self>) -> Rc<dyn Job>;
}

impl<F: FnMut() -> R + 'static, R: CallbackOutput> Job for Repeat<F> {
    fn run(self: Rc<Self>, on: &LoopRef) {
        let Some(mut callback) = self.callback.take() else { return };
        run_callback(on, || self.describe(), &mut callback);
        if !self.cancelled.get() {
            self.callback.set(Some(callback));
        }
    }

    fn describe(&self) -> String {
        "<Handle ".to_owned() + type_name::<F>() + ">"
    }
}

impl<F: FnMut() -> R + 'static, R: CallbackOutput> Repeating for Repeat<F> {
    fn cancel(&self) {
        self.cancelled.set(true);
        drop(self.callback.take());
    }

    fn job(self: Rc<Self>) -> Rc<dyn Job> {
        self
    }
}

/// Ends the reactor's wait from any thread.
struct Bell {
    unparker: Unparker,
    poller: OnceLock<Arc<Poller>>,
}

impl Notify for Bell {
    fn notify(&self) {
        // A loop that makes its poller meanwhile isn't asleep, and has read its mail before
        // it sleeps again: a bell that still rings at the parker's door is not missed.
        match self.poller.get() {
            // It fails only when the poller does, which the next wait reports.
            Some(poller) => drop(poller.notify()),
            None => self.unparker.unpark(),
        }
    }
}

pub(crate) struct Reactor {
    parker: Parker,
    bell: Arc<Bell>,
    events: RefCell<Events>,
    watches: RefCell<Slab<Watch>>,
    keys: RefCell<BTreeMap<RawKey, usize>>,
    /// Callbacks whose sockets were ready at the last wait.
    fired: RefCell<Vec<Rc<dyn Job>>>,
}

impl Reactor {
    pub(crate) fn new() -> Reactor {
        let parker = Parker::new();
        let unparker = parker.unparker().clone();
        Reactor {
            parker,
            bell: Arc::new(Bell { unparker, poller: OnceLock::new() }),
            events: RefCell::new(Events::new()),
            watches: RefCell::new(Slab::new()),
            keys: RefCell::new(BTreeMap::new()),
            fired: RefCell::new(Vec::new()),
        }
    }

    pub(crate) fn notifier(&self) -> Arc<dyn Notify> {
        self.bell.clone()
    }

    pub(crate) fn has_sources(&self) -> bool {
        !self.watches.borrow().is_empty()
    }

    /// Looks for events without waiting. No system call while nothing is watched.
    pub(crate) fn poll(&self) -> Result<()> {
        if self.has_sources() { self.wait(Some(Duration::ZERO)) } else { Ok(()) }
    }

    /// Waits for events, the bell, or the end of `timeout`.
    pub(crate) fn wait(&self, timeout: Option<Duration>) -> Result<()> {
        let Some(poller) = self.bell.poller.get() else {
            match timeout {
                Some(timeout) => self.parker.park_timeout(timeout),
                None => self.parker.park(),
            }
            return Ok(());
        };
        let mut events = self.events.borrow_mut();
        events.clear();
        poller.wait(&mut events, timeout)?;
        for event in events.iter() {
            self.note(poller, event)?;
        }
        Ok(())
    }

    /// The callbacks that `event` calls for: the reader before the writer, as in asyncio.
    fn note(&self, poller: &Poller, event: Event) -> Result<()> {
        let watches = self.watches.borrow();
        let Some(watch) = watches.get(event.key) else { return Ok(()) };
        let mut fired = self.fired.borrow_mut();
        if let Some(reader) = watch.reader.clone().filter(|_| event.readable) {
            fired.push(reader.job());
        }
        if let Some(writer) = watch.writer.clone().filter(|_| event.writable) {
            fired.push(writer.job());
        }
        if !poller.supports_level() {
            poller.modify(&*watch.source, watch.interest(event.key))?;
        }
        Ok(())
    }

    pub(crate) fn take_fired(&self, ready: &ReadyQueue) {
        let mut fired = self.fired.borrow_mut();
        if !fired.is_empty() {
            ready.extend(fired.drain(..));
        }
    }

    fn poller(&self) -> Result<&Poller> {
        if self.bell.poller.get().is_none() {
            // Only the loop's thread makes it, so it is not made twice.
            let _ = self.bell.poller.set(Arc::new(Poller::new()?));
        }
        self.bell.poller.get().map(|poller| &**poller).ok_or_else(Error::closed)
    }

    /// Watches one side of `source`. Gives back the callback that was there before.
    fn watch(
        &self,
        source: Rc<dyn Source>,
        raw: RawKey,
        side: Side,
        callback: Rc<dyn Repeating>,
    ) -> Result<Option<Rc<dyn Repeating>>> {
        let poller = self.poller()?;
        let mode = if poller.supports_level() { PollMode::Level } else { PollMode::Oneshot };
        let mut watches = self.watches.borrow_mut();
        let known = self.keys.borrow().get(&raw).copied();
        if let Some(key) = known {
            let watch = &mut watches[key];
            let before = watch.side(side).replace(callback);
            let changed = poller.modify_with_mode(&*watch.source, watch.interest(key), mode);
            if changed.is_err() {
                *watch.side(side) = before;
                return changed.map(|()| None).map_err(Error::from);
            }
            return Ok(before);
        }
        let mut watch = Watch { source, reader: None, writer: None };
        *watch.side(side) = Some(callback);
        let entry = watches.vacant_entry();
        let key = entry.key();
        // SAFETY: `watch` goes into the slab and is taken out only by `unwatch` and `close`,
        // which delete its source from the poller before they drop it: the Source Invariant.
        let added = unsafe { poller.add_with_mode(raw, watch.interest(key), mode) };
        if let Err(refused) = added {
            // What the callback holds may call back as it is dropped.
            drop(watches);
            drop(watch);
            return Err(refused.into());
        }
        entry.insert(watch);
        self.keys.borrow_mut().insert(raw, key);
        Ok(None)
    }

    /// Stops watching one side of a descriptor. What it gives back is to be cancelled and
    /// dropped where nothing is borrowed.
    fn unwatch(&self, raw: RawKey, side: Side) -> Result<Unwatched> {
        let known = self.keys.borrow().get(&raw).copied();
        let Some(key) = known else { return Ok(Unwatched::default()) };
        let poller = self.poller()?;
        let mut watches = self.watches.borrow_mut();
        let watch = &mut watches[key];
        let Some(callback) = watch.side(side).take() else { return Ok(Unwatched::default()) };
        if watch.reader.is_some() || watch.writer.is_some() {
            let mode = if poller.supports_level() { PollMode::Level } else { PollMode::Oneshot };
            poller.modify_with_mode(&*watch.source, watch.interest(key), mode)?;
            return Ok(Unwatched { callback: Some(callback), watch: None });
        }
        let deleted = poller.delete(&*watch.source);
        self.keys.borrow_mut().remove(&raw);
        let watch = watches.remove(key);
        deleted?;
        Ok(Unwatched { callback: Some(callback), watch: Some(watch) })
    }

    /// Forgets every source. Called once, when the loop closes.
    pub(crate) fn close(&self, on: &LoopRef) {
        let fired = self.fired.take();
        drop_quietly(on, fired);
        self.keys.take();
        let mut watches = self.watches.take();
        for watch in watches.drain() {
            if let Ok(poller) = self.poller() {
                // A source that the poller doesn't know any more is forgotten already.
                let _ = poller.delete(&*watch.source);
            }
            drop_quietly(on, watch);
        }
    }
}

/// What [`Reactor::unwatch`] took out.
#[derive(Default)]
struct Unwatched {
    callback: Option<Rc<dyn Repeating>>,
    watch: Option<Watch>,
}

impl Unwatched {
    fn let_go(self) -> bool {
        let was_there = self.callback.is_some();
        if let Some(callback) = self.callback {
            callback.cancel();
        }
        drop(self.watch);
        was_there
    }
}

impl fmt::Debug for Reactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reactor").field("sources", &self.watches.borrow().len()).finish()
    }
}

impl LoopRef {
    /// Has `callback` run in each turn in which `source` can be read without blocking, until
    /// [`remove_reader`](LoopRef::remove_reader): asyncio's `add_reader`. A reader that the
    /// same descriptor had before is replaced.
    ///
    /// The loop holds `source` as long as it watches it: hand it an `Rc` or `Arc` and keep
    /// one. It should be in non-blocking mode.
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed) after the loop has closed; what the system says
    /// where it can't watch the descriptor (a regular file, say, or no descriptor left); and
    /// [`Runtime`](crate::ErrorKind::Runtime) on a loop whose host has no reactor.
    ///
    /// ```
    /// use std::{io::{Read, Write}, os::unix::net::UnixStream, rc::Rc};
    /// use callsoon::EventLoop;
    ///
    /// let (mut ours, theirs) = UnixStream::pair()?;
    /// let theirs = Rc::new(theirs);
    /// let event_loop = EventLoop::new();
    /// let (on, reading) = (event_loop.clone(), theirs.clone());
    /// event_loop.add_reader(theirs.clone(), move || {
    ///     let mut byte = [0];
    ///     (&*reading).read_exact(&mut byte).expect("it is readable");
    ///     assert_eq!(byte, *b"!");
    ///     on.stop();
    /// })?;
    /// ours.write_all(b"!")?;
    /// event_loop.run_forever()?;
    /// assert!(event_loop.remove_reader(&theirs)?);
    /// # Ok::<(), callsoon::Error>(())
    /// ```
    pub fn add_reader<R: CallbackOutput + 'static>(
        &self,
        source: impl Source + 'static,
        callback: impl FnMut() -> R + 'static,
    ) -> Result<()> {
        self.watch(source, Side::Reader, callback)
    }

    /// Has `callback` run in each turn in which `source` can be written without blocking,
    /// until [`remove_writer`](LoopRef::remove_writer): asyncio's `add_writer`. For the rest
    /// see [`add_reader`](LoopRef::add_reader).
    ///
    /// # Errors
    ///
    /// As [`add_reader`](LoopRef::add_reader).
    pub fn add_writer<R: CallbackOutput + 'static>(
        &self,
        source: impl Source + 'static,
        callback: impl FnMut() -> R + 'static,
    ) -> Result<()> {
        self.watch(source, Side::Writer, callback)
    }

    /// Stops watching `source` for reading: asyncio's `remove_reader`. The callback won't run
    /// any more, even if it is ready already. Says whether there was one.
    ///
    /// # Errors
    ///
    /// What the system says where it can't be changed.
    pub fn remove_reader(&self, source: &impl Source) -> Result<bool> {
        self.unwatch(source, Side::Reader)
    }

    /// Stops watching `source` for writing: asyncio's `remove_writer`. Says whether it was.
    ///
    /// # Errors
    ///
    /// As [`remove_reader`](LoopRef::remove_reader).
    pub fn remove_writer(&self, source: &impl Source) -> Result<bool> {
        self.unwatch(source, Side::Writer)
    }

    fn reactor(&self) -> Result<Rc<Reactor>> {
        let reactor = self.shared().reactor.borrow().clone();
        reactor.ok_or_else(|| Error::runtime("the loop's host has no reactor"))
    }

    fn watch<R: CallbackOutput + 'static>(
        &self,
        source: impl Source + 'static,
        side: Side,
        callback: impl FnMut() -> R + 'static,
    ) -> Result<()> {
        self.check_open()?;
        let raw = raw_key(&source);
        let callback = Cell::new(Some(callback));
        let repeat = Rc::new(Repeat { callback, cancelled: Cell::new(false) });
        if let Some(before) = self.reactor()?.watch(Rc::new(source), raw, side, repeat)? {
            before.cancel();
        }
        Ok(())
    }

    fn unwatch(&self, source: &impl Source, side: Side) -> Result<bool> {
        if self.is_closed() {
            // Closing has let go of everything.
            return Ok(false);
        }
        Ok(self.reactor()?.unwatch(raw_key(source), side)?.let_go())
    }
}
