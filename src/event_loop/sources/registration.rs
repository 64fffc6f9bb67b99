//! [`Registration`]: the place in the reactor of a source with awaited operations.

use alloc::format;
use alloc::rc::Rc;
use core::cell::Cell;

use crate::error::{Error, Result, about};
use crate::event_loop::loop_ref::LoopRef;
use crate::event_loop::poller::{
    Listener, RawKey, Reactor, Side, Source, Watch, Watching, raw_key,
};

/// The state of a side that a wait comes after.
///
/// The system may report a side for ever of which an operation says that it would block: a socket
/// with errors in a queue of their own, say (`IP_RECVERR`). Such a source is watched by edge from
/// then on: it is reported once more, and then with what comes. No report is missed as long as each
/// wait comes after an operation that would block.
#[derive(Clone, Copy)]
pub(crate) enum After {
    /// The side may be ready, and is to be reported then.
    Anything,
    /// The last operation would have blocked.
    WouldBlock,
    /// The side was reported ready, and the operation that was tried then would have blocked.
    FalseAlarm,
}

/// The place in the reactor of a source that is awaited now and then, on either side. Once it is dropped the
/// reactor doesn't hold the source any more.
pub(crate) struct Registration {
    reactor: Rc<Reactor>,
    raw: RawKey,
    key: usize,
    /// Waits that have begun and not ended.
    waits: Cell<usize>,
}

impl Registration {
    /// Takes a place for `source`, which listens for both of its sides. The poller is told of it by the
    /// first wait.
    pub(crate) fn new(
        event_loop: &LoopRef,
        source: Rc<impl Source + Listener + 'static>,
    ) -> Result<Registration> {
        event_loop.check_open()?;
        let reactor = event_loop.reactor()?;
        let raw = raw_key(&*source);
        if reactor.keys.borrow().get(raw).is_some() {
            return Err(Error::runtime("the descriptor is watched by this loop already"));
        }
        let key = reactor.insert(source.clone(), raw, true);
        let watch = &mut reactor.watches.borrow_mut()[key];
        watch.reader = Some(source.clone());
        watch.writer = Some(source);
        Ok(Registration { reactor: Rc::clone(&reactor), raw, key, waits: Cell::new(0) })
    }

    /// Makes the loop's poller, if there is none.
    pub(crate) fn make_poller(&self) -> Result<()> {
        self.reactor.poller().map(drop)
    }

    /// Begins a wait for one side, which is watched from then on.
    #[inline]
    pub(crate) fn begin_wait(&self, side: Side, after: After) -> Result<()> {
        let mut watches = self.reactor.watches.borrow_mut();
        // The loop may have closed, and dropped all its sources.
        let watch = watches.get_mut(self.key).ok_or_else(Error::closed)?;
        let known = watch.known.unwrap_or_default();
        let edge = match after {
            After::Anything => false,
            After::WouldBlock => known.edge,
            After::FalseAlarm => true,
        };
        if !known.interest.has(side) || known.edge != edge {
            self.watch(watch, edge)?;
        }
        drop(watches);
        self.waits.set(self.waits.get() + 1);
        self.reactor.count(1, 0);
        Ok(())
    }

    /// Has the poller watch the sides that it watches already, and those that are wanted.
    #[cold]
    fn watch(&self, watch: &mut Watch, edge: bool) -> Result<()> {
        let interest = watch.wanted().or(watch.known.unwrap_or_default().interest);
        let told = watch.update(self.reactor.poller()?, self.key, Watching { interest, edge });
        about(told, || format!("can't watch descriptor {}", self.raw))
    }

    /// Ends a wait that was begun.
    #[inline]
    pub(crate) fn end_wait(&self) {
        self.waits.set(self.waits.get() - 1);
        self.reactor.count(0, 1);
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut watches = self.reactor.watches.borrow_mut();
        let Some(mut watch) = watches.try_remove(self.key) else { return };
        drop(watches);
        // A wait that was forgotten ends with its source.
        self.reactor.count(0, self.waits.take());
        self.reactor.keys.borrow_mut().remove(self.raw);
        self.reactor.forget_ready(&watch);
        self.reactor.forget(&mut watch);
    }
}
