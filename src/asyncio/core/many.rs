//! [`Many`]: the waiters of a future that has several, and [`ManyBox`], which owns them.
//!
//! **Order Invariant**: keys ascend in the order of adding. The waiters with the keys below [`FEW`]
//! are in the block itself, those with later keys in a queue behind it, where each key is less by
//! `FEW`.
//!
//! **Box Invariant**: a box points to a block of the `waiter_pages` of a registry, in which a `Many`
//! is that nothing else points to. The future that has, or had, these waiters is in a block of
//! the same registry, and that block outlives the box. So the registry does.
#![allow(unsafe_code)]

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::alloc::Layout;
use core::mem;
use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;
use core::task::Waker;

use super::header::waiter::{OTHER, PLAIN, Place, SHARED, Waiter, Watch};
use super::registry::TaskRegistry;
use crate::blocks::owner_of;
use crate::collections::{Key, KeyedQueue};

/// The number of waiters that need no memory but the block's, where one at most is a waker or a watch. A
/// background task in a streamer has as many: its reporter, the streamer's callback and the holder's watch.
const FEW: usize = 3;

/// The key of the first waiter.
pub(super) const FIRST: Key = 0;

#[repr(C)]
pub(super) struct Many {
    /// The first word: an aligned pointer or null, as pages ask for.
    rest: Option<Box<Rest>>,
    first: [Place; FEW],
    /// That of the place with the tag `OTHER`.
    other: Option<Waiter>,
    /// The number of the first places that were used, and of those that are in use.
    used: u32,
    in_use: u32,
}

/// The waiters behind those of the block.
#[derive(Default)]
struct Rest {
    waiters: KeyedQueue<Waiter>,
    /// The number of watches among them, and a key before which there is none.
    watches: usize,
    first_watch: Key,
}

impl Rest {
    fn push(&mut self, waiter: Waiter) -> Key {
        if is_watch(&waiter) {
            if self.watches == 0 {
                self.first_watch = self.waiters.next_key();
            }
            self.watches += 1;
        }
        self.waiters.push(waiter)
    }

    /// Takes the waiter that was added with `key`, or the first.
    fn take(&mut self, key: Option<Key>) -> Option<Waiter> {
        let taken = match key {
            Some(key) => self.waiters.remove(key),
            None => self.waiters.pop_front(),
        };
        self.watches -= usize::from(taken.as_ref().is_some_and(is_watch));
        taken
    }
}

fn is_watch(waiter: &Waiter) -> bool {
    matches!(waiter, Waiter::Watch(_))
}

/// A [`Many`] in the memory of its loop, where it costs less than an allocation.
pub(super) struct ManyBox(NonNull<Many>);

impl ManyBox {
    /// Room for the waiters of a future of `registry`.
    ///
    /// # Panics
    ///
    /// Where there is no memory.
    #[inline]
    pub(super) fn room(registry: &TaskRegistry) -> NonNull<Many> {
        let block = registry.allocate_waiters(Layout::new::<Many>());
        block.expect("memory for several waiters").cast()
    }

    /// One with `first` alone.
    ///
    /// # Safety
    ///
    /// `room` is that of a [`room`](ManyBox::room), used once.
    #[inline]
    pub(super) unsafe fn new(first: Waiter, room: NonNull<Many>) -> ManyBox {
        // SAFETY: The block is new, and large enough.
        unsafe { room.write(Many::new(first)) };
        ManyBox(room)
    }

    /// Gives up the box for its pointer.
    #[cfg_attr(feature = "std", inline(always))]
    pub(super) fn into_raw(self) -> NonNull<Many> {
        let many = self.0;
        mem::forget(self);
        many
    }

    /// # Safety
    ///
    /// `many` is that of an [`into_raw`](ManyBox::into_raw), taken back once.
    #[cfg_attr(feature = "std", inline(always))]
    pub(super) unsafe fn from_raw(many: NonNull<Many>) -> ManyBox {
        ManyBox(many)
    }
}

impl Deref for ManyBox {
    type Target = Many;

    #[cfg_attr(feature = "std", inline(always))]
    fn deref(&self) -> &Many {
        // SAFETY: By the Box Invariant.
        unsafe { self.0.as_ref() }
    }
}

