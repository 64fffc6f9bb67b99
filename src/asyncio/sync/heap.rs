//! [`Heap`]: the items of a [`Queue::priority`](super::queue::Queue::priority). It compares the same
//! items in the same order as CPython's `heapq`, so that equal items leave it in the same order too.
//!
//! **Comparison Invariant**: items are compared under shared borrows only, before anything is moved.
//! So a comparison may look at the queue, one that tries to change it is refused, and one that panics
//! leaves the heap as it was.

use alloc::vec::Vec;
use core::cell::Cell;

use crate::collections::RefCell;
use crate::error::{Error, Result};

/// A binary heap with the least item at its root.
pub(crate) struct Heap<T> {
    items: RefCell<Vec<T>>,
    /// The number of items. While items are compared it counts an item that is being put, and
    /// doesn't count one that is being taken, as `len(heap)` in Python.
    len: Cell<usize>,
}

/// Counts `len` items until it is dropped.
struct Counting<'a, T>(&'a Heap<T>);

impl<'a, T> Counting<'a, T> {
    fn new(heap: &'a Heap<T>, len: usize) -> Counting<'a, T> {
        heap.len.set(len);
        Counting(heap)
    }
}

impl<T> Drop for Counting<'_, T> {
    fn drop(&mut self) {
        self.0.len.set(self.0.items.borrow().len());
    }
}

fn parent(at: usize) -> usize {
    (at - 1) / 2
}

/// The place of a new item: below the last of its ancestors that it isn't less than.
fn place_of_new<T: Ord>(items: &[T], new: &T) -> usize {
    let mut at = items.len();
    while at > 0 && *new < items[parent(at)] {
        at = parent(at);
    }
    at
}

/// The place that the last of `items` takes once the root is gone: down the lesser children to the
/// bottom, and up again from there, which takes fewer comparisons than to stop on the way.
fn place_of_last<T: Ord>(items: &[T]) -> usize {
    let [rest @ .., last] = items else { return 0 };
    let mut at = 0;
    while 2 * at + 1 < rest.len() {
        let (left, right) = (2 * at + 1, 2 * at + 2);
        let is_left = right == rest.len() || rest[left] < rest[right];
        at = if is_left { left } else { right };
    }
    while at > 0 && *last < rest[at] {
        at = parent(at);
    }
    at
}

impl<T> Heap<T> {
    pub(crate) fn new() -> Heap<T> {
        Heap { items: RefCell::new(Vec::new()), len: Cell::new(0) }
    }

    pub(crate) fn len(&self) -> usize {
        self.len.get()
    }

    /// Returns an error while items are compared.
    fn check_unused(&self) -> Result<()> {
        let message = "a PriorityQueue can't be changed by a comparison of its items";
        self.items.try_borrow_mut().map(drop).map_err(|_| Error::runtime(message))
    }
}

impl<T: Ord> Heap<T> {
    /// # Errors
    ///
    /// [`Runtime`](crate::ErrorKind::Runtime) while items are compared. `item` is dropped then.
    pub(crate) fn push(&self, item: T) -> Result<()> {
        self.check_unused()?;
        let _counting = Counting::new(self, self.len.get() + 1);
        let place = place_of_new(&self.items.borrow(), &item);
        let mut items = self.items.borrow_mut();
        let mut at = items.len();
        items.push(item);
        while at != place {
            items.swap(at, parent(at));
            at = parent(at);
        }
        Ok(())
    }

    /// Takes the least item out.
    ///
    /// # Errors
    ///
    /// [`Runtime`](crate::ErrorKind::Runtime) while items are compared.
    pub(crate) fn pop(&self) -> Result<Option<T>> {
        self.check_unused()?;
        let Some(left) = self.len.get().checked_sub(1) else { return Ok(None) };
        let _counting = Counting::new(self, left);
        let mut place = place_of_last(&self.items.borrow());
        let mut items = self.items.borrow_mut();
        let least = items.swap_remove(0);
        while place > 0 {
            items.swap(0, place);
            place = parent(place);
        }
        Ok(Some(least))
    }
}
