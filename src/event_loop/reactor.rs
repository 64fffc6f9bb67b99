//! [`Reactor`]: sockets and pipes to callbacks, through `polling`; and the loop's sleep.
//!
//! **Source Invariant**: a file descriptor that the poller watches is kept open by the
//! reactor's own hold on its [`Source`], which is dropped only after the poller was told to
//! forget it. This is all that `polling` asks of its `unsafe` functions, and the only file
//! with `unsafe` code in it for the sake of I/O.
//!
//! **Interest Invariant**: what the poller was last told about a descriptor is in its
//! [`Watch`], and takes in all that is wanted. It may be more: a side that nobody wants any
//! more is taken back only when it is reported, so that whoever waits again and again, as a
//! server does for the next request, costs one system call in all.
//!
//! A loop that never watches a socket never makes a poller: it sleeps in a parker. Once there
//! is a poller the loop sleeps in that.
#![allow(unsafe_code)]

use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::fmt;
use core::time::Duration;
use std::sync::OnceLock;

use crossbeam_utils::sync::{Parker, Unparker};
use polling::{AsSource, Event, Events, PollMode, Poller};
use slab::Slab;

use super::handle::drop_quietly;
use super::host::Notify;
use super::loop_ref::LoopRef;
use super::ready::ReadyQueue;
use crate::error::{Error, Result};

#[cfg(unix)]
pub(super) type RawKey = std::os::fd::RawFd;
#[cfg(windows)]
pub(super) type RawKey = std::os::windows::io::RawSocket;

pub(super) fn raw_key(source: &impl AsSource) -> RawKey {
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

/// Who is told that one side of a descriptor is ready.
pub(crate) trait Listener {
    /// Whether it wants to be told now.
    fn wanted(&self) -> bool;

    /// The side is ready, and nobody wants to know.
    fn unwanted(&self) {}

    /// The side was ready when the loop looked: in this turn it runs what follows from that.
    fn tell(self: Rc<Self>, ready: &ReadyQueue);

    /// It is not to be told any more, even if it is on its way.
    fn cancel(&self) {}
}

/// One of the two sides of a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Reader,
    Writer,
}

/// What is wanted of a descriptor: to read, to write.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
struct Interest {
    reader: bool,
    writer: bool,
}

impl Interest {
    fn event(self, key: usize) -> Event {
        Event::new(key, self.reader, self.writer)
    }

    fn or(self, other: Interest) -> Interest {
        Interest { reader: self.reader || other.reader, writer: self.writer || other.writer }
    }
}

/// What is watched of one descriptor.
struct Watch {
    source: Rc<dyn Source>,
    reader: Option<Rc<dyn Listener>>,
    writer: Option<Rc<dyn Listener>>,
    /// What the poller knows of it; `None` while it doesn't know the descriptor.
    told: Option<Interest>,
    /// It belongs to a [`Registration`], and takes no callbacks.
    registered: bool,
}

impl Watch {
    fn side(&mut self, side: Side) -> &mut Option<Rc<dyn Listener>> {
        match side {
            Side::Reader => &mut self.reader,
            Side::Writer => &mut self.writer,
        }
    }

    fn wanted(&self) -> Interest {
        let wanted = |side: &Option<Rc<dyn Listener>>| side.as_ref().is_some_and(|l| l.wanted());
        Interest { reader: wanted(&self.reader), writer: wanted(&self.writer) }
    }

