//! [`Reactor`]: sockets and pipes to callbacks, through `polling`; and the loop's sleep.
//!
//! **Source Invariant**: a file descriptor that the poller watches is kept open by the
//! reactor's own hold on its [`Source`], which is dropped only after the poller was told to
//! forget it. This is all that `polling` asks of its `unsafe` functions, and the only file
//! with `unsafe` code in it for the sake of I/O.
//!
//! **Interest Invariant**: what the poller was last told about a descriptor is in its
//! [`Watch`], and takes in all that is wanted. It may be more: a side that is not wanted any more
//! is taken back only when it is reported, so that a server's many waits cost one system call.
//!
//! A loop that never watches a socket never makes a poller: it parks its thread. Once there
//! is a poller the loop sleeps in that. Either way it sleeps for whole milliseconds, as asyncio
//! does: timers that lie closer together are due in one turn, and cost one wait.
#![allow(unsafe_code)]

use alloc::rc::Rc;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::fmt;
use core::time::Duration;
use std::io;
use std::sync::OnceLock;
use std::thread::{self, Thread};

use polling::{AsSource, Event, PollMode, Poller};
use slab::Slab;

use super::clock::whole_millis;
use super::disorder::{Chance, Disorder};
use super::handle::drop_quietly;
use super::host::Notify;
use super::listener::{Interest, Listener, Side, Unwatched};
use super::loop_ref::LoopRef;
use super::ready::ReadyQueue;
use super::watch_keys::{RawKey, WatchKeys};
use crate::error::{Error, Result, about};

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

fn event(key: usize, of: Interest) -> Event {
    Event::new(key, of.reader, of.writer)
}

/// What is watched of one descriptor.
pub(super) struct Watch {
    source: Rc<dyn Source>,
    pub(super) reader: Option<Rc<dyn Listener>>,
    pub(super) writer: Option<Rc<dyn Listener>>,
    /// What the poller knows of it; `None` while it doesn't know the descriptor.
    pub(super) told: Option<Interest>,
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

    pub(super) fn wanted(&self) -> Interest {
        let wanted = |side: &Option<Rc<dyn Listener>>| side.as_ref().is_some_and(|l| l.wanted());
        Interest { reader: wanted(&self.reader), writer: wanted(&self.writer) }
    }

    /// Has the poller know that `interest` is wanted; none at all has it forget the source, as
    /// one that hung up would be reported for ever otherwise.
    pub(super) fn tell(&mut self, poller: &Poller, key: usize, interest: Interest) -> Result<()> {
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
            poller.modify_with_mode(&*self.source, event(key, interest), mode)?;
        } else {
            let raw = raw_key(&&*self.source);
            // SAFETY: This watch holds its source, and is dropped only by `Reactor::forget` and
            // `close`, which have the poller forget it before: the Source Invariant.
            unsafe { poller.add_with_mode(raw, event(key, interest), mode)? };
        }
        self.told = Some(interest);
        Ok(())
    }
}

/// Ends the reactor's wait from any thread.
struct Bell {
    sleeper: Thread,
    poller: OnceLock<Arc<Poller>>,
}

impl Notify for Bell {
    fn notify(&self) {
        // A loop that makes its poller meanwhile isn't asleep, and has read its mail before
        // it sleeps again: that its thread is still unparked for it does no harm.
        match self.poller.get() {
            // It fails only when the poller does, which the next wait reports.
            Some(poller) => drop(poller.notify()),
            None => self.sleeper.unpark(),
        }
    }
}

/// The poller's wait, and what it has reported.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
#[derive(Default)]
struct Waits(polling::Events);

#[cfg(not(any(target_os = "linux", target_os = "android")))]
impl Waits {
    fn wait(&mut self, poller: &Poller, timeout: Option<Duration>) -> io::Result<()> {
        self.0.clear();
        poller.wait(&mut self.0, timeout).map(drop)
    }

