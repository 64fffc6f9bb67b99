//! [`TimerSlab`]: links and payloads of timers, by index.

use alloc::collections::TryReserveError;
use alloc::vec::Vec;

use super::timer_key::Keys;
use super::wheel_links::{At, Link};

/// Storage for up to so many timers is kept when the wheel becomes empty, unless some was reserved.
const KEPT: usize = 1024;

/// Storage of timers, which are at places of the sort `A`.
pub(crate) struct TimerSlab<T, K, A> {
    timers: Vec<Timer<T, A>>,
    /// Looked at only where a timer is made.
    pub(super) keys: K,
    /// The first index that is free. The link of each leads to the next.
    free: A,
    /// Storage for up to so many timers is kept.
    kept: usize,
}

struct Timer<T, A> {
    link: Link<A>,
    /// `None` where the index is free.
    payload: Option<T>,
}

impl<T, K: Keys, A: At> TimerSlab<T, K, A> {
    pub(crate) const fn new(keys: K) -> TimerSlab<T, K, A> {
        TimerSlab { timers: Vec::new(), keys, free: A::NIL, kept: KEPT }
    }

    /// Keeps the link and the `payload` of a timer that is due at `when`, which is inserted then. Returns its
    /// index and key; or `payload`, where there is no memory for it.
    ///
    /// # Panics
    ///
    /// When `u32::MAX` timers are pending already.
    #[inline]
    pub(crate) fn keep(&mut self, when: u64, payload: T) -> Result<(u32, K::Key), T> {
        let Some((index, key)) = self.next_index() else { return Err(payload) };
        let timer = Timer { link: Link::new(when), payload: Some(payload) };
        match self.timers.get_mut(index as usize) {
            Some(free) => *free = timer,
            None => self.timers.push(timer),
        }
        Ok((index, key))
    }

    /// An index that is free, or else a new one, if there is memory for it.
    #[inline(always)]
    fn next_index(&mut self) -> Option<(u32, K::Key)> {
        while self.free != A::NIL {
            let index = self.free.index();
            self.free = self.timers[index].link.next;
            if let Some(key) = self.keys.next(index as u32) {
                return Some((index as u32, key));
            }
        }
        let index = self.timers.len();
        assert!(index < u32::MAX as usize, "too many timers are pending");
        if index == self.timers.capacity() {
            self.timers.try_reserve(1).ok()?;
        }
        Some((index as u32, self.keys.begin(index as u32)))
    }

    /// The payload of the timer of an index, if it has one that is pending.
    pub(crate) fn payload(&self, index: usize) -> Option<&T> {
        self.timers.get(index)?.payload.as_ref()
    }

    /// The payload of the timer of an index, if it has one that is pending.
    #[inline(always)]
    pub(crate) fn payload_mut(&mut self, index: u32) -> Option<&mut T> {
        self.timers.get_mut(index as usize)?.payload.as_mut()
    }

    /// Returns the payload of a timer that was taken out of the wheel, and frees its index.
    #[inline(always)]
    pub(crate) fn take(&mut self, index: u32) -> Option<T> {
        let timer = &mut self.timers[index as usize];
        timer.link.next = self.free;
        self.free = A::of(index);
        timer.payload.take()
    }

    /// Does as [`take`](TimerSlab::take), and returns the deadline too.
    pub(super) fn take_due(&mut self, index: u32) -> Option<(u64, T)> {
        Some((self.link(index as usize).when(), self.take(index)?))
    }

    #[inline(always)]
    pub(crate) fn link(&self, index: usize) -> &Link<A> {
        &self.timers[index].link
    }

    #[inline(always)]
    pub(crate) fn link_mut(&mut self, index: usize) -> &mut Link<A> {
        &mut self.timers[index].link
    }

    /// Every timer that is pending, as its deadline and its payload, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        self.timers.iter().filter_map(|timer| Some((timer.link.when(), timer.payload.as_ref()?)))
    }

    /// For how many pending timers there is room without another allocation.
    pub(super) fn capacity(&self) -> usize {
        self.timers.capacity()
    }

    /// Makes room for `timers` pending timers, and gives no memory back any more.
    pub(crate) fn reserve(&mut self, timers: usize) -> Result<(), TryReserveError> {
        self.timers.try_reserve_exact(timers.saturating_sub(self.timers.len()))?;
        self.kept = usize::MAX;
        Ok(())
    }

    /// Frees the storage when the last of many timers is gone.
    #[inline]
    pub(crate) fn give_back(&mut self) {
        if self.timers.capacity() > self.kept {
            self.free_storage();
        }
    }

    #[cold]
    #[inline(never)]
    fn free_storage(&mut self) {
        if self.keys.forget() {
            self.timers = Vec::new();
            self.free = A::NIL;
        }
    }
}
