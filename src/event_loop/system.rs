//! The machine itself as a [`Host`]: its monotonic clock, and its reactor to sleep in.

use alloc::rc::Rc;
use alloc::sync::Arc;
use core::time::Duration;
use std::time::Instant;

use super::host::{Host, Notify};
use super::reactor::Reactor;
use crate::error::Result;

pub(crate) struct System {
    start: Instant,
    reactor: Rc<Reactor>,
}

impl System {
    pub(crate) fn new() -> System {
        System { start: Instant::now(), reactor: Rc::new(Reactor::new()) }
    }

    pub(crate) fn reactor(&self) -> &Rc<Reactor> {
        &self.reactor
    }
}

impl Host for System {
    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn wait(&self, timeout: Option<Duration>) -> Result<()> {
        self.reactor.wait(timeout)
    }

    fn notifier(&self) -> Arc<dyn Notify> {
        self.reactor.notifier()
    }
}
