//! [`Many`]: the waiters of a future that has several.
//!
//! **Order Invariant**: keys ascend in the order of adding. The waiters with the keys below [`FEW`]
//! stand in the block itself, those with later keys in a queue behind it, whose own keys are less by
//! `FEW`.

use alloc::rc::Rc;
use core::ptr::NonNull;
use core::task::Waker;

use super::any_future::{Callback, Watcher};
use super::header::Header;
use crate::collections::{Key, KeyedQueue};

/// How many waiters need no memory but the block's. A background task in a streamer has so many: its
/// reporter, the streamer's callback and the holder's watch.
const FEW: usize = 3;

/// The key of the first waiter.
pub(super) const FIRST: Key = 0;

/// What waits for the end of a future or task.
pub(super) enum Waiter {
    /// A task, whose step is scheduled. It isn't counted here: the await that added it counts it.
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

#[derive(Default)]
pub(super) struct Many {
    first: [Option<Waiter>; FEW],
    /// How many of the first places were used.
    used: usize,
    rest: KeyedQueue<Waiter>,
    /// How many waiters there are.
    len: usize,
    /// How many waiters are watches, and the key of the one that was added first.
    watches: usize,
    first_watch: Key,
}

impl Many {
    /// Adds a waiter behind the others.
    pub(super) fn push(&mut self, waiter: Waiter) -> Key {
        self.len += 1;
        let is_watch = matches!(waiter, Waiter::Watch(_));
        let key = if self.used < FEW {
            self.first[self.used] = Some(waiter);
            self.used += 1;
            self.used as Key - 1
        } else {
            self.rest.push(waiter) + FEW as Key
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
    pub(super) fn pop(&mut self) -> Option<Waiter> {
        let first = self.first.iter_mut().find_map(Option::take);
        let popped = first.or_else(|| self.rest.pop_front());
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
            _ => self.rest.remove(key - FEW as Key),
        };
        self.note_removed(&removed);
        removed
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Key, &Waiter)> {
        self.iter_from(FIRST)
    }

    fn iter_from(&self, key: Key) -> impl Iterator<Item = (Key, &Waiter)> {
        let first = (FIRST..).zip(&self.first).skip_while(move |(own, _)| *own < key);
        let first = first.filter_map(|(key, waiter)| Some((key, waiter.as_ref()?)));
        let rest = self.rest.iter_from(key.saturating_sub(FEW as Key));
        first.chain(rest.map(|(key, waiter)| (key + FEW as Key, waiter)))
    }

    /// How many watches there are, and a key before which there is none.
    pub(super) fn watches(&self) -> (usize, Key) {
        (self.watches, self.first_watch)
    }

    /// The first watch whose key is `key` or comes after it.
    pub(super) fn watch_from(&self, key: Key) -> Option<(Key, Watch)> {
        if let Some(Some(Waiter::Watch(watch))) = self.first.get(usize::try_from(key).ok()?) {
            return Some((key, watch.clone()));
        }
        self.iter_from(key).find_map(|(key, waiter)| match waiter {
            Waiter::Watch(watch) => Some((key, watch.clone())),
            _ => None,
        })
    }

    /// Calls `take` with each waiter, in order, which it may take out. Keys from before say nothing
    /// any more.
    pub(super) fn take_some(&mut self, mut take: impl FnMut(&mut Option<Waiter>)) {
        let mut take = |waiter: &mut Option<Waiter>| {
            take(waiter);
            self.len -= usize::from(waiter.is_none());
        };
        self.first.iter_mut().filter(|waiter| waiter.is_some()).for_each(&mut take);
        for _ in 0..self.rest.len() {
            let mut waiter = self.rest.pop_front();
            take(&mut waiter);
            if let Some(waiter) = waiter {
                self.rest.push(waiter);
            }
        }
        if self.first_watch >= FEW as Key {
            self.first_watch = FIRST;
        }
    }
}
