//! [`HandClock`]: a host with a clock that is set by hand.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use callsoon::{Host, Notify, Result};

/// A clock that is set by hand. Its sleep ends at once.
#[derive(Clone, Default)]
pub(crate) struct HandClock {
    pub(crate) now: Rc<Cell<Duration>>,
    pub(crate) sleeps: Rc<Cell<usize>>,
}

impl HandClock {
    pub(crate) fn pass(&self, time: Duration) {
        self.now.set(self.now.get() + time);
    }
}

struct Silent;

impl Notify for Silent {
    fn notify(&self) {}
}

impl Host for HandClock {
    fn now(&self) -> Duration {
        self.now.get()
    }

    fn wait(&self, _: Option<Duration>) -> Result<()> {
        self.sleeps.set(self.sleeps.get() + 1);
        Ok(())
    }

    fn notifier(&self) -> Arc<dyn Notify> {
        Arc::new(Silent)
    }
}
