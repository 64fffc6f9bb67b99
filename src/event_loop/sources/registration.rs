//! [`Registration`]: the place in the reactor of what is awaited now and then.

use alloc::format;
use alloc::rc::Rc;

use crate::error::{Error, Result, about};
use crate::event_loop::loop_ref::LoopRef;
use crate::event_loop::poller::{Listener, RawKey, Reactor, Side, Source, Watching, raw_key};

/// What a wait comes after.
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
        if reactor.keys.borrow().get(raw).is_some() {
            return Err(Error::runtime("the descriptor is watched by this loop already"));
        }
        let key = reactor.insert(source, raw, true);
        let watch = &mut reactor.watches.borrow_mut()[key];
        watch.reader = Some(reader);
        watch.writer = Some(writer);
        Ok(Registration { reactor: reactor.clone(), raw, key })
    }

    /// Begins a wait for one side: sees to it that it is watched.
    pub(crate) fn begin_wait(&self, side: Side, after: After) -> Result<()> {
        let mut watches = self.reactor.watches.borrow_mut();
        // The loop may have closed, and dropped all its sources.
        let watch = watches.get_mut(self.key).ok_or_else(Error::closed)?;
        let (told, edge) = watch.known.map_or_else(Default::default, |t| (t.interest, t.edge));
        let edge = match after {
            After::Anything => false,
            After::WouldBlock => edge,
            After::FalseAlarm => true,
        };
        let interest = if told.has(side) { told } else { watch.wanted().or(told) };
        let told = watch.update(self.reactor.poller()?, self.key, Watching { interest, edge });
        about(told, || format!("can't watch descriptor {}", self.raw))?;
        watch.waits += 1;
        self.reactor.count(1, 0);
        Ok(())
    }

    /// Who began to wait waits no more.
    pub(crate) fn end_wait(&self) {
        if let Some(watch) = self.reactor.watches.borrow_mut().get_mut(self.key) {
            watch.waits -= 1;
            self.reactor.count(0, 1);
        }
    }

    fn leave(&self) -> Result<()> {
        let mut watches = self.reactor.watches.borrow_mut();
        let Some(mut watch) = watches.try_remove(self.key) else { return Ok(()) };
        drop(watches);
        // A wait that was forgotten ends with its source.
        self.reactor.count(0, watch.waits);
        self.reactor.keys.borrow_mut().remove(self.raw);
        let told = watch.update(self.reactor.poller()?, self.key, Watching::default());
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
