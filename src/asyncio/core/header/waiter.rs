//! [`Waiter`], the word in which one stands alone, and its [`Place`] in a block.
//!
//! **Place Invariant**: a place is null, or owns a task's pointer or a callback, with the tag that [`pack`] gives
//! it, or has the tag `OTHER`: then its waiter stands beside the places. One of a block at most does.
#![allow(unsafe_code)]

use alloc::rc::Rc;
use core::mem::{self, ManuallyDrop};
use core::ptr::{NonNull, null_mut, without_provenance_mut};
use core::task::Waker;

use super::super::any_future::{Callback, Watcher};
use super::Header;

/// The tags of words.
pub(crate) const TAG: usize = 3;
pub(crate) const TASK: usize = 0;
pub(crate) const SHARED: usize = 1;
pub(crate) const PLAIN: usize = 2;
pub(crate) const OTHER: usize = 3;

/// A waiter for the end of a future or task.
pub(crate) enum Waiter {
    /// A task: its step is scheduled. It isn't counted here: the await that added it counts it.
    Task(NonNull<Header>),
    /// The waker of another crate's future around an await.
    Waker(Waker),
    Callback(Callback),
    Watch(Watch),
}

impl Waiter {
    pub(crate) fn is_callback(&self, callback: &Callback) -> bool {
        matches!(self, Waiter::Callback(own) if own == callback)
    }

    /// Returns whether it awaits the end, and isn't called for it.
    pub(crate) fn awaits(&self) -> bool {
        matches!(self, Waiter::Task(_) | Waiter::Waker(_))
    }
}

/// The word of a task or callback, which owns it; or else the waiter.
#[cfg_attr(feature = "std", inline(always))]
pub(crate) fn pack(waiter: Waiter) -> Result<*mut (), Waiter> {
    match waiter {
        Waiter::Task(task) => Ok(task.as_ptr().cast()),
        Waiter::Callback(callback) => Ok(pack_callback(callback)),
        Waiter::Waker(_) | Waiter::Watch(_) => Err(waiter),
    }
}

#[cfg_attr(feature = "std", inline(always))]
pub(crate) fn pack_callback(callback: Callback) -> *mut () {
    let (pointer, is_shared) = callback.into_raw();
    let tag = if is_shared { SHARED } else { PLAIN };
    pointer.as_ptr().map_addr(|address| address | tag)
}

/// # Safety
///
/// `word` is that of a [`pack`], unpacked once.
#[cfg_attr(feature = "std", inline(always))]
pub(crate) unsafe fn unpack(word: *mut ()) -> Waiter {
    // SAFETY: By this function's contract: the pointer is not null, and is of what its tag says.
    unsafe {
        let pointer = NonNull::new_unchecked(word.map_addr(|address| address & !TAG));
        match word.addr() & TAG {
            TASK => Waiter::Task(pointer.cast()),
            tag => Waiter::Callback(Callback::from_raw(pointer, tag == SHARED)),
        }
    }
}

/// A place for a waiter in the block.
pub(crate) struct Place(*mut ());

impl Place {
    pub(crate) const FREE: Place = Place(null_mut());

    /// The place of a task or a callback; or else the waiter.
    #[cfg_attr(feature = "std", inline(always))]
    pub(crate) fn of(waiter: Waiter) -> Result<Place, Waiter> {
        pack(waiter).map(Place)
    }

    pub(crate) fn other() -> Place {
        Place(without_provenance_mut(OTHER))
    }

    #[cfg_attr(feature = "std", inline(always))]
    pub(crate) fn is_free(&self) -> bool {
        self.0.is_null()
    }

    #[cfg_attr(feature = "std", inline(always))]
    pub(crate) fn tag(&self) -> usize {
        self.0.addr() & TAG
    }

    /// Frees the place. Returns the waiter that it owned.
    #[cfg_attr(feature = "std", inline(always))]
    pub(crate) fn take(&mut self) -> Option<Waiter> {
        let owns = !self.is_free() && self.tag() != OTHER;
        let word = mem::replace(&mut self.0, null_mut());
        // SAFETY: By the Place Invariant; the place is free now.
        owns.then(|| unsafe { unpack(word) })
    }

    /// Calls `look` with the waiter that the place owns.
    pub(crate) fn look<R>(&self, look: impl FnOnce(&Waiter) -> R) -> Option<R> {
        if self.is_free() || self.tag() == OTHER {
            return None;
        }
        // SAFETY: By the Place Invariant; the waiter stays the place's, which nothing changes meanwhile.
        let waiter = ManuallyDrop::new(unsafe { unpack(self.0) });
        Some(look(&waiter))
    }
}

impl Drop for Place {
    #[cfg_attr(feature = "std", inline(always))]
    fn drop(&mut self) {
        if !self.is_free() {
            drop(self.take());
        }
    }
}

/// A watcher, and the token by which it knows the future. It is called as a callback is, too.
#[derive(Clone)]
pub(crate) struct Watch {
    pub(crate) watcher: Rc<dyn Watcher>,
    pub(crate) token: u64,
}
