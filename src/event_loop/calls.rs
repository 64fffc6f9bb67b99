//! [`Calls`]: the timers of a loop, and the memory of its callbacks.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use core::cell::RefCell;
use core::ptr::NonNull;
use core::time::Duration;

use super::clock::Nanos;
#[cfg(feature = "events")]
use super::events::EventSwitch;
use crate::blocks::Pages;
use crate::collections::Wheel;
use crate::error::{Error, Result};

/// A timer that is pending, or was: by what it runs the wheel knows whether it is that one still.
pub(crate) type TimerIndex = u32;

/// Timers of the sort `E`, and pages for callbacks.
pub(super) struct Calls<E> {
    pub(super) timers: RefCell<Wheel<E, ()>>,
    /// When the timers that are never due were to be due, by the addresses of their blocks.
    pub(super) far: RefCell<BTreeMap<*const (), Duration>>,
    pub(super) pages: Pages<Calls<E>, ()>,
    /// Here, where the handles of callbacks find it.
    #[cfg(feature = "events")]
    pub(super) events: EventSwitch,
}

impl<E: 'static> Calls<E> {
    pub(super) fn new() -> Rc<Calls<E>> {
        let timers = RefCell::new(Wheel::new(()));
        let calls = Rc::new(Calls {
            timers,
            far: RefCell::default(),
            pages: Pages::new(()),
            #[cfg(feature = "events")]
            events: EventSwitch::default(),
        });
        calls.pages.set_owner(NonNull::from(&*calls));
        calls
    }

    /// Adds a timer that is due at `when`.
    ///
    /// # Errors
    ///
    /// [`Runtime`](crate::ErrorKind::Runtime) where there is no memory for it; `entry` is dropped.
    #[inline(always)]
    pub(super) fn insert_timer(&self, when: Nanos, entry: E) -> Result<TimerIndex> {
        let mut timers = self.timers.borrow_mut();
        if !timers.has_room() && timers.reserve_one().is_err() {
            return Err(Error::no_memory());
        }
        Ok(timers.insert(when, entry))
    }

    /// The loop is about to wait: unused memory may go back.
    #[inline]
    pub(super) fn release_idle(&self) {
        self.pages.release_idle();
    }

    /// The loop has closed: handles that outlive it keep the memory.
    pub(super) fn close(self: &Rc<Calls<E>>) {
        self.pages.hold_while_used(Box::new(self.clone()));
    }
}
