//! [`Reactor`]: sockets and pipes to callbacks, through `polling`; and the loop's sleep.
//!
//! **Source Invariant**: a file descriptor that the poller watches is kept open by the
//! reactor's own hold on its [`Source`], which is dropped only after the poller was told to
//! forget it. This is all that `polling` and epoll ask of their callers.
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
use core::cell::Cell;
use core::mem;
use core::time::Duration;

use polling::{Event, Poller};
use slab::Slab;

use super::bell::{Bell, EndWait};
use super::fd_table::{FdTable, RawKey};
use super::listener::{Interest, Listener, Side};
use super::process::Process;
#[cfg(feature = "signals")]
use super::signal_hooks::Signals;
use super::source::{Source, raw_key};
use super::waits::{Waits, Watching, forget, watch};
use crate::collections::{RefCell, Rng};
use crate::error::{Error, Result, about};
use crate::event_loop::clock::whole_millis;
use crate::event_loop::host::Notify;
use crate::sync::Parker;

/// The watch on one descriptor.
pub(crate) struct Watch {
    /// Keeps the descriptor open.
    _source: Rc<dyn Source>,
    /// Asked of the source once: `as_fd` may be the program's own code, which must not run while the
    /// watches are borrowed.
    raw: RawKey,
    pub(crate) reader: Option<Rc<dyn Listener>>,
    pub(crate) writer: Option<Rc<dyn Listener>>,
    /// The mode in which the poller watches it; `None` while the poller doesn't know the descriptor.
    pub(crate) known: Option<Watching>,
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

    pub(crate) fn wanted(&self) -> Interest {
        let wanted = |listener: &Option<Rc<dyn Listener>>, side| {
            listener.as_ref().is_some_and(|listener| listener.wanted(side))
        };
        Interest {
            reader: wanted(&self.reader, Side::Reader),
            writer: wanted(&self.writer, Side::Writer),
        }
    }

    /// Has the poller watch as `how` says; where neither side is wanted it forgets the source, as one
    /// that hung up would be reported for ever otherwise.
    pub(crate) fn update(&mut self, poller: &Poller, key: usize, how: Watching) -> Result<()> {
        if how.interest == Interest::default() {
            return self.forget(poller);
        }
        if self.known == Some(how) {
            return Ok(());
        }
        // SAFETY: This watch holds its source, and is dropped only after `forget`: the Source
        // Invariant.
        unsafe { watch(poller, self.raw, key, self.known.is_some(), how)? };
        self.known = Some(how);
        Ok(())
    }

    /// Has the poller forget the source, if it knows it.
    fn forget(&mut self, poller: &Poller) -> Result<()> {
        if self.known.take().is_some() {
            // SAFETY: This watch holds its source, which keeps the descriptor open.
            unsafe { forget(poller, self.raw)? };
        }
        Ok(())
    }

    /// Adds to `ready` the listeners that `event` concerns: the reader before the writer, as in asyncio.
    #[inline(always)]
    fn collect(
        &mut self,
        poller: &Poller,
        event: Event,
        ready: &mut Vec<(Rc<dyn Listener>, Side)>,
    ) -> Result<()> {
        let mut take_back = false;
        let mut note = |listener: &Option<Rc<dyn Listener>>, side| {
            let Some(listener) = listener else { return };
            if listener.wanted(side) {
                ready.push((Rc::clone(listener), side));
            } else {
                listener.unwanted(side);
                take_back = true;
            }
        };
        if event.readable {
            note(&self.reader, Side::Reader);
        }
        if event.writable {
            note(&self.writer, Side::Writer);
        }
        if poller.supports_level() && !take_back {
            return Ok(());
        }
        self.take_back(poller, event.key)
    }

    /// Has the poller watch what is wanted only, after a report.
    #[cold]
    fn take_back(&mut self, poller: &Poller, key: usize) -> Result<()> {
        if !poller.supports_level() {
            // It was reported, so it is not watched any more.
            let interest = Interest::default();
            self.known = self.known.map(|told| Watching { interest, ..told });
        }
        let edge = self.known.is_some_and(|told| told.edge);
        self.update(poller, key, Watching { interest: self.wanted(), edge })
    }
}