    /// Has the poller know that `interest` is wanted; none at all has it forget the source, as
    /// one that hung up would be reported for ever otherwise.
    fn tell(&mut self, poller: &Poller, key: usize, interest: Interest) -> Result<()> {
        if self.told == Some(interest) {
            return Ok(());
        }
        let mode = if poller.supports_level() { PollMode::Level } else { PollMode::Oneshot };
        if interest == Interest::default() {
            if self.told.take().is_some() {
                poller.delete(&*self.source)?;
            }
            return Ok(());
        }
        if self.told.is_some() {
            poller.modify_with_mode(&*self.source, interest.event(key), mode)?;
        } else {
            let raw = raw_key(&&*self.source);
            // SAFETY: This watch holds its source, and is dropped only by `Reactor::forget` and
            // `close`, which have the poller forget it before: the Source Invariant.
            unsafe { poller.add_with_mode(raw, interest.event(key), mode)? };
        }
        self.told = Some(interest);
        Ok(())
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
    /// How many listeners there are that something may come for.
    waiting: Cell<usize>,
    /// Listeners whose sockets were ready at the last wait.
    fired: RefCell<Vec<Rc<dyn Listener>>>,
    #[cfg(all(unix, feature = "signals"))]
    signals: super::signals::Signals,
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
            waiting: Cell::new(0),
            fired: RefCell::new(Vec::new()),
            #[cfg(all(unix, feature = "signals"))]
            signals: Default::default(),
        }
    }

    #[cfg(all(unix, feature = "signals"))]
    pub(super) fn signals(&self) -> &super::signals::Signals {
        &self.signals
    }

    pub(crate) fn notifier(&self) -> Arc<dyn Notify> {
        self.bell.clone()
    }

    /// Whether anybody wants to hear of any source.
    pub(crate) fn has_sources(&self) -> bool {
        self.waiting.get() > 0
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

    /// The listeners that `event` concerns: the reader before the writer, as in asyncio.
    fn note(&self, poller: &Poller, event: Event) -> Result<()> {
        let mut watches = self.watches.borrow_mut();
        let Some(watch) = watches.get_mut(event.key) else { return Ok(()) };
        let mut fired = self.fired.borrow_mut();
        let mut take_back = false;
        for (side, is_ready) in [(&watch.reader, event.readable), (&watch.writer, event.writable)] {
            match side {
                Some(listener) if is_ready && listener.wanted() => fired.push(listener.clone()),
                Some(listener) if is_ready => {
                    listener.unwanted();
                    take_back = true;
                }
                _ => {}
            }
        }
        if !poller.supports_level() {
            // It was reported, so it is not watched any more.
            watch.told = watch.told.map(|_| Interest::default());
            take_back = true;
        }
        if take_back { watch.tell(poller, event.key, watch.wanted()) } else { Ok(()) }
    }

    /// Tells those whose sockets were ready, in the order in which they were reported.
    pub(crate) fn take_fired(&self, ready: &ReadyQueue) {
        if self.fired.borrow().is_empty() {
            return;
        }
        let mut fired = self.fired.take();
        for listener in fired.drain(..) {
            listener.tell(ready);
        }
        // Its room is kept. Telling doesn't poll, so nothing has come meanwhile.
        self.fired.replace(fired);
    }

    fn poller(&self) -> Result<&Poller> {
        if self.bell.poller.get().is_none() {
            // Only the loop's thread makes it, so it is not made twice.
            let _ = self.bell.poller.set(Arc::new(Poller::new()?));
        }
        self.bell.poller.get().map(|poller| &**poller).ok_or_else(Error::closed)
    }

    fn count(&self, more: usize, fewer: usize) {
        self.waiting.set(self.waiting.get() + more - fewer);
    }

    /// Watches one side of `source` by a listener that always wants to be told. Gives back the
    /// one that was there before.
    pub(super) fn watch(
        &self,
        source: Rc<dyn Source>,
        side: Side,
        listener: Rc<dyn Listener>,
    ) -> Result<Option<Rc<dyn Listener>>> {
        let poller = self.poller()?;
        let raw = raw_key(&&*source);
        let known = self.keys.borrow().get(&raw).copied();
        let key = known.unwrap_or_else(|| self.insert(source, raw, false));
        let mut watches = self.watches.borrow_mut();
        let watch = &mut watches[key];
        if watch.registered {
            return Err(already_registered());
        }
        let before = watch.side(side).replace(listener);
        if let Err(refused) = watch.tell(poller, key, watch.wanted()) {
            // What they hold may call back as it is dropped.
            let listener = core::mem::replace(watch.side(side), before);
            let unused = watch.told.is_none().then(|| watches.remove(key));
            drop(watches);
            if unused.is_some() {
                self.keys.borrow_mut().remove(&raw);
            }
            drop((listener, unused));
            return Err(refused);
        }
        self.count(1, usize::from(before.is_some()));
        Ok(before)
    }

    /// Stops watching one side of a descriptor. What it gives back is to be cancelled and
    /// dropped where nothing is borrowed.
    pub(super) fn unwatch(&self, raw: RawKey, side: Side) -> Result<Unwatched> {
        let known = self.keys.borrow().get(&raw).copied();
        let Some(key) = known else { return Ok(Unwatched::default()) };
        let poller = self.poller()?;
        let mut watches = self.watches.borrow_mut();
        let watch = &mut watches[key];
        if watch.registered {
            return Err(already_registered());
        }
        let Some(listener) = watch.side(side).take() else { return Ok(Unwatched::default()) };
        self.count(0, 1);
        let told = watch.tell(poller, key, watch.wanted());
        let unused = watch.reader.is_none() && watch.writer.is_none();
        let watch = unused.then(|| watches.remove(key));
        if unused {
            self.keys.borrow_mut().remove(&raw);
        }
        told?;
        Ok(Unwatched { listener: Some(listener), watch })
    }

    fn insert(&self, source: Rc<dyn Source>, raw: RawKey, registered: bool) -> usize {
        let watch = Watch { source, reader: None, writer: None, told: None, registered };
        let key = self.watches.borrow_mut().insert(watch);
        self.keys.borrow_mut().insert(raw, key);
        key
    }

    /// Forgets every source. Called once, when the loop closes.
    pub(crate) fn close(&self, on: &LoopRef) {
        #[cfg(all(unix, feature = "signals"))]
        self.signals.close();
        let fired = self.fired.take();
        drop_quietly(on, fired);
        self.keys.take();
        self.waiting.set(0);
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

fn already_registered() -> Error {
    Error::runtime("the descriptor is awaited by an `Async` of this loop")
}

/// What [`Reactor::unwatch`] took out.
#[derive(Default)]
pub(super) struct Unwatched {
    listener: Option<Rc<dyn Listener>>,
    watch: Option<Watch>,
}

impl Unwatched {
    pub(super) fn let_go(self) -> bool {
        let was_there = self.listener.is_some();
        if let Some(listener) = self.listener {
            listener.cancel();
        }
        drop(self.watch);
        was_there
    }
}

/// The place in the reactor of a source whose sides are awaited now and then. Once it is
/// dropped the reactor has let go of the source.
pub(crate) struct Registration {
    reactor: Rc<Reactor>,
    raw: RawKey,
    key: usize,
}

impl Registration {
    /// Takes a place for `source`. The poller hears of it with the first wait.
    pub(crate) fn new(
        on: &LoopRef,
        source: Rc<dyn Source>,
        reader: Rc<dyn Listener>,
        writer: Rc<dyn Listener>,
    ) -> Result<Registration> {
        on.check_open()?;
        let reactor = on.reactor()?;
        let raw = raw_key(&&*source);
        if reactor.keys.borrow().contains_key(&raw) {
            return Err(Error::runtime("the descriptor is watched by this loop already"));
        }
        let key = reactor.insert(source, raw, true);
        let watch = &mut reactor.watches.borrow_mut()[key];
        watch.reader = Some(reader);
        watch.writer = Some(writer);
        Ok(Registration { reactor: reactor.clone(), raw, key })
    }

    /// Somebody waits: sees to it that what is wanted by now is watched.
    pub(crate) fn begin_wait(&self) -> Result<()> {
        let mut watches = self.reactor.watches.borrow_mut();
        // The loop may have closed, and let go of all its sources.
        let watch = watches.get_mut(self.key).ok_or_else(Error::closed)?;
        let interest = watch.wanted().or(watch.told.unwrap_or_default());
        watch.tell(self.reactor.poller()?, self.key, interest)?;
        self.reactor.count(1, 0);
        Ok(())
    }

    /// Who began to wait waits no more.
    pub(crate) fn end_wait(&self) {
        if self.reactor.watches.borrow().contains(self.key) {
            self.reactor.count(0, 1);
        }
    }

    fn leave(&self) -> Result<()> {
        let mut watches = self.reactor.watches.borrow_mut();
        let Some(mut watch) = watches.try_remove(self.key) else { return Ok(()) };
        drop(watches);
        self.reactor.keys.borrow_mut().remove(&self.raw);
        let told = watch.tell(self.reactor.poller()?, self.key, Interest::default());
        drop(watch);
        told
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // A source that the poller doesn't know any more is forgotten already.
        let _ = self.leave();
    }
}

impl fmt::Debug for Reactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reactor").field("sources", &self.watches.borrow().len()).finish()
    }
}
