//! [`List`]: nodes that carry their own links, to be removed from the middle.
//!
//! **List Invariant**: a node on a list is valid until it is removed, and on that list alone; its
//! links and the list's `first` name only nodes of that list. All are used on one thread at a time.
#![allow(unsafe_code)]

use core::cell::Cell;
use core::ptr::null;

/// The links of a node.
pub(super) struct Links<T> {
    next: Cell<*const T>,
    before: Cell<*const T>,
}

impl<T> Links<T> {
    pub(super) const fn new() -> Links<T> {
        Links { next: Cell::new(null()), before: Cell::new(null()) }
    }
}

/// A node that can be on a list.
pub(super) trait Linked: Sized {
    /// Returns the links of a node, by a pointer rather than a reference: other fields of the node
    /// may be in use elsewhere.
    ///
    /// # Safety
    ///
    /// The node is valid for as long as the links are used.
    unsafe fn links<'a>(node: *const Self) -> &'a Links<Self>;
}

pub(super) struct List<T> {
    first: Cell<*const T>,
}

impl<T> Default for List<T> {
    fn default() -> Self {
        List::new()
    }
}

impl<T> List<T> {
    pub(super) const fn new() -> List<T> {
        List { first: Cell::new(null()) }
    }
}

impl<T: Linked> List<T> {
    /// Returns the first node, or null.
    pub(super) fn first(&self) -> *const T {
        self.first.get()
    }

    /// Puts a node in front.
    ///
    /// # Safety
    ///
    /// The node is valid, on no list, and stays valid until it is removed.
    pub(super) unsafe fn push(&self, node: *const T) {
        let second = self.first.replace(node);
        // SAFETY: the caller's node is valid, and so is the one that was first, by the List
        // Invariant.
        unsafe {
            let links = T::links(node);
            links.before.set(null());
            links.next.set(second);
            if !second.is_null() {
                T::links(second).before.set(node);
            }
        }
    }

    /// Puts a node behind one that is on the list.
    ///
    /// # Safety
    ///
    /// `before` is on this list. The node is valid, on no list, and stays valid until it is removed.
    #[cfg(not(any(callsoon_plain, all(loom, feature = "loom"))))]
    pub(super) unsafe fn insert_behind(&self, before: *const T, node: *const T) {
        // SAFETY: the caller's node is valid, and so are those on the list, by the List Invariant.
        unsafe {
            let links = T::links(node);
            let next = T::links(before).next.replace(node);
            links.before.set(before);
            links.next.set(next);
            if !next.is_null() {
                T::links(next).before.set(node);
            }
        }
    }

    /// Takes a node off.
    ///
    /// # Safety
    ///
    /// The node is on this list.
    pub(super) unsafe fn remove(&self, node: *const T) {
        // SAFETY: the node and its neighbours are valid, by the List Invariant.
        unsafe {
            let links = T::links(node);
            let (before, next) = (links.before.get(), links.next.get());
            if before.is_null() {
                self.first.set(next);
            } else {
                T::links(before).next.set(next);
            }
            if !next.is_null() {
                T::links(next).before.set(before);
            }
        }
    }

    /// Calls `look` with each node. `look` may remove the node that it is given, and no other.
    ///
    /// # Safety
    ///
    /// `look` changes the list in no other way.
    pub(super) unsafe fn for_each(&self, mut look: impl FnMut(*const T)) {
        let mut node = self.first.get();
        while !node.is_null() {
            // SAFETY: a node on a list is valid, by the List Invariant, and this one still is when
            // its link is read: `look` has not yet had it.
            let next = unsafe { T::links(node).next.get() };
            look(node);
            node = next;
        }
    }
}
