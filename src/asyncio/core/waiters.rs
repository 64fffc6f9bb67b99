//! [`Waiters`]: the waiters of a future or task, in the order of adding, in one word.
//!
//! Most futures have one waiter, a task or a callback, which stands in the word itself. Several, a
//! waker, or a watch stand in a block of [`Many`].
//!
//! **Word Invariant**: the word is null, or a pointer with a tag in its lowest two bits: a task's
//! header (`TASK`, no bit set), a callback that the word owns (`SHARED`, `PLAIN`), or that of a
//! [`ManyBox`] that the word owns (`MANY`).
//!
//! **Key Invariant**: a task that was pushed without a key stands alone in the word, or was the
//! first to be moved into the block, where it has the key [`FIRST`].
#![allow(unsafe_code)]

use alloc::vec;
use alloc::vec::Vec;
use core::cell::Cell;
use core::mem;
use core::ptr::{NonNull, null_mut};
use core::task::Waker;

use super::any_future::{Callback, FutureId};
use super::header::waiter::{PLAIN, SHARED, TAG, TASK, Waiter, Watch, pack, pack_callback, unpack};
use super::header::{Header, Waiters};
use super::many::{FIRST, Many, ManyBox};
use super::registry::TaskRegistry;
use crate::collections::Key;

/// The tag of the word of several.
const MANY: usize = 3;

/// The waiters of a future, taken out of it.
pub(super) enum Taken {
    None,
    One(Waiter),
    Many(ManyBox),
}

impl Header {
    /// The futures and tasks that wait by callbacks, where these say so.
    pub(crate) fn awaiters(&self) -> Vec<FutureId> {
        let mut awaiters = Vec::new();
        self.waiters.for_each(|waiter| match waiter {
            Waiter::Callback(callback) => awaiters.extend(callback.tells()),
            Waiter::Task(_) | Waiter::Waker(_) | Waiter::Watch(_) => {}
        });
        awaiters
    }

    pub(crate) fn waiter_count(&self) -> usize {
        let mut count = 0;
        if !self.done() {
            self.waiters.for_each(|_| count += 1);
        }
        count
    }

    /// Removes every callback that equals `callback`, and returns their number.
    pub(crate) fn remove_callback(&self, callback: &Callback) -> usize {
        let mut count = 0;
        while !self.done() {
            let Some(removed) = self.waiters.remove_callback(callback) else { break };
            drop(removed);
            count += 1;
        }
        count
    }

    pub(crate) fn has_callback(&self, callback: &Callback) -> bool {
        let mut found = false;
        if !self.done() {
            self.waiters.for_each(|waiter| found |= waiter.is_callback(callback));
        }
        found
    }
}

impl Waiters {
    pub(super) const fn new() -> Waiters {
        Waiters(Cell::new(null_mut()))
    }

    #[inline(always)]
    pub(super) fn is_empty(&self) -> bool {
        self.0.get().is_null()
    }

    /// The task that waits, if it is all that the word holds.
    #[inline(always)]
    pub(super) fn sole_task(&self) -> Option<NonNull<Header>> {
        let word = self.0.get();
        if word.addr() & TAG == TASK { NonNull::new(word.cast()) } else { None }
    }

    /// Empties a word that holds a task alone, or nothing.
    #[inline(always)]
    pub(super) fn clear_sole_task(&self) {
        debug_assert_eq!(self.0.get().addr() & TAG, TASK);
        self.0.set(null_mut());
    }

    /// Adds a task to an empty word.
    #[inline(always)]
    pub(super) fn set_sole_task(&self, task: NonNull<Header>) {
        debug_assert!(self.is_empty());
        self.0.set(task.as_ptr().cast());
    }

    /// Adds a callback to an empty word.
    #[inline(always)]
    pub(super) fn set_sole_callback(&self, callback: Callback) {
        debug_assert!(self.is_empty());
        self.0.set(pack_callback(callback));
    }

    /// Returns true if a callback is all that the word holds.
    #[inline(always)]
    pub(super) fn is_sole_callback(&self) -> bool {
        matches!(self.0.get().addr() & TAG, SHARED | PLAIN)
    }

    /// Takes the callback that is all that the word holds.
    #[inline(always)]
    pub(super) fn take_sole_callback(&self) -> Option<Callback> {
        if !self.is_sole_callback() {
            return None;
        }
        let word = self.0.replace(null_mut());
        let shared = word.addr() & TAG == SHARED;
        // SAFETY: By the Word Invariant the word owned a callback, and is empty now.
        unsafe {
            let pointer = NonNull::new_unchecked(word.map_addr(|address| address & !TAG));
            Some(Callback::from_raw(pointer, shared))
        }
    }

