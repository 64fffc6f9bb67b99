//! [`SerialSlab`]: a slab with keys that find the entry that they were made for, or nothing.
//!
//! A slab uses a place again at once, and a key may outlive its entry. So a key has the entry's serial
//! number beside its place.

use slab::Slab;

/// Where an entry is, and which one: see [`SerialSlab`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SerialKey {
    pub(crate) index: u32,
    pub(crate) serial: u64,
}

/// Beyond this room an empty slab gives its memory back.
const RETAINED_CAPACITY: usize = 1024;

pub(crate) struct SerialSlab<T> {
    places: Slab<(u64, T)>,
    /// The serial number of the entry that was made last: they are counted from one.
    made: u64,
}

impl<T> SerialSlab<T> {
    pub(crate) const fn new() -> SerialSlab<T> {
        SerialSlab { places: Slab::new(), made: 0 }
    }

    /// The key of what is inserted next.
    ///
    /// # Panics
    ///
    /// With more than four thousand million entries at a time.
    pub(crate) fn next_key(&self) -> SerialKey {
        let index = u32::try_from(self.places.vacant_key());
        SerialKey {
            index: index.expect("fewer entries than a u32 can count"),
            serial: self.made + 1,
        }
    }

    pub(crate) fn insert(&mut self, entry: T) {
        self.made += 1;
        self.places.insert((self.made, entry));
    }

    pub(crate) fn get(&self, key: SerialKey) -> Option<&T> {
        let (serial, entry) = self.places.get(key.index as usize)?;
        (*serial == key.serial).then_some(entry)
    }

    pub(crate) fn get_mut(&mut self, key: SerialKey) -> Option<&mut T> {
        let (serial, entry) = self.places.get_mut(key.index as usize)?;
        (*serial == key.serial).then_some(entry)
    }

    pub(crate) fn remove(&mut self, key: SerialKey) -> Option<T> {
        self.get(key)?;
        let (_, entry) = self.places.try_remove(key.index as usize)?;
        if self.places.is_empty() && self.places.capacity() > RETAINED_CAPACITY {
            self.places = Slab::new();
        }
        Some(entry)
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    fn keep(slab: &mut SerialSlab<&'static str>, entry: &'static str) -> SerialKey {
        let key = slab.next_key();
        slab.insert(entry);
        key
    }

    #[test]
    fn serial_slab_finds_nothing_by_a_stale_key() {
        let mut slab = SerialSlab::new();
        let first = keep(&mut slab, "first");
        assert_eq!(slab.remove(first), Some("first"));
        let second = keep(&mut slab, "second");
        assert_eq!(first.index, second.index, "the place is used again");
        assert_eq!(slab.get(first), None);
        assert_eq!(slab.remove(first), None);
        assert_eq!(slab.get(second), Some(&"second"));
    }

    #[test]
    fn serial_slab_gives_memory_back_when_empty() {
        let mut slab = SerialSlab::new();
        let keys: Vec<_> = (0..10_000).map(|_| keep(&mut slab, "entry")).collect();
        assert!(slab.places.capacity() >= 10_000);
        for key in keys {
            slab.remove(key);
        }
        assert_eq!(slab.places.capacity(), 0);
    }
}
