//! The memory of a wheel: room for timers, kept or given back.

use alloc::collections::TryReserveError;
use alloc::vec::Vec;

use super::timer_key::Keys;
use super::wheel::{Level, NIL, Wheel};

impl<T, K: Keys> Wheel<T, K> {
    /// For how many pending timers there is room without another allocation.
    pub(crate) fn capacity(&self) -> usize {
        self.payloads.capacity().min(self.links.capacity())
    }

    /// Returns true if one more timer needs no more memory.
    #[inline]
    pub(crate) fn has_room(&self) -> bool {
        self.free != NIL || self.payloads.len() < self.capacity()
    }

    /// Makes room for one more timer, and for others after it.
    #[cold]
    pub(crate) fn reserve_one(&mut self) -> Result<(), TryReserveError> {
        self.payloads.try_reserve(1)?;
        self.links.try_reserve(1)
    }

    /// Makes room for `timers` pending timers, whenever they are due, and gives no memory back any more.
    pub(crate) fn reserve(&mut self, timers: usize) -> Result<(), TryReserveError> {
        self.payloads.try_reserve_exact(timers.saturating_sub(self.payloads.len()))?;
        self.links.try_reserve_exact(timers.saturating_sub(self.links.len()))?;
        for level in self.levels.iter_mut().filter(|level| level.is_none()) {
            let mut one = Vec::new();
            one.try_reserve_exact(1)?;
            one.push(Level::EMPTY);
            *level = one.into_boxed_slice().try_into().ok();
        }
        self.kept = usize::MAX;
        Ok(())
    }

    /// Frees the storage when the last of many timers is gone.
    #[inline]
    pub(super) fn give_back(&mut self) {
        if self.is_empty() && self.payloads.capacity() > self.kept {
            self.free_storage();
        }
    }

    #[cold]
    fn free_storage(&mut self) {
        if self.keys.forget() {
            self.payloads = Vec::new();
            self.links = Vec::new();
            self.free = NIL;
        }
    }
}