/// A poller and the process that made it, by the Fork Invariant the only one that uses it.
struct OwnPoller {
    poller: Arc<Poller>,
    process: Process,
}

impl OwnPoller {
    fn new() -> Result<OwnPoller> {
        Ok(OwnPoller { process: Process::current(), poller: Arc::new(Poller::new()?) })
    }

    fn get(&self) -> Result<&Poller> {
        let message = "the event loop belongs to the process that this one was forked from";
        if self.process.is_current() { Ok(&self.poller) } else { Err(Error::runtime(message)) }
    }
}

impl Drop for OwnPoller {
    fn drop(&mut self) {
        if !self.process.is_current() {
            // A poller that is dropped takes its bell out of the instance that the parent uses: the
            // child keeps its descriptors instead.
            mem::forget(Arc::clone(&self.poller));
        }
    }
}

impl EndWait for OwnPoller {
    fn end_wait(&self) {
        // It fails only when the poller does, or in a forked child, which the next wait reports.
        drop(self.get().map(Poller::notify));
    }
}

type CollectAll = fn(&Reactor, &Poller, &mut dyn Iterator<Item = Event>) -> Result<()>;

pub(crate) struct Reactor {
    /// The sleep of a loop without a poller.
    parker: Parker,
    bell: Arc<Bell<OwnPoller>>,
    waits: RefCell<Waits>,
    pub(crate) watches: RefCell<Slab<Watch>>,
    pub(crate) keys: RefCell<FdTable>,
    /// The number of listeners that something may come for, and some more where a wait was forgotten.
    waiting: Cell<usize>,
    /// The watch that was the first to be wanted when the loop last slept: most often it still is.
    wanted: Cell<usize>,
    /// Listeners of sockets that were ready at the last wait, each with the side.
    ready: RefCell<Vec<(Rc<dyn Listener>, Side)>>,
    /// Orders the events of a wait, where they are left to chance.
    rng: Rng,
    /// The function that notes the events of a wait, if not in their order.
    collect_all: Cell<Option<CollectAll>>,
    closed: Cell<bool>,
    #[cfg(feature = "signals")]
    signals: Signals,
}

impl Reactor {
    pub(crate) fn new() -> Reactor {
        let parker = Parker::new();
        Reactor {
            bell: Arc::new(Bell::new(parker.unparker().clone())),
            parker,
            waits: RefCell::default(),
            watches: RefCell::new(Slab::new()),
            keys: RefCell::default(),
            waiting: Cell::new(0),
            wanted: Cell::new(0),
            ready: RefCell::new(Vec::new()),
            rng: Rng::default(),
            collect_all: Cell::new(None),
            closed: Cell::new(false),
            #[cfg(feature = "signals")]
            signals: Default::default(),
        }
    }

    #[cfg(feature = "signals")]
    pub(crate) fn signals(&self) -> &Signals {
        &self.signals
    }

    pub(crate) fn notifier(&self) -> Arc<dyn Notify> {
        self.bell.clone()
    }

    /// Returns true if a listener waits for any source, or such a wait was forgotten.
    #[inline]
    pub(crate) fn has_sources(&self) -> bool {
        self.waiting.get() > 0
    }

    /// Returns true if anything that a source may report is wanted. A wait that was forgotten wants nothing
    /// once it is over.
    pub(crate) fn could_wake(&self) -> bool {
        if !self.has_sources() {
            return false;
        }
        let watches = self.watches.borrow();
        let wanted = |watch: &Watch| watch.wanted() != Interest::default();
        if watches.get(self.wanted.get()).is_some_and(wanted) {
            return true;
        }
        let first = watches.iter().find(|(_, watch)| wanted(watch));
        first.inspect(|(key, _)| self.wanted.set(*key)).is_some()
    }