    /// Adds a waiter behind the others, which are of a future of `registry`. Returns its key, unless it
    /// stands alone in the word.
    #[cfg_attr(feature = "std", inline(always))]
    pub(super) fn push(&self, mut waiter: Waiter, registry: &TaskRegistry) -> Option<Key> {
        if self.is_empty() {
            match pack(waiter) {
                Ok(word) => {
                    self.0.set(word);
                    return None;
                }
                Err(other) => waiter = other,
            }
        }
        // Taken before the waiters are: there may be no memory.
        let room = (self.0.get().addr() & TAG != MANY).then(|| ManyBox::room(registry));
        let mut many = match (self.take(), room) {
            (Taken::Many(many), _) => many,
            // SAFETY: The room is used once.
            (Taken::One(first), Some(room)) => unsafe { ManyBox::new(first, room) },
            (_, Some(room)) => {
                // SAFETY: As above.
                self.put_back(unsafe { ManyBox::new(waiter, room) });
                return Some(FIRST);
            }
            (_, None) => return None,
        };
        let key = many.push(waiter);
        self.put_back(many);
        Some(key)
    }

    /// Returns the number of watches, and a key before which there is no watch.
    pub(super) fn watches(&self) -> (usize, Key) {
        self.look_at_many(Many::watches).unwrap_or_default()
    }

    /// Returns the first watch with the key `key` or a later one, to be called where nothing is
    /// borrowed.
    pub(super) fn watch_from(&self, key: Key) -> Option<(Key, Watch)> {
        self.look_at_many(|many| many.watch_from(key)).flatten()
    }

    /// Calls `look` with the block of many, if there is one. `look` runs no code but the crate's own.
    fn look_at_many<R>(&self, look: impl FnOnce(&Many) -> R) -> Option<R> {
        let word = self.0.get();
        if word.addr() & TAG != MANY {
            return None;
        }
        let many = word.map_addr(|address| address & !TAG).cast::<Many>();
        // SAFETY: By the Word Invariant the word owns the block, and nothing changes it meanwhile.
        Some(look(unsafe { &*many }))
    }

    /// Takes everything out.
    #[inline]
    pub(super) fn take(&self) -> Taken {
        let word = self.0.replace(null_mut());
        if word.is_null() {
            return Taken::None;
        }
        // SAFETY: By the Word Invariant, and the word is empty now.
        unsafe { taken(word) }
    }

    /// Puts back what is left of what was [taken](Waiters::take).
    pub(super) fn put_back(&self, many: ManyBox) {
        debug_assert!(self.is_empty());
        if !many.is_empty() {
            let many = many.into_raw().as_ptr().cast::<()>();
            self.0.set(many.map_addr(|address| address | MANY));
        }
    }

    /// Puts back a waiter that stood alone.
    fn put_back_one(&self, waiter: Waiter) {
        match pack(waiter) {
            Ok(word) => self.0.set(word),
            Err(_) => unreachable!("it never stands alone: see `push`"),
        }
    }

    /// Removes the first waiter.
    pub(super) fn pop(&self) -> Option<Waiter> {
        match self.take() {
            Taken::None => None,
            Taken::One(waiter) => Some(waiter),
            Taken::Many(mut many) => {
                let first = many.pop();
                self.put_back(many);
                first
            }
        }
    }

    /// Removes the next of what is left at the end, which are callbacks and watches.
    #[inline(always)]
    pub(super) fn pop_at_end(&self) -> Option<Waiter> {
        let word = self.0.get();
        if word.addr() & TAG != MANY {
            return self.take_sole_callback().map(Waiter::Callback);
        }
        let many = word.map_addr(|address| address & !TAG).cast::<Many>();
        // SAFETY: By the Word Invariant the word owns the block, which nothing else looks into meanwhile.
        let many = unsafe { &mut *many };
        let first = many.pop();
        if many.is_empty() {
            drop(self.take());
        }
        first
    }

    /// Removes the waiter that was added with `key`, to be dropped where nothing is borrowed.
    pub(super) fn remove(&self, key: Option<Key>) -> Option<Waiter> {
        match self.take() {
            Taken::None => None,
            Taken::One(waiter) => Some(waiter),
            Taken::Many(mut many) => {
                let removed = many.remove(key.unwrap_or(FIRST));
                self.put_back(many);
                removed
            }
        }
    }