    fn events(&self) -> impl Iterator<Item = Event> {
        self.0.iter()
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
use epoll::Waits;

/// The wait on the descriptor of the poller, which is one of epoll here: `polling`'s own sets a
/// timer before it and a bell after it, and so takes five system calls, each time.
#[cfg(any(target_os = "linux", target_os = "android"))]
mod epoll {
    use core::{ffi::c_int, num::NonZeroUsize};
    use std::os::fd::AsRawFd;

    use polling::Events;

    use super::{Duration, Event, Poller, Vec, io};

    /// How much one wait reports at most. The rest comes with the next.
    const ROOM: c_int = 1024;
    /// The key of the poller's own bell, and of no source.
    const BELL: usize = usize::MAX;

    const IN: u32 = 0x1;
    const PRIORITY: u32 = 0x2;
    const OUT: u32 = 0x4;
    const ERROR: u32 = 0x8;
    const HANG_UP: u32 = 0x10;

    /// The system's `struct epoll_event`.
    #[derive(Clone, Copy)]
    #[cfg_attr(target_arch = "x86_64", repr(C, packed))]
    #[cfg_attr(not(target_arch = "x86_64"), repr(C))]
    struct Report {
        flags: u32,
        data: u64,
    }

    unsafe extern "C" {
        fn epoll_wait(epoll: c_int, reports: *mut Report, room: c_int, millis: c_int) -> c_int;
    }

    /// Waits, and what the last one has reported.
    pub(super) struct Waits {
        /// Of fixed length from the first wait on, so that there is room for whatever comes.
        room: Vec<Report>,
        /// How many of them the last wait has filled.
        filled: usize,
        /// What `polling` sees while it takes its bell back.
        seen_again: Events,
    }

    impl Default for Waits {
        fn default() -> Waits {
            let seen_again = Events::with_capacity(NonZeroUsize::MIN);
            Waits { room: Vec::new(), filled: 0, seen_again }
        }
    }

    impl Waits {
        /// A longer timeout than the system has numbers for, 24 days, is cut, and so is one in
        /// which a signal comes: whoever waits looks at the clock afterwards anyway.
        pub(super) fn wait(
            &mut self,
            poller: &Poller,
            timeout: Option<Duration>,
        ) -> io::Result<()> {
            self.filled = 0;
            self.room.resize(ROOM as usize, Report { flags: 0, data: 0 });
            let millis = timeout
                .map_or(-1, |timeout| c_int::try_from(timeout.as_millis()).unwrap_or(c_int::MAX));
            let room = self.room.as_mut_ptr();
            // SAFETY: The descriptor is the poller's and of epoll, and open as long as that is
            // borrowed. The buffer is ours alone, and has room for as many reports as are said.
            let filled = unsafe { epoll_wait(poller.as_raw_fd(), room, ROOM, millis) };
            let Ok(filled) = usize::try_from(filled) else {
                let error = io::Error::last_os_error();
                let is_signal = error.kind() == io::ErrorKind::Interrupted;
                return if is_signal { Ok(()) } else { Err(error) };
            };
            self.filled = filled;
            if self.reports().any(|(key, _)| key == BELL) {
                // It rang, and is not heard again before `polling` has taken it back, which it does
                // after a wait. What that reports is watched by level, and was or will be told.
                self.seen_again.clear();
                poller.wait(&mut self.seen_again, Some(Duration::ZERO))?;
            }
            Ok(())
        }

        fn reports(&self) -> impl Iterator<Item = (usize, u32)> {
            self.room[..self.filled].iter().map(|report| (report.data as usize, report.flags))
        }

        pub(super) fn events(&self) -> impl Iterator<Item = Event> {
            // An error or a hang-up concerns both sides: whoever waits is to find it out.
            let is = |flags: u32, one: u32| flags & (one | HANG_UP | ERROR) != 0;
            self.reports()
                .map(move |(key, flags)| Event::new(key, is(flags, IN | PRIORITY), is(flags, OUT)))
        }
    }
}

type NoteAll = fn(&Reactor, &Poller, &mut dyn Iterator<Item = Event>) -> Result<()>;

pub(crate) struct Reactor {
    bell: Arc<Bell>,
    waits: RefCell<Waits>,
    pub(super) watches: RefCell<Slab<Watch>>,
    pub(super) keys: RefCell<WatchKeys>,
    /// How many listeners there are that something may come for.
    waiting: Cell<usize>,
    /// Listeners whose sockets were ready at the last wait.
    fired: RefCell<Vec<Rc<dyn Listener>>>,
    chance: Chance,
    /// How events are noted, if not in their order.
    note_all: Cell<Option<NoteAll>>,
    #[cfg(all(unix, feature = "signals"))]
    signals: super::signals::Signals,
}

impl Reactor {
    pub(crate) fn new() -> Reactor {
        Reactor {
            // A loop stays on the thread on which it is made.
            bell: Arc::new(Bell { sleeper: thread::current(), poller: OnceLock::new() }),
            waits: RefCell::default(),
            watches: RefCell::new(Slab::new()),
            keys: RefCell::default(),
            waiting: Cell::new(0),
            fired: RefCell::new(Vec::new()),
            chance: Chance::default(),
            note_all: Cell::new(None),
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
    #[inline]
    pub(crate) fn has_sources(&self) -> bool {
        self.waiting.get() > 0
    }

    /// Looks for events without waiting. No system call while nothing is watched.
    #[inline]
    pub(crate) fn poll(&self) -> Result<()> {
        if self.has_sources() { self.wait(Some(Duration::ZERO)) } else { Ok(()) }
    }

    /// Waits for events, the bell, or the end of `timeout`, to the next millisecond.
    pub(crate) fn wait(&self, timeout: Option<Duration>) -> Result<()> {
        let timeout = timeout.map(whole_millis);
        let Some(poller) = self.bell.poller.get() else {
            match timeout {
                Some(timeout) => thread::park_timeout(timeout),
                None => thread::park(),
            }
            return Ok(());
        };
        let mut waits = self.waits.borrow_mut();
        waits.wait(poller, timeout)?;
        match self.note_all.get() {
            None => waits.events().try_for_each(|event| self.note(poller, event)),
            Some(note_all) => note_all(self, poller, &mut waits.events()),
        }
    }

    /// Leaves to chance in which order events are noted.
    pub(super) fn set_disorder(&self, disorder: Option<Disorder>) {
        self.chance.start(disorder);
        let in_disorder: NoteAll = |reactor, poller, events| {
            let mut events: Vec<Event> = events.collect();
            reactor.chance.shuffle(&mut events);
            events.into_iter().try_for_each(|event| reactor.note(poller, event))
        };
        self.note_all.set(disorder.map(|_| in_disorder));
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
    #[inline]
    pub(crate) fn take_fired(&self, ready: &ReadyQueue) {
        if !self.fired.borrow().is_empty() {
            self.tell_fired(ready);
        }
    }

    #[inline(never)]
    fn tell_fired(&self, ready: &ReadyQueue) {
        let mut fired = self.fired.take();
        for listener in fired.drain(..) {
            listener.tell(ready);
        }
        // Its room is kept. Telling doesn't poll, so nothing has come meanwhile.
        self.fired.replace(fired);
    }

    pub(super) fn poller(&self) -> Result<&Poller> {
        if self.bell.poller.get().is_none() {
            // Only the loop's thread makes it, so it is not made twice.
            let poller = about(Poller::new(), || "no poller for the loop".into())?;
            let _ = self.bell.poller.set(Arc::new(poller));
        }
        self.bell.poller.get().map(|poller| &**poller).ok_or_else(Error::closed)
    }

    pub(super) fn count(&self, more: usize, fewer: usize) {
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
        let known = self.keys.borrow().get(raw);
        let key = known.unwrap_or_else(|| self.insert(source, raw, false));
        let mut watches = self.watches.borrow_mut();
        let watch = &mut watches[key];
        if watch.registered {
            return Err(Error::runtime(REGISTERED));
        }
        let before = watch.side(side).replace(listener);
        if let Err(refused) = watch.tell(poller, key, watch.wanted()) {
            // What they hold may call back as it is dropped.
            let listener = core::mem::replace(watch.side(side), before);
            let unused = watch.told.is_none().then(|| watches.remove(key));
            drop(watches);
            if unused.is_some() {
                self.keys.borrow_mut().remove(raw);
            }
            drop((listener, unused));
            return Err(refused.about(|| format!("can't watch descriptor {raw}")));
        }
        self.count(1, usize::from(before.is_some()));
        Ok(before)
    }

    /// Stops watching one side of a descriptor. What it gives back is to be cancelled and
    /// dropped where nothing is borrowed.
    pub(super) fn unwatch(&self, raw: RawKey, side: Side) -> Result<Unwatched> {
        let Some(key) = self.keys.borrow().get(raw) else { return Ok(Unwatched::default()) };
        let poller = self.poller()?;
        let mut watches = self.watches.borrow_mut();
        let watch = &mut watches[key];
        if watch.registered {
            return Err(Error::runtime(REGISTERED));
        }
        let Some(listener) = watch.side(side).take() else { return Ok(Unwatched::default()) };
        self.count(0, 1);
        let told = watch.tell(poller, key, watch.wanted());
        let unused = watch.reader.is_none() && watch.writer.is_none();
        let watch = unused.then(|| watches.remove(key));
        if unused {
            self.keys.borrow_mut().remove(raw);
        }
        told?;
        Ok(Unwatched { listener: Some(listener), watch })
    }

    pub(super) fn insert(&self, source: Rc<dyn Source>, raw: RawKey, registered: bool) -> usize {
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

const REGISTERED: &str = "the descriptor is awaited by an `Async` of this loop";

impl fmt::Debug for Reactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reactor").field("sources", &self.watches.borrow().len()).finish()
    }
}