    /// Looks for events without waiting, and returns true if there are some. No system call while nothing
    /// is watched.
    #[inline]
    pub(crate) fn poll(&self) -> Result<bool> {
        if !self.has_sources() {
            return Ok(false);
        }
        self.wait(Some(Duration::ZERO))?;
        Ok(self.has_fired())
    }

    /// Waits for events, the bell, or the end of `timeout`, to the next millisecond.
    pub(crate) fn wait(&self, timeout: Option<Duration>) -> Result<()> {
        let timeout = timeout.map(whole_millis);
        let Some(own) = self.bell.poller() else {
            // The longest timeout stands for none, and spares the code of a park without one.
            self.parker.park_timeout(timeout.unwrap_or(Duration::MAX));
            return Ok(());
        };
        let poller = own.get()?;
        let mut waits = self.waits.borrow_mut();
        waits.wait(poller, timeout)?;
        match self.collect_all.get() {
            None => self.collect_each(poller, waits.events()),
            Some(collect_all) => collect_all(self, poller, &mut waits.events()),
        }
    }

    /// Notes all events, and returns the first error: what is watched by edge is reported once.
    fn collect_each(&self, poller: &Poller, events: impl Iterator<Item = Event>) -> Result<()> {
        let (mut watches, mut ready) = (self.watches.borrow_mut(), self.ready.borrow_mut());
        let mut outcome = Ok(());
        for event in events {
            let Some(watch) = watches.get_mut(event.key) else { continue };
            if let Err(error) = watch.collect(poller, event, &mut ready) {
                outcome = outcome.and(Err(error));
            }
        }
        outcome
    }

    /// Leaves to chance in which order events are noted.
    pub(crate) fn set_disorder(&self, seed: Option<u64>) {
        self.rng.seed(seed.unwrap_or_default());
        let in_disorder: CollectAll = |reactor, poller, events| {
            let mut events: Vec<Event> = events.collect();
            reactor.rng.shuffle(&mut events);
            reactor.collect_each(poller, events.into_iter())
        };
        self.collect_all.set(seed.map(|_| in_disorder));
    }

    /// Returns true if sockets were ready and their listeners were not called yet.
    #[inline]
    fn has_fired(&self) -> bool {
        !self.ready.borrow().is_empty()
    }

    /// Tells the listeners of sockets that were ready, in the order in which they were reported.
    #[inline]
    pub(crate) fn dispatch_ready(&self) {
        if self.has_fired() {
            self.dispatch();
        }
    }

    #[inline(never)]
    fn dispatch(&self) {
        let mut ready = self.ready.take();
        for (listener, side) in ready.drain(..) {
            listener.notify(side);
        }
        // Its room is kept. Telling doesn't poll, so nothing has come meanwhile.
        self.ready.replace(ready);
    }

    pub(crate) fn poller(&self) -> Result<&Poller> {
        if self.bell.poller().is_none() {
            self.bell.set_poller(about(OwnPoller::new(), || "no poller for the loop".into())?);
        }
        self.bell.poller().map_or_else(|| Err(Error::closed()), OwnPoller::get)
    }

    /// Counts listeners that wait from now on, and others that don't any more. After the close there
    /// are none.
    #[inline]
    pub(crate) fn count(&self, more: usize, fewer: usize) {
        self.waiting.set((self.waiting.get() + more).saturating_sub(fewer));
    }

