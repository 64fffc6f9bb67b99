//! [`Stop`]: how a server says to its connections that it ends.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::task::Waker;

use callsoon::{Event, Result};

/// An orderly end, which connections come to after the request in progress. Clones are the same.
///
/// An [`Event`] alone won't do: of two awaits of the loop's in one poll, a cancellation would end the one
/// for the event and leave the connection's own.
#[derive(Clone, Default)]
pub struct Stop(Rc<State>);

#[derive(Default)]
struct State {
    event: Event,
    wakers: RefCell<BTreeMap<u64, Waker>>,
    last: Cell<u64>,
}

impl Stop {
    pub fn set(&self) {
        self.0.event.set();
    }

    /// Wakes the connections, once nothing accepts others any more.
    pub fn wake(&self) {
        let wakers = self.0.wakers.take();
        wakers.into_values().for_each(Waker::wake);
    }

    pub fn is_set(&self) -> bool {
        self.0.event.is_set()
    }

    pub async fn wait(&self) -> Result<()> {
        self.0.event.wait().await
    }

    /// Has a task polled when the end is set, until what this returns is dropped.
    pub fn wakes(&self, waker: &Waker) -> Wakes {
        let number = self.0.last.get() + 1;
        self.0.last.set(number);
        self.0.wakers.borrow_mut().insert(number, waker.clone());
        Wakes { stop: self.clone(), number }
    }
}

/// A task that is polled at the end.
pub struct Wakes {
    stop: Stop,
    number: u64,
}

impl Drop for Wakes {
    fn drop(&mut self) {
        let waker = self.stop.0.wakers.borrow_mut().remove(&self.number);
        drop(waker);
    }
}