impl DerefMut for ManyBox {
    #[cfg_attr(feature = "std", inline(always))]
    fn deref_mut(&mut self) -> &mut Many {
        // SAFETY: By the Box Invariant.
        unsafe { self.0.as_mut() }
    }
}

impl Drop for ManyBox {
    fn drop(&mut self) {
        /// Frees the memory also where the drop of a waiter panics, and drops what is left then.
        struct Memory(NonNull<Many>);

        impl Drop for Memory {
            #[cfg_attr(feature = "std", inline(always))]
            fn drop(&mut self) {
                let block = self.0.cast();
                // SAFETY: By the Box Invariant the block is of these pages, and their owner is there. Its
                // contents are dropped here, once, and nothing else points to it.
                unsafe {
                    // Most boxes are empty when they are dropped.
                    if !self.0.as_ref().is_empty() || self.0.as_ref().rest.is_some() {
                        self.0.drop_in_place();
                    }
                    owner_of::<TaskRegistry>(block).waiter_pages().free(block);
                }
            }
        }

        let _memory = Memory(self.0);
        while !self.is_empty() {
            drop(self.pop());
        }
    }
}

impl Many {
    fn new(first: Waiter) -> Many {
        let first_places = [const { Place::FREE }; FEW];
        let mut many = Many { rest: None, first: first_places, other: None, used: 0, in_use: 0 };
        many.push(first);
        many
    }

    /// Adds a waiter behind the others.
    #[cfg_attr(feature = "std", inline(always))]
    pub(super) fn push(&mut self, waiter: Waiter) -> Key {
        let at = self.used as usize;
        if at == FEW {
            return self.push_behind(waiter);
        }
        let place = match Place::of(waiter) {
            Ok(place) => place,
            Err(other) if self.other.is_none() => {
                // It is none: `forget` skips the check.
                mem::forget(self.other.replace(other));
                Place::other()
            }
            Err(other) => return self.push_behind(other),
        };
        self.used += 1;
        self.in_use += 1;
        mem::forget(mem::replace(&mut self.first[at], place));
        at as Key
    }

    #[cold]
    #[inline(never)]
    fn push_behind(&mut self, waiter: Waiter) -> Key {
        self.used = FEW as u32;
        self.rest.get_or_insert_default().push(waiter) + FEW as Key
    }

    pub(super) fn is_empty(&self) -> bool {
        self.in_use == 0 && self.rest.as_ref().is_none_or(|rest| rest.waiters.is_empty())
    }

    /// Takes the waiter of a place of the block.
    #[cfg_attr(feature = "std", inline(always))]
    fn take(&mut self, at: usize) -> Option<Waiter> {
        if self.first[at].is_free() {
            return None;
        }
        self.in_use -= 1;
        let is_other = self.first[at].tag() == OTHER;
        let own = self.first[at].take();
        if is_other { self.other.take() } else { own }
    }

    /// Takes a waiter of the queue behind.
    #[cold]
    #[inline(never)]
    fn take_behind(&mut self, key: Option<Key>) -> Option<Waiter> {
        self.rest.as_mut()?.take(key.map(|key| key - FEW as Key))
    }

    /// Removes the first waiter.
    #[cfg_attr(feature = "std", inline(always))]
    pub(super) fn pop(&mut self) -> Option<Waiter> {
        match self.first.iter().position(|place| !place.is_free()) {
            Some(at) => self.take(at),
            None => self.take_behind(None),
        }
    }

    /// Removes the waiter that was added with `key`.
    pub(super) fn remove(&mut self, key: Key) -> Option<Waiter> {
        match usize::try_from(key) {
            Ok(at) if at < FEW => self.take(at),
            _ => self.take_behind(Some(key)),
        }
    }

    /// Takes the wakers out, each of which leaves one that does nothing in its place.
    pub(super) fn take_wakers(&mut self) -> Vec<Waker> {
        let mut wakers = Vec::new();
        let mut take = |waiter: Option<&mut Waiter>| {
            if let Some(Waiter::Waker(waker)) = waiter {
                wakers.push(mem::replace(waker, Waker::noop().clone()));
            }
        };
        take(self.other.as_mut());
        let mut from = FEW as Key;
        while let Some(key) = self.next_from(from) {
            take(self.rest.as_mut().and_then(|rest| rest.waiters.get_mut(key - FEW as Key)));
            from = key + 1;
        }
        wakers
    }

