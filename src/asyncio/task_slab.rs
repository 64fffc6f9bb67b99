//! [`TaskSlab`]: holds the tasks of a loop, strongly, until they are over.
//!
//! A slab uses a place again at once, and a waker may outlive its task by years. So a key has
//! the task's serial number beside its place, and a key whose task is gone finds nothing.

use alloc::vec::Vec;
use slab::Slab;

use crate::event_loop::WakeKey;

/// Where a task is, and which one: see [`TaskSlab`].
pub(crate) type TaskKey = WakeKey;

/// Beyond this room an empty slab gives its memory back.
const KEPT: usize = 1024;

pub(crate) struct TaskSlab<T> {
    places: Slab<(u64, T)>,
    /// The serial number of the last task that was made.
    made: u64,
}

impl<T> TaskSlab<T> {
    pub(crate) const fn new() -> TaskSlab<T> {
        TaskSlab { places: Slab::new(), made: 0 }
    }

    /// The key of the task that is inserted next.
    ///
    /// # Panics
    ///
    /// With more than four thousand million tasks at a time.
    pub(crate) fn next_key(&self) -> TaskKey {
        let index = u32::try_from(self.places.vacant_key());
        TaskKey { index: index.expect("fewer tasks than a u32 can count"), serial: self.made + 1 }
    }

    pub(crate) fn insert(&mut self, task: T) {
        self.made += 1;
        self.places.insert((self.made, task));
    }

    pub(crate) fn get(&self, key: TaskKey) -> Option<&T> {
        let (serial, task) = self.places.get(key.index as usize)?;
        (*serial == key.serial).then_some(task)
    }

    pub(crate) fn remove(&mut self, key: TaskKey) -> Option<T> {
        self.get(key)?;
        let (_, task) = self.places.try_remove(key.index as usize)?;
        if self.places.is_empty() && self.places.capacity() > KEPT {
            self.places = Slab::new();
        }
        Some(task)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// All tasks, oldest first.
    pub(crate) fn in_order(&self) -> Vec<T>
    where
        T: Clone,
    {
        let mut all: Vec<_> = self.places.iter().map(|(_, place)| place.clone()).collect();
        all.sort_unstable_by_key(|(serial, _)| *serial);
        all.into_iter().map(|(_, task)| task).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keep(slab: &mut TaskSlab<&'static str>, task: &'static str) -> TaskKey {
        let key = slab.next_key();
        slab.insert(task);
        key
    }

    #[test]
    fn a_stale_key_finds_nothing_though_its_place_is_taken_again() {
        let mut slab = TaskSlab::new();
        let first = keep(&mut slab, "first");
        assert_eq!(slab.remove(first), Some("first"));
        let second = keep(&mut slab, "second");
        assert_eq!(first.index, second.index, "the place is used again");
        assert_eq!(slab.get(first), None);
        assert_eq!(slab.remove(first), None);
        assert_eq!(slab.get(second), Some(&"second"));
    }

    #[test]
    fn order_is_that_of_making_whatever_the_places() {
        let mut slab = TaskSlab::new();
        let keys: Vec<_> = ["a", "b", "c"].map(|task| keep(&mut slab, task)).into();
        slab.remove(keys[0]);
        keep(&mut slab, "d");
        assert_eq!(slab.in_order(), ["b", "c", "d"]);
    }

    #[test]
    fn an_empty_slab_gives_its_memory_back() {
        let mut slab = TaskSlab::new();
        let keys: Vec<_> = (0..10_000).map(|_| keep(&mut slab, "task")).collect();
        assert!(slab.places.capacity() >= 10_000);
        for key in keys {
            slab.remove(key);
        }
        assert_eq!(slab.places.capacity(), 0);
    }
}
