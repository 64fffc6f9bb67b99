//! [`Bell`]: ends a loop's sleep from any thread.
//!
//! A loop parks its thread as long as it has no poller, and waits in the poller from then on. Only the
//! loop's thread makes the poller, so the loop is awake while one is made: a notification that finds no
//! poller at that time unparks a thread that isn't parked, and the loop reads its mail before it sleeps
//! again. It parks by a token of the loop's own: the thread's is the program's.

use crate::event_loop::host::Notify;
use crate::sync::{OnceLock, Unparker};

/// A wait that other threads can end.
pub(crate) trait EndWait {
    /// Ends the wait of the moment, or the next one.
    fn end_wait(&self);
}

pub(crate) struct Bell<P> {
    sleeper: Unparker,
    poller: OnceLock<P>,
}

impl<P> Bell<P> {
    /// Returns the bell of the loop that `sleeper` unparks.
    pub(crate) fn new(sleeper: Unparker) -> Bell<P> {
        Bell { sleeper, poller: OnceLock::new() }
    }

    /// Returns the poller, if there is one.
    #[inline]
    pub(crate) fn poller(&self) -> Option<&P> {
        self.poller.get()
    }

    /// Has the loop wait in `poller` from now on. Called by the loop's thread, once.
    pub(crate) fn set_poller(&self, poller: P) {
        let _ = self.poller.set(poller);
    }
}

impl<P: EndWait + Send + Sync> Notify for Bell<P> {
    fn notify(&self) {
        match self.poller.get() {
            Some(poller) => poller.end_wait(),
            None => self.sleeper.unpark(),
        }
    }
}