    /// Takes out what is called at the end, and leaves what awaits.
    pub(super) fn take_callbacks(&mut self) -> Vec<Waiter> {
        let mut callbacks = Vec::new();
        let mut from = FIRST;
        while let Some(key) = self.find(from, &mut |waiter| !waiter.awaits()) {
            callbacks.extend(self.remove(key));
            from = key + 1;
        }
        callbacks
    }

    /// Returns the key of the first waiter, at `from` or after it, of which `is_it` is true. It runs no code
    /// but the crate's own.
    pub(super) fn find(
        &self,
        mut from: Key,
        is_it: &mut dyn FnMut(&Waiter) -> bool,
    ) -> Option<Key> {
        loop {
            let key = self.next_from(from)?;
            if self.look(key, &mut *is_it) == Some(true) {
                return Some(key);
            }
            from = key + 1;
        }
    }

    /// Calls `look` with the waiter that was added with `key`. It runs no code but the crate's own.
    pub(super) fn look<R>(&self, key: Key, look: impl FnOnce(&Waiter) -> R) -> Option<R> {
        match usize::try_from(key) {
            Ok(at) if at < FEW && self.first[at].tag() == OTHER => self.other.as_ref().map(look),
            Ok(at) if at < FEW => self.first[at].look(look),
            _ => self.rest.as_ref()?.waiters.get(key - FEW as Key).map(look),
        }
    }

    /// Returns the key of the first waiter at `key` or after it.
    fn next_from(&self, mut key: Key) -> Option<Key> {
        while key < FEW as Key {
            if !self.first[key as usize].is_free() {
                return Some(key);
            }
            key += 1;
        }
        let (key, _) = self.rest.as_ref()?.waiters.iter_from(key - FEW as Key).next()?;
        Some(key + FEW as Key)
    }

    /// Returns the number of watches, and a key before which there is none.
    pub(super) fn watches(&self) -> (usize, Key) {
        let (behind, first_behind) =
            self.rest.as_ref().map_or((0, FIRST), |rest| (rest.watches, rest.first_watch));
        match self.first.iter().position(|place| place.tag() == OTHER) {
            Some(at) if self.other.as_ref().is_some_and(is_watch) => (behind + 1, at as Key),
            _ => (behind, first_behind + FEW as Key),
        }
    }

    /// Returns the first watch at `key` or after it.
    #[inline]
    pub(super) fn watch_from(&self, key: Key) -> Option<(Key, Watch)> {
        let at = usize::try_from(key).ok()?;
        let is_other = self.first.get(at).is_some_and(|place| place.tag() == OTHER);
        match &self.other {
            Some(Waiter::Watch(watch)) if is_other => Some((key, watch.clone())),
            _ => self.watch_behind(key),
        }
    }

    fn watch_behind(&self, key: Key) -> Option<(Key, Watch)> {
        let mut found = None;
        let key = self.find(key, &mut |waiter| {
            if let Waiter::Watch(watch) = waiter {
                found = Some(watch.clone());
            }
            found.is_some()
        })?;
        Some((key, found?))
    }

    /// Goes through the waiters in order: takes those that await, for `awaiting`, and calls `callback` for each
    /// other one, which stays. Keys from before say nothing any more, but that no watch has come before
    /// the first.
    #[inline]
    pub(super) fn take_awaiting(
        &mut self,
        mut awaiting: impl FnMut(Waiter),
        mut callback: impl FnMut(),
    ) {
        for at in 0..FEW {
            let is_callback = match self.first[at].tag() {
                SHARED | PLAIN => true,
                OTHER => self.other.as_ref().is_some_and(is_watch),
                _ => false,
            };
            if is_callback {
                callback();
            } else if let Some(waiter) = self.take(at) {
                awaiting(waiter);
            }
        }
        if self.rest.is_some() {
            self.take_awaiting_behind(&mut awaiting, &mut callback);
        }
    }

    #[cold]
    fn take_awaiting_behind(
        &mut self,
        awaiting: &mut dyn FnMut(Waiter),
        callback: &mut dyn FnMut(),
    ) {
        let Some(rest) = &mut self.rest else { return };
        for _ in 0..rest.waiters.len() {
            match rest.take(None) {
                Some(waiter) if waiter.awaits() => awaiting(waiter),
                Some(waiter) => {
                    callback();
                    rest.push(waiter);
                }
                None => {}
            }
        }
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests;