    /// Watches one side of `source` by a listener that always wants to be told. Gives back the
    /// one that was there before.
    pub(crate) fn watch(
        &self,
        source: Rc<dyn Source>,
        side: Side,
        listener: Rc<dyn Listener>,
    ) -> Result<Option<Rc<dyn Listener>>> {
        let poller = self.poller()?;
        let raw = raw_key(&*source);
        let known = self.keys.borrow().get(raw);
        let key = known.unwrap_or_else(|| self.insert(source, raw, false));
        let mut watches = self.watches.borrow_mut();
        let watch = &mut watches[key];
        if watch.registered {
            return Err(Error::runtime(REGISTERED));
        }
        let before = watch.side(side).replace(listener);
        if let Err(refused) = watch.update(poller, key, Watching::by_level(watch.wanted())) {
            // The listener or the watch may call back as it is dropped.
            let listener = mem::replace(watch.side(side), before);
            let unused = watch.known.is_none().then(|| watches.remove(key));
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
    pub(crate) fn unwatch(&self, raw: RawKey, side: Side) -> Result<Unwatched> {
        let Some(key) = self.keys.borrow().get(raw) else { return Ok(Unwatched::default()) };
        let poller = self.poller()?;
        let mut watches = self.watches.borrow_mut();
        let watch = &mut watches[key];
        if watch.registered {
            return Err(Error::runtime(REGISTERED));
        }
        let Some(listener) = watch.side(side).take() else { return Ok(Unwatched::default()) };
        self.count(0, 1);
        let told = watch.update(poller, key, Watching::by_level(watch.wanted()));
        let unused = watch.reader.is_none() && watch.writer.is_none();
        let watch = unused.then(|| watches.remove(key));
        if unused {
            self.keys.borrow_mut().remove(raw);
        }
        told?;
        Ok(Unwatched { listener: Some(listener), watch })
    }

    pub(crate) fn insert(&self, source: Rc<dyn Source>, raw: RawKey, registered: bool) -> usize {
        let watch =
            Watch { _source: source, raw, reader: None, writer: None, known: None, registered };
        let key = self.watches.borrow_mut().insert(watch);
        self.keys.borrow_mut().insert(raw, key);
        key
    }

    /// Returns true if the loop has closed, and [`close`](Reactor::close) was called.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.get()
    }

    /// Has the poller forget the source of `watch`.
    pub(crate) fn forget(&self, watch: &mut Watch) {
        // One that was never made has nothing to forget.
        if let Some(Ok(poller)) = self.bell.poller().map(OwnPoller::get) {
            // A source that the poller doesn't know any more is forgotten already.
            let _ = watch.forget(poller);
        }
    }

    /// Forgets that the source of `watch`, which is a [`Registration`](Watch::registered)'s, was ready. Then the
    /// registration's owner alone has the source, once `watch` is dropped.
    pub(crate) fn forget_ready(&self, watch: &Watch) {
        let Some(own) = &watch.reader else { return };
        self.ready.borrow_mut().retain(|(listener, _)| !Rc::ptr_eq(own, listener));
    }

    /// Forgets every source, and returns what the program has there, to be dropped where nothing is
    /// borrowed. Called once, when the loop closes.
    pub(crate) fn close(&self) -> (Vec<(Rc<dyn Listener>, Side)>, Vec<Watch>) {
        #[cfg(feature = "signals")]
        self.signals.close();
        self.closed.set(true);
        self.keys.take();
        self.waiting.set(0);
        let mut watches: Vec<Watch> =
            self.watches.take().into_iter().map(|(_, watch)| watch).collect();
        watches.iter_mut().for_each(|watch| self.forget(watch));
        // Registered sources have their owners, so that nothing of the program's is dropped with these.
        let (registered, watches): (Vec<_>, Vec<_>) =
            watches.into_iter().partition(|watch| watch.registered);
        registered.iter().for_each(|watch| self.forget_ready(watch));
        (self.ready.take(), watches)
    }
}

/// The listener and the watch that [`Reactor::unwatch`](Reactor::unwatch) took out.
#[derive(Default)]
pub(crate) struct Unwatched {
    pub(crate) listener: Option<Rc<dyn Listener>>,
    pub(crate) watch: Option<Watch>,
}

impl Unwatched {
    pub(crate) fn release(self) -> bool {
        let was_there = self.listener.is_some();
        if let Some(listener) = self.listener {
            listener.cancel();
        }
        drop(self.watch);
        was_there
    }
}

const REGISTERED: &str = "the descriptor is awaited by an `Async` of this loop";
