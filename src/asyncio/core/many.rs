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
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::alloc::Layout;
use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;
use core::task::Waker;
use core::{iter, mem};

use super::any_future::{Callback, Watcher};
use super::header::Header;
use super::registry::TaskRegistry;
use crate::blocks::owner_of;
use crate::collections::{Key, KeyedQueue};

/// The number of waiters that need no memory but the block's. A background task in a streamer has as
/// many: its reporter, the streamer's callback and the holder's watch.
const FEW: usize = 3;

/// The key of the first waiter.
pub(super) const FIRST: Key = 0;

/// A waiter for the end of a future or task.
pub(super) enum Waiter {
    /// A task: its step is scheduled. It isn't counted here: the await that added it counts it.
    Task(NonNull<Header>),
    /// The waker of another crate's future around an await.
    Waker(Waker),
    Callback(Callback),
    Watch(Watch),
}

impl Waiter {
    pub(super) fn is_callback(&self, callback: &Callback) -> bool {
        matches!(self, Waiter::Callback(own) if own == callback)
    }
}

/// A watcher, and the token by which it knows the future. It is called as a callback is, too.
#[derive(Clone)]
pub(super) struct Watch {
    pub(super) watcher: Rc<dyn Watcher>,
    pub(super) token: u64,
}

#[repr(C)]
pub(super) struct Many {
    /// The first word: an aligned pointer or null, as pages ask for.
    rest: Option<Box<KeyedQueue<Waiter>>>,
    first: [Option<Waiter>; FEW],
    /// The number of the first places that were used.
    used: usize,
    /// The number of waiters.
    len: usize,
    /// The number of watches among the waiters, and the key of the one that was added first.
    watches: usize,
    first_watch: Key,
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
    #[inline(always)]
    pub(super) fn into_raw(self) -> NonNull<Many> {
        let many = self.0;
        mem::forget(self);
        many
    }

    /// # Safety
    ///
    /// `many` is that of an [`into_raw`](ManyBox::into_raw), taken back once.
    #[inline(always)]
    pub(super) unsafe fn from_raw(many: NonNull<Many>) -> ManyBox {
        ManyBox(many)
    }
}

impl Deref for ManyBox {
    type Target = Many;

    #[inline(always)]
    fn deref(&self) -> &Many {
        // SAFETY: By the Box Invariant.
        unsafe { self.0.as_ref() }
    }
}

impl DerefMut for ManyBox {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut Many {
        // SAFETY: By the Box Invariant.
        unsafe { self.0.as_mut() }
    }
}

impl Drop for ManyBox {
    fn drop(&mut self) {
        /// Frees the memory also where the drop of a waiter panics.
        struct Memory(NonNull<Many>);

        impl Drop for Memory {
            #[inline(always)]
            fn drop(&mut self) {
                let block = self.0.cast();
                // SAFETY: By the Box Invariant the block is of these pages, and their owner is there. Its
                // contents are dropped by now, once, and nothing else points to it.
                unsafe { owner_of::<TaskRegistry>(block).waiter_pages().free(block) }
            }
        }

        let memory = Memory(self.0);
        // Most boxes are empty when they are dropped.
        if self.len > 0 || self.rest.is_some() {
            // SAFETY: By the Box Invariant.
            unsafe { memory.0.drop_in_place() }
        }
    }
}

impl Many {
    fn new(first: Waiter) -> Many {
        let watches = usize::from(matches!(first, Waiter::Watch(_)));
        let first = [Some(first), None, None];
        Many { rest: None, first, used: 1, len: 1, watches, first_watch: FIRST }
    }

