//! [`KeyedQueue`]: a queue from which any item can be removed by its key.
//!
//! **Key Invariant**: keys ascend from the front of the queue to its end, so a key is found by binary
//! search; at once if no gap was ever closed behind the front. An item that is removed leaves a gap. Those before
//! the front are not looked at any more, the front is never a gap, and no more than three quarters of a queue that
//! is not short are gaps.

use alloc::vec::Vec;

/// The number of an item, counted from the first that was ever pushed; never used again.
pub(crate) type Key = u64;

/// A queue with so few gaps keeps them.
const FEW: usize = 16;

pub(crate) struct KeyedQueue<T> {
    entries: Vec<(Key, Option<T>)>,
    /// The place of the first item.
    front: usize,
    /// The number of gaps behind it.
    gaps: usize,
    /// The key of the next item.
    next: Key,
}

impl<T> Default for KeyedQueue<T> {
    fn default() -> KeyedQueue<T> {
        KeyedQueue { entries: Vec::new(), front: 0, gaps: 0, next: 0 }
    }
}

impl<T> KeyedQueue<T> {
    pub(crate) fn push(&mut self, item: T) -> Key {
        let key = self.next;
        self.next += 1;
        self.entries.push((key, Some(item)));
        key
    }

    /// Removes the item of `key`, to be dropped where no borrow is held.
    #[inline]
    pub(crate) fn remove(&mut self, key: Key) -> Option<T> {
        let at = self.position(key)?;
        let item = self.entries[at].1.take();
        self.gaps += usize::from(item.is_some());
        self.close_gaps();
        item
    }

    #[inline]
    fn position(&self, key: Key) -> Option<usize> {
        self.place(key).ok()
    }

    /// Returns where the item of `key` stands, or as an error where it would.
    #[inline]
    fn place(&self, key: Key) -> Result<usize, usize> {
        let front = self.first_key().unwrap_or(key);
        // Most keys that are looked for and are gone are those of former fronts.
        let Some(behind) = key.checked_sub(front) else { return Err(self.front) };
        let at = self.front + behind as usize;
        match self.entries.get(at) {
            Some((own, _)) if *own == key => Ok(at),
            _ => self.search(key),
        }
    }

    #[cold]
    fn search(&self, key: Key) -> Result<usize, usize> {
        self.entries.binary_search_by_key(&key, |entry| entry.0)
    }

    #[inline]
    pub(crate) fn get(&self, key: Key) -> Option<&T> {
        self.entries[self.position(key)?].1.as_ref()
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let at = self.position(key)?;
        self.entries[at].1.as_mut()
    }

    /// Moves the front behind gaps, and closes all where there are too many.
    #[inline]
    fn close_gaps(&mut self) {
        while let Some((_, None)) = self.entries.get(self.front) {
            self.front += 1;
            self.gaps -= 1;
        }
        let gaps = self.front + self.gaps;
        if gaps == self.entries.len() || gaps > FEW && gaps > self.entries.len() / 4 * 3 {
            self.compact();
        }
    }

    fn compact(&mut self) {
        let mut kept = 0;
        for at in self.front..self.entries.len() {
            let (key, item) = &mut self.entries[at];
            if let (key, Some(item)) = (*key, item.take()) {
                self.entries[kept] = (key, Some(item));
                kept += 1;
            }
        }
        self.entries.truncate(kept);
        (self.front, self.gaps) = (0, 0);
    }

    /// The key of the first item.
    pub(crate) fn first_key(&self) -> Option<Key> {
        self.entries.get(self.front).map(|entry| entry.0)
    }

    /// The key of the next item.
    pub(crate) fn next_key(&self) -> Key {
        self.next
    }

    /// Removes the first item, to be dropped where no borrow is held.
    #[inline]
    pub(crate) fn pop_front(&mut self) -> Option<T> {
        let first = self.entries.get_mut(self.front)?.1.take();
        self.front += 1;
        self.close_gaps();
        first
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len() - self.front - self.gaps
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.iter_from(0).map(|(_, item)| item)
    }

    /// The items from `key` on.
    pub(crate) fn iter_from(&self, key: Key) -> impl Iterator<Item = (Key, &T)> {
        let (Ok(start) | Err(start)) = self.place(key);
        self.entries[start..].iter().filter_map(|(key, item)| Some((*key, item.as_ref()?)))
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use alloc::collections::BTreeMap;

    use super::*;

    #[test]
    fn keyed_queue_is_an_ordered_map_with_few_gaps() {
        let mut random = fastrand::Rng::with_seed(7);
        let mut queue = KeyedQueue::default();
        let mut model = BTreeMap::new();
        for step in 0..20_000 {
            if random.bool() && model.len() < 300 {
                model.insert(queue.push(step), step);
            } else {
                let key = random.u64(..queue.next_key().max(1));
                assert_eq!(queue.get(key), model.get(&key));
                assert_eq!(queue.get_mut(key), model.get_mut(&key));
                assert_eq!(queue.remove(key), model.remove(&key));
            }
            if random.u8(..8) == 0 {
                let from = random.u64(..=queue.next_key());
                let seen: Vec<_> = queue.iter_from(from).map(|(key, item)| (key, *item)).collect();
                let known: Vec<_> = model.range(from..).map(|(key, item)| (*key, *item)).collect();
                assert_eq!(seen, known);
            }
            assert_eq!(queue.len(), model.len());
            assert_eq!(queue.is_empty(), model.is_empty());
            let gaps = queue.front + queue.gaps;
            assert!(gaps <= FEW.max(queue.entries.len() / 4 * 3), "too many gaps");
        }
    }
}
