//! [`FlatDrops`]: drops that nest, without a stack as deep as they nest. [`Flat`] is a value that is
//! dropped in this way.
//!
//! A future may hold a callback that holds the next future, an error may be the cause of the next
//! error, and so on for any length. Dropping the first by the compiler's own code takes a few stack
//! frames for each of them, and overflows the stack at some thousands. So each link of such a chain
//! drops what it holds by [`FlatDrops::drop`]: by that of its loop where it knows the loop, and
//! otherwise by that of the thread.
//!
//! **Depth Invariant**: at most [`DEEPEST`] calls of `drop` are on the stack. What would be one more
//! is put on a list. The outermost call drops what is on the list, one after the other, before it
//! returns.

use alloc::boxed::Box;
use alloc::vec::{self, Vec};
use core::any::Any;
use core::cell::{Cell, RefCell};
use core::ops::Deref;

/// The number of drops that may nest before the next one is put off. Each that is put off costs an
/// allocation, so that chains of ordinary length cost none.
const DEEPEST: usize = 32;

/// The drops of one loop or one thread that are under way: see the Depth Invariant.
pub(crate) struct FlatDrops {
    depth: Cell<usize>,
    later: RefCell<Vec<Box<dyn Any>>>,
    /// Those of that list that come first.
    next: RefCell<Option<vec::IntoIter<Box<dyn Any>>>>,
    /// Set while one of the two has something.
    any_later: Cell<bool>,
}

impl FlatDrops {
    pub(crate) const fn new() -> FlatDrops {
        let later = RefCell::new(Vec::new());
        let next = RefCell::new(None);
        FlatDrops { depth: Cell::new(0), later, next, any_later: Cell::new(false) }
    }

    /// Drops `value`: at once, or, where too many drops nest, before the outermost of them returns,
    /// by `drop_later`. Where that panics, what is left on the list is dropped by the next call.
    pub(crate) fn drop<T: 'static>(&self, value: T, drop_later: impl Fn(Box<dyn Any>)) {
        let depth = self.depth.get();
        if depth == DEEPEST {
            self.any_later.set(true);
            self.later.borrow_mut().push(Box::new(value));
            return;
        }
        self.depth.set(depth + 1);
        let _leave = Leave { drops: self, depth, drop_later };
        drop(value);
    }

    /// Takes out the first. A list's memory is freed with its last entry.
    fn next(&self) -> Option<Box<dyn Any>> {
        let mut next = self.next.borrow_mut();
        if next.as_ref().is_none_or(|next| next.len() == 0) {
            *next = Some(self.later.take().into_iter());
        }
        let first = next.as_mut().and_then(Iterator::next);
        self.any_later.set(first.is_some());
        first
    }
}

/// Ends a call of [`FlatDrops::drop`], also when the drop has panicked.
struct Leave<'a, D: Fn(Box<dyn Any>)> {
    drops: &'a FlatDrops,
    /// The number of calls around this one.
    depth: usize,
    drop_later: D,
}

impl<D: Fn(Box<dyn Any>)> Leave<'_, D> {
    /// Drops what is on the list. Until that is empty this call is the outermost one.
    #[cold]
    fn drop_rest(&self) {
        while let Some(value) = self.drops.next() {
            (self.drop_later)(value);
        }
    }
}

impl<D: Fn(Box<dyn Any>)> Drop for Leave<'_, D> {
    #[inline(always)]
    fn drop(&mut self) {
        let _reset = Reset { to: self.depth, depth: &self.drops.depth };
        if self.depth == 0 && self.drops.any_later.get() {
            self.drop_rest();
        }
    }
}

struct Reset<'a> {
    to: usize,
    depth: &'a Cell<usize>,
}

impl Drop for Reset<'_> {
    fn drop(&mut self) {
        self.depth.set(self.to);
    }
}

/// Drops `value`: at once, or, where too many drops nest on this thread, before the outermost of them
/// returns.
#[cfg(feature = "std")]
pub(crate) fn drop_on_thread<T: 'static>(value: T) {
    std::thread_local! {
        static DROPS: FlatDrops = const { FlatDrops::new() };
    }
    if core::mem::needs_drop::<T>() {
        // While the thread's locals are destroyed, the closure is dropped, and the value with it.
        let _ = DROPS.try_with(move |drops| drops.drop(value, drop));
    }
}

/// Drops `value`. Without std there is no place that belongs to a thread alone, so that the stack must
/// be as deep as such values nest.
#[cfg(not(feature = "std"))]
pub(crate) fn drop_on_thread<T: 'static>(value: T) {
    drop(value);
}

/// A value of the program's, which may hold a chain of others, and is dropped by [`drop_on_thread`].
pub(crate) struct Flat<T: 'static>(Option<T>);

impl<T: 'static> Flat<T> {
    pub(crate) fn new(value: T) -> Flat<T> {
        Flat(Some(value))
    }

    pub(crate) fn into_inner(mut self) -> T {
        self.0.take().expect("a value until it is dropped")
    }
}

impl<T: 'static> Deref for Flat<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        self.0.as_ref().expect("a value until it is dropped")
    }
}

impl<T: 'static> Drop for Flat<T> {
    fn drop(&mut self) {
        drop_on_thread(self.0.take());
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use alloc::rc::Rc;
    use alloc::vec::Vec;

    use super::*;

    /// Drops its parts flat, and notes its number before.
    struct Part {
        number: usize,
        parts: Vec<Part>,
        shared: Rc<(FlatDrops, RefCell<Vec<usize>>)>,
    }

    impl Drop for Part {
        fn drop(&mut self) {
            let (drops, trace) = &*self.shared;
            trace.borrow_mut().push(self.number);
            drops.drop(core::mem::take(&mut self.parts), drop);
        }
    }

    fn chain(length: usize) -> (Part, Rc<(FlatDrops, RefCell<Vec<usize>>)>) {
        let shared = Rc::new((FlatDrops::new(), RefCell::new(Vec::new())));
        let part = |number, parts| Part { number, parts, shared: shared.clone() };
        let last = part(length - 1, Vec::new());
        let first = (0..length - 1).rev().fold(last, |next, number| part(number, [next].into()));
        (first, shared)
    }

    #[test]
    fn flat_drops_keep_the_order_of_a_chain() {
        for length in [1, 31, 32, 33, 34, 65, 5_000] {
            let (first, shared) = chain(length);
            drop(first);
            assert!(shared.1.borrow().iter().copied().eq(0..length));
            assert_eq!((shared.0.depth.get(), shared.0.later.borrow().len()), (0, 0));
        }
    }
}
