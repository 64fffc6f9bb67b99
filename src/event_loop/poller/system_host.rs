//! The machine itself as a [`Host`]: its monotonic clock, and its reactor to sleep in.

use alloc::rc::Rc;
use alloc::sync::Arc;
use core::time::Duration;
use std::time::Instant;

use super::reactor::Reactor;
use crate::error::Result;
use crate::event_loop::host::{Host, Notify};

pub(crate) struct SystemHost {
    start: Instant,
    reactor: Rc<Reactor>,
}

impl SystemHost {
    pub(crate) fn new() -> SystemHost {
        SystemHost { start: Instant::now(), reactor: Rc::new(Reactor::new()) }
    }

    pub(crate) fn reactor(&self) -> &Rc<Reactor> {
        &self.reactor
    }
}

impl Host for SystemHost {
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
