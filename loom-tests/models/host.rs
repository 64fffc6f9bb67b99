//! The machine of a model: a sleep that only a notification ends, and no clock.

use core::time::Duration;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::sync::{Condvar, Mutex};
use crate::{EventLoop, Host, Notify, Result};

/// A bell, which ends a loop's sleep.
pub(crate) struct Bell {
    rung: Mutex<bool>,
    changed: Condvar,
    /// Not loom's: to count changes no order.
    count: AtomicUsize,
}

impl Bell {
    pub(crate) fn new() -> std::sync::Arc<Bell> {
        let (rung, changed) = (Mutex::new(false), Condvar::new());
        std::sync::Arc::new(Bell { rung, changed, count: AtomicUsize::new(0) })
    }

    /// Returns the number of times that it was rung.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    /// Sleeps until it is rung. A ring that was before counts.
    pub(crate) fn wait(&self) {
        let mut rung = self.rung.lock().unwrap();
        while !*rung {
            rung = self.changed.wait(rung).unwrap();
        }
        *rung = false;
    }
}

impl Notify for Bell {
    fn notify(&self) {
        self.count.fetch_add(1, Ordering::SeqCst);
        *self.rung.lock().unwrap() = true;
        self.changed.notify_one();
    }
}

struct Sleeper(std::sync::Arc<Bell>);

impl Host for Sleeper {
    fn now(&self) -> Duration {
        Duration::ZERO
    }

    fn wait(&self, timeout: Option<Duration>) -> Result<()> {
        if timeout != Some(Duration::ZERO) {
            self.0.wait();
        }
        Ok(())
    }

    fn notifier(&self) -> std::sync::Arc<dyn Notify> {
        self.0.clone()
    }
}

/// A loop that can only be woken.
pub(crate) fn event_loop() -> EventLoop {
    EventLoop::with_host_and_virtual_time(Sleeper(Bell::new()))
}
