//! [`Machine`]: a host that writes down how long the loop asks it to sleep.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use callsoon::{EventLoop, Host, Notify, Result};

type Arrival = Box<dyn FnOnce()>;

/// A clock that stands still until the loop sleeps, and a sleep that is over at once. Clones are
/// the same machine.
#[derive(Clone, Default)]
pub(crate) struct Machine(Rc<State>);

#[derive(Default)]
struct State {
    now: Cell<Duration>,
    looks_at_clock: Cell<usize>,
    waits: RefCell<Vec<Option<Duration>>>,
    arrivals: RefCell<VecDeque<Arrival>>,
    bell: Arc<Bell>,
}

impl Machine {
    pub(crate) fn with_loop() -> (Machine, EventLoop) {
        let machine = Machine::default();
        let event_loop = EventLoop::with_host(machine.clone());
        (machine, event_loop)
    }

    pub(crate) fn set_now(&self, now: Duration) {
        self.0.now.set(now);
    }

    /// Has `arrival` happen in the next sleep that nothing else arrives in. It ends that sleep
    /// before any time has passed.
    pub(crate) fn arrives(&self, arrival: impl FnOnce() + 'static) {
        self.0.arrivals.borrow_mut().push_back(Box::new(arrival));
    }

    /// Returns the duration of each sleep that the loop asked for since the last call of this method.
    pub(crate) fn take_waits(&self) -> Vec<Option<Duration>> {
        self.0.waits.take()
    }

    /// Returns how many notifications came since the last call of this method.
    pub(crate) fn take_notifications(&self) -> usize {
        self.0.bell.0.swap(0, Ordering::Relaxed)
    }

    pub(crate) fn take_looks_at_clock(&self) -> usize {
        self.0.looks_at_clock.take()
    }
}

impl Host for Machine {
    fn now(&self) -> Duration {
        self.0.looks_at_clock.set(self.0.looks_at_clock.get() + 1);
        self.0.now.get()
    }

    fn wait(&self, timeout: Option<Duration>) -> Result<()> {
        self.0.waits.borrow_mut().push(timeout);
        let arrival = self.0.arrivals.borrow_mut().pop_front();
        match (arrival, timeout) {
            (Some(arrival), _) => arrival(),
            (None, Some(timeout)) => self.set_now(self.0.now.get() + timeout),
            (None, None) => panic!("asleep for ever"),
        }
        Ok(())
    }

    fn notifier(&self) -> Arc<dyn Notify> {
        self.0.bell.clone()
    }
}

/// Counts the notifications: a sleep here ends by itself.
#[derive(Default)]
struct Bell(AtomicUsize);

impl Notify for Bell {
    fn notify(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}