    /// Adds a waiter behind the others.
    #[inline]
    pub(super) fn push(&mut self, waiter: Waiter) -> Key {
        self.len += 1;
        let is_watch = matches!(waiter, Waiter::Watch(_));
        let key = match self.first.get_mut(self.used) {
            Some(place) => {
                // It was never used, and so is none: `forget` skips the check.
                mem::forget(place.replace(waiter));
                self.used += 1;
                self.used as Key - 1
            }
            None => self.rest.get_or_insert_default().push(waiter) + FEW as Key,
        };
        if is_watch {
            if self.watches == 0 {
                self.first_watch = key;
            }
            self.watches += 1;
        }
        key
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Removes the first waiter.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<Waiter> {
        let first = self.first.iter_mut().find(|waiter| waiter.is_some());
        let popped = match first {
            Some(first) => first.take(),
            None => self.rest.as_mut()?.pop_front(),
        };
        self.note_removed(&popped);
        popped
    }

    fn note_removed(&mut self, removed: &Option<Waiter>) {
        self.len -= usize::from(removed.is_some());
        self.watches -= usize::from(matches!(removed, Some(Waiter::Watch(_))));
    }

    /// Removes the waiter that was added with `key`.
    pub(super) fn remove(&mut self, key: Key) -> Option<Waiter> {
        let removed = match usize::try_from(key) {
            Ok(at) if at < FEW => self.first[at].take(),
            _ => self.rest.as_mut().and_then(|rest| rest.remove(key - FEW as Key)),
        };
        self.note_removed(&removed);
        removed
    }

    /// Takes the wakers out, each of which leaves one that does nothing in its place.
    pub(super) fn take_wakers(&mut self) -> Vec<Waker> {
        let mut wakers = Vec::new();
        let mut from = FIRST;
        while let Some((key, _)) = self.next_from(from) {
            if let Some(Waiter::Waker(waker)) = self.get_mut(key) {
                wakers.push(mem::replace(waker, Waker::noop().clone()));
            }
            from = key + 1;
        }
        wakers
    }

    /// Takes out what is called at the end, and leaves what awaits.
    pub(super) fn take_callbacks(&mut self) -> Vec<Waiter> {
        let mut callbacks = Vec::new();
        let mut from = FIRST;
        while let Some((key, waiter)) = self.next_from(from) {
            if !matches!(waiter, Waiter::Task(_) | Waiter::Waker(_)) {
                callbacks.extend(self.remove(key));
            }
            from = key + 1;
        }
        callbacks
    }

    pub(super) fn get(&self, key: Key) -> Option<&Waiter> {
        match usize::try_from(key) {
            Ok(at) if at < FEW => self.first[at].as_ref(),
            _ => self.rest.as_ref()?.get(key - FEW as Key),
        }
    }

    fn get_mut(&mut self, key: Key) -> Option<&mut Waiter> {
        match usize::try_from(key) {
            Ok(at) if at < FEW => self.first[at].as_mut(),
            _ => self.rest.as_mut()?.get_mut(key - FEW as Key),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Key, &Waiter)> {
        self.iter_from(FIRST)
    }

    fn iter_from(&self, mut from: Key) -> impl Iterator<Item = (Key, &Waiter)> {
        iter::from_fn(move || {
            let next = self.next_from(from)?;
            from = next.0 + 1;
            Some(next)
        })
    }

    /// Returns the first waiter at `key` or after it. One function for all that goes through the waiters:
    /// an iterator of both parts is compiled anew in each place.
    fn next_from(&self, mut key: Key) -> Option<(Key, &Waiter)> {
        while key < FEW as Key {
            if let Some(waiter) = &self.first[key as usize] {
                return Some((key, waiter));
            }
            key += 1;
        }
        let (key, waiter) = self.rest.as_ref()?.iter_from(key - FEW as Key).next()?;
        Some((key + FEW as Key, waiter))
    }

    /// Returns the number of watches, and a key before which there is none.
    pub(super) fn watches(&self) -> (usize, Key) {
        (self.watches, self.first_watch)
    }

    /// Returns the first watch at `key` or after it.
    #[inline]
    pub(super) fn watch_from(&self, key: Key) -> Option<(Key, Watch)> {
        if let Some(Some(Waiter::Watch(watch))) = self.first.get(usize::try_from(key).ok()?) {
            return Some((key, watch.clone()));
        }
        self.watch_behind(key)
    }

    fn watch_behind(&self, key: Key) -> Option<(Key, Watch)> {
        self.iter_from(key).find_map(|(key, waiter)| match waiter {
            Waiter::Watch(watch) => Some((key, watch.clone())),
            _ => None,
        })
    }

    /// Calls `take` with each waiter, in order, which it may take out. Keys from before say nothing
    /// any more, but that no watch has come before the first.
    #[inline]
    pub(super) fn take_some(&mut self, mut take: impl FnMut(&mut Option<Waiter>)) {
        for waiter in self.first.iter_mut().filter(|waiter| waiter.is_some()) {
            take(waiter);
            self.len -= usize::from(waiter.is_none());
        }
        if self.rest.is_some() {
            self.take_some_behind(&mut take);
        }
    }

    #[cold]
    fn take_some_behind(&mut self, take: &mut dyn FnMut(&mut Option<Waiter>)) {
        let Some(rest) = &mut self.rest else { return };
        for _ in 0..rest.len() {
            let mut waiter = rest.pop_front();
            take(&mut waiter);
            match waiter {
                Some(waiter) => _ = rest.push(waiter),
                None => self.len -= 1,
            }
        }
    }
}
