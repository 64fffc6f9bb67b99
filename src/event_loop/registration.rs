//! [`Registration`]: the place in the reactor of what is awaited now and then.

use alloc::format;
use alloc::rc::Rc;

use super::listener::{Interest, Listener, Side};
use super::loop_ref::LoopRef;
use super::reactor::{Reactor, Source, raw_key};
use super::watch_keys::RawKey;
use crate::error::{Error, Result, about};

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

    /// Somebody waits for one side: sees to it that this is watched.
    pub(crate) fn begin_wait(&self, side: Side) -> Result<()> {
        let mut watches = self.reactor.watches.borrow_mut();
        // The loop may have closed, and let go of all its sources.
        let watch = watches.get_mut(self.key).ok_or_else(Error::closed)?;
        let told = watch.told.unwrap_or_default();
        if !told.has(side) {
            let told = watch.tell(self.reactor.poller()?, self.key, watch.wanted().or(told));
            about(told, || format!("can't watch descriptor {}", self.raw))?;
        }
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
        self.reactor.keys.borrow_mut().remove(self.raw);
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