    /// Removes the first waiter that equals `callback`, to be dropped where nothing is borrowed.
    pub(super) fn remove_callback(&self, callback: &Callback) -> Option<Waiter> {
        match self.take() {
            Taken::None => None,
            Taken::One(waiter) if waiter.is_callback(callback) => Some(waiter),
            Taken::One(waiter) => {
                self.put_back_one(waiter);
                None
            }
            Taken::Many(mut many) => {
                let key = many.find(FIRST, &mut |own| own.is_callback(callback));
                let removed = key.and_then(|key| many.remove(key));
                self.put_back(many);
                removed
            }
        }
    }

    /// Removes the callbacks and the watches, to be dropped where nothing is borrowed. Each other waiter
    /// stays, so that its key is that of no later one before its await removes it.
    pub(super) fn take_callbacks(&self) -> Vec<Waiter> {
        match self.take() {
            Taken::None => Vec::new(),
            Taken::One(callback @ Waiter::Callback(_)) => vec![callback],
            Taken::One(other) => {
                self.put_back_one(other);
                Vec::new()
            }
            Taken::Many(mut many) => {
                let callbacks = many.take_callbacks();
                self.put_back(many);
                callbacks
            }
        }
    }

    /// Returns whether wakers of other code wait.
    pub(super) fn has_wakers(&self) -> bool {
        let is_waker = &mut |own: &Waiter| matches!(own, Waiter::Waker(_));
        self.look_at_many(|many| many.find(FIRST, is_waker)).flatten().is_some()
    }

    /// Returns whether the waiter that was added with `key` is a waker that wakes what `waker` wakes.
    pub(super) fn is_waker(&self, key: Option<Key>, waker: &Waker) -> bool {
        let is_it = |own: &Waiter| matches!(own, Waiter::Waker(own) if own.will_wake(waker));
        let key = key.unwrap_or(FIRST);
        self.look_at_many(|many| many.look(key, is_it)).flatten().unwrap_or_default()
    }

    /// Takes the wakers, which leave their places behind, to be woken where nothing is borrowed.
    pub(super) fn take_wakers(&self) -> Vec<Waker> {
        match self.take() {
            Taken::None => Vec::new(),
            Taken::One(waiter) => {
                self.put_back_one(waiter);
                Vec::new()
            }
            Taken::Many(mut many) => {
                let wakers = many.take_wakers();
                self.put_back(many);
                wakers
            }
        }
    }

    /// The name of the next callback, if the next waiter is one.
    pub(super) fn next_callback_name(&self) -> Option<&'static str> {
        let taken = self.take();
        let name = |waiter: &Waiter| match waiter {
            Waiter::Callback(callback) => Some(callback.name()),
            _ => None,
        };
        match taken {
            Taken::None => None,
            Taken::One(waiter) => {
                let name = name(&waiter);
                self.put_back_one(waiter);
                name
            }
            Taken::Many(many) => {
                let first = many.find(FIRST, &mut |_| true);
                let name = first.and_then(|key| many.look(key, name)).flatten();
                self.put_back(many);
                name
            }
        }
    }

    /// Calls `look` with each waiter. `look` runs no code but the crate's own.
    pub(super) fn for_each(&self, mut look: impl FnMut(&Waiter)) {
        match self.take() {
            Taken::None => {}
            Taken::One(waiter) => {
                look(&waiter);
                self.put_back_one(waiter);
            }
            Taken::Many(many) => {
                many.find(FIRST, &mut |waiter| {
                    look(waiter);
                    false
                });
                self.put_back(many);
            }
        }
    }
}

impl Drop for Waiters {
    fn drop(&mut self) {
        drop(self.take());
    }
}

/// # Safety
///
/// By the Word Invariant `word` is that of a `Waiters`, which has given it up. It is not null.
#[inline(always)]
unsafe fn taken(word: *mut ()) -> Taken {
    if word.addr() & TAG != MANY {
        // SAFETY: By this function's contract.
        return Taken::One(unsafe { unpack(word) });
    }
    // SAFETY: By this function's contract.
    unsafe {
        let many = NonNull::new_unchecked(word.map_addr(|address| address & !TAG));
        Taken::Many(ManyBox::from_raw(many.cast()))
    }
}

const _: () = {
    // Room for the tags: a block has the alignment of a word at least.
    assert!(align_of::<Many>() > TAG && align_of::<Header>() > TAG);
    assert!(mem::size_of::<Waiters>() == size_of::<usize>());
};
