//! [`Calls`]: the timers of a loop, and the memory of its callbacks.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::rc::Rc;
#[cfg(any(callsoon_scarce, target_os = "none", target_pointer_width = "16"))]
use core::cell::OnceCell;
use core::mem;
use core::ptr::NonNull;
use core::time::Duration;

use super::clock::Nanos;
use super::entry::{Entry, PendingTimers, TimerAt};
#[cfg(feature = "events")]
use super::events::EventSwitch;
use super::inbox::Inbox;
use super::mail::Mail;
use crate::blocks::Pages;
use crate::collections::{At, RefCell, Timers};
use crate::error::{Error, Result};
use crate::sync::Arc;

/// A timer of anything but a callback that is pending, or was: by what it runs the wheel knows whether it
/// is that one still.
pub(crate) type TimerIndex = u32;

type CallPages<L> = Pages<Calls<L>, Arc<Inbox<Mail<L>>>>;

/// Timers of a loop `L`, and pages for callbacks.
pub(super) struct Calls<L: 'static> {
    pub(super) timers: RefCell<Timers<PendingTimers<L>>>,
    /// When the timers that are never due were to be due, by the addresses of their blocks.
    pub(super) far: RefCell<BTreeMap<*const (), Duration>>,
    #[cfg(not(any(callsoon_scarce, target_os = "none", target_pointer_width = "16")))]
    pages: CallPages<L>,
    /// Made with the first callback.
    #[cfg(any(callsoon_scarce, target_os = "none", target_pointer_width = "16"))]
    pages: OnceCell<Box<CallPages<L>>>,
    #[cfg(any(callsoon_scarce, target_os = "none", target_pointer_width = "16"))]
    inbox: Arc<Inbox<Mail<L>>>,
    /// Here, where the handles of callbacks find it.
    #[cfg(feature = "events")]
    pub(super) events: EventSwitch,
}

impl<L> Calls<L> {
    pub(super) fn new(inbox: Arc<Inbox<Mail<L>>>) -> Rc<Calls<L>> {
        let calls = Rc::new(Calls {
            timers: RefCell::new(Timers::new(PendingTimers::new())),
            far: RefCell::default(),
            #[cfg(not(any(callsoon_scarce, target_os = "none", target_pointer_width = "16")))]
            pages: Pages::new(inbox),
            #[cfg(any(callsoon_scarce, target_os = "none", target_pointer_width = "16"))]
            pages: OnceCell::new(),
            #[cfg(any(callsoon_scarce, target_os = "none", target_pointer_width = "16"))]
            inbox,
            #[cfg(feature = "events")]
            events: EventSwitch::default(),
        });
        #[cfg(not(any(callsoon_scarce, target_os = "none", target_pointer_width = "16")))]
        calls.pages.set_owner(NonNull::from(&*calls));
        calls
    }

    /// The memory of callbacks.
    #[cfg(not(any(callsoon_scarce, target_os = "none", target_pointer_width = "16")))]
    #[inline(always)]
    pub(super) fn pages(&self) -> &CallPages<L> {
        &self.pages
    }

    #[cfg(not(any(callsoon_scarce, target_os = "none", target_pointer_width = "16")))]
    #[inline(always)]
    fn used_pages(&self) -> Option<&CallPages<L>> {
        Some(&self.pages)
    }

    /// The memory of callbacks.
    #[cfg(any(callsoon_scarce, target_os = "none", target_pointer_width = "16"))]
    pub(super) fn pages(&self) -> &CallPages<L> {
        self.pages.get_or_init(|| {
            let pages = Box::new(Pages::new(self.inbox.clone()));
            pages.set_owner(NonNull::from(self));
            pages
        })
    }

    #[cfg(any(callsoon_scarce, target_os = "none", target_pointer_width = "16"))]
    fn used_pages(&self) -> Option<&CallPages<L>> {
        self.pages.get().map(|pages| &**pages)
    }

    /// Bytes that they have taken from the allocator.
    pub(super) fn memory(&self) -> usize {
        self.used_pages().map_or(0, |pages| pages.bytes())
    }

    /// Gives the memory back that is not in use.
    pub(super) fn release(&self) {
        if let Some(pages) = self.used_pages() {
            pages.release();
        }
    }

    /// Adds a timer that is due at `when`.
    ///
    /// # Errors
    ///
    /// [`Runtime`](crate::ErrorKind::Runtime) where there is no memory for it; `entry` is dropped.
    #[inline]
    pub(super) fn insert_timer(&self, when: Nanos, entry: Entry<L>) -> Result<TimerIndex> {
        let mut timers = self.timers.borrow_mut();
        match timers.links.slab.keep(when, entry) {
            Ok((index, _)) => {
                timers.insert(TimerAt::of(index), when);
                Ok(index)
            }
            Err(_refused) => {
                // Nothing is borrowed while it is dropped.
                drop(timers);
                Err(Error::no_memory())
            }
        }
    }

    /// Takes the timer out that would run what is at `address`, if it is still in.
    #[inline]
    pub(super) fn forget_timer(&self, timer: TimerIndex, address: *const ()) -> Option<Entry<L>> {
        let mut timers = self.timers.borrow_mut();
        timers.links.slab.payload_mut(timer).filter(|entry| entry.address() == address)?;
        timers.remove(TimerAt::of(timer));
        let entry = timers.links.slab.take(timer);
        timers.rest();
        entry
    }

    /// Has the timer that would run what is at `address` run `entry` in its place, if it is still in.
    /// Returns when it is due, and the entry that it had; or else `entry`.
    pub(super) fn replace_timer(
        &self,
        timer: TimerIndex,
        address: *const (),
        entry: Entry<L>,
    ) -> Result<(Nanos, Entry<L>), Entry<L>> {
        let timers = &mut self.timers.borrow_mut().links;
        let own = timers.slab.payload_mut(timer).filter(|entry| entry.address() == address);
        let Some(own) = own else { return Err(entry) };
        let before = mem::replace(own, entry);
        Ok((timers[TimerAt::of(timer)].when(), before))
    }

    /// The loop is about to wait: unused memory may go back.
    #[inline]
    pub(super) fn release_idle(&self) {
        if let Some(pages) = self.used_pages() {
            pages.release_idle();
        }
    }

    /// The loop has closed: handles that outlive it keep the memory.
    pub(super) fn close(self: &Rc<Calls<L>>) {
        if let Some(pages) = self.used_pages() {
            pages.hold_while_used(Box::new(self.clone()));
        }
    }
}
