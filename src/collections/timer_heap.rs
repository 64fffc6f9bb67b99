//! [`TimerHeap`]: timers in a tree that has its links in the timers alone: what stands in for the
//! [wheel](super::wheel) where memory is scarce. It is a tenth of the wheel's code, and takes no memory of its own.
//!
//! # How it works
//!
//! No timer is due before its parent. Two trees are joined by making that with the later root a child of the
//! other's root. Where the first of all is taken out, its children are joined to one tree, which takes its
//! place; and so for each timer that is removed, wherever it is. The children are joined as in a smooth heap:
//! the latest among its neighbours becomes a child of the later of them, again and again.
//!
//! | operation | cost |
//! | --- | --- |
//! | `insert`, `earliest_bound`, `next_deadline` | constant |
//! | `remove`, and `expire` for each that comes due | logarithmic, amortised |
//!
//! # What always holds
//!
//! **Sibling Invariant.** `child` leads to the first child, and `next` from each child to the one after it, and
//! from the last to the parent. `prev` leads to the child before, and from the first to the last. The root has no
//! `next`.
//!
//! **Made Invariant.** Of timers that have the same deadline, the one made before is the parent of the other, or
//! stands before it in the order of the tree: a parent, and then its children's trees from first to last. So a
//! timer needs no number. Trees are joined that are neighbours in that order. Where the root of the later in order
//! is later or equal, it becomes the other's last child. Where it is earlier, the other becomes its first.

use alloc::collections::TryReserveError;

use super::wheel_links::{At, Link, Links};

/// Timers in order of (deadline, made), in a tree.
pub(crate) struct TimerHeap<S: Links> {
    pub(crate) links: S,
    root: S::At,
    len: usize,
}

impl<S: Links> TimerHeap<S> {
    pub(crate) const fn new(links: S) -> TimerHeap<S> {
        TimerHeap { links, root: S::At::NIL, len: 0 }
    }

    /// Adds a timer that is due when its link says.
    pub(crate) fn insert(&mut self, at: S::At, _when: u64) {
        let root = self.root;
        self.links[at].child = S::At::NIL;
        self.set_root(at);
        if root != S::At::NIL {
            self.root = self.join(root, at);
        }
        self.len += 1;
    }

    /// Removes a timer that is in. Afterwards [`rest`](TimerHeap::rest) is called.
    pub(crate) fn remove(&mut self, at: S::At) {
        let tree = self.join_children(at);
        if at == self.root {
            self.set_root(tree);
        } else {
            self.put_in_place_of(at, tree);
        }
        self.len -= 1;
    }

    /// A tree takes no memory but that of its timers.
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "the wheel's signature")]
    pub(crate) fn reserve(&mut self, _timers: usize) -> Result<(), TryReserveError> {
        Ok(())
    }

    /// Gives memory back if the last timer is gone.
    pub(crate) fn rest(&mut self) {
        if self.is_empty() {
            self.links.rest();
        }
    }

    /// Takes out every timer with `when <= now`, and passes it to `due` in order of (`when`, made). What `due`
    /// gets is in no tree any more.
    pub(crate) fn expire(&mut self, now: u64, due: &mut dyn FnMut(&mut S, S::At)) {
        while self.earliest_bound().is_some_and(|when| when <= now) {
            let first = self.root;
            self.remove(first);
            due(&mut self.links, first);
        }
        self.rest();
    }

    /// Takes out every timer, due or not, and passes it to `all` in the same order.
    pub(crate) fn drain(&mut self, all: &mut dyn FnMut(&mut S, S::At)) {
        self.expire(u64::MAX, all);
    }

    /// The earliest deadline; `None` when there is no timer.
    pub(crate) fn next_deadline(&mut self) -> Option<u64> {
        self.earliest_bound()
    }

    /// The earliest deadline; `None` when there is no timer.
    pub(crate) fn earliest_bound(&self) -> Option<u64> {
        (!self.is_empty()).then(|| self.links[self.root].when())
    }

    /// Passes each timer that is pending to `each`, in no order.
    pub(crate) fn for_each(&self, each: &mut dyn FnMut(S::At)) {
        let mut at = self.root;
        while at != S::At::NIL {
            each(at);
            let child = self.links[at].child;
            if child != S::At::NIL {
                at = child;
                continue;
            }
            while self.is_last(at) {
                at = self.links[at].next;
                if at == S::At::NIL {
                    return;
                }
            }
            at = self.links[at].next;
        }
    }

    /// Returns the number of pending timers.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Returns true if no timer is pending.
    pub(crate) fn is_empty(&self) -> bool {
        self.root == S::At::NIL
    }

    fn set_root(&mut self, root: S::At) {
        self.root = root;
        if root != S::At::NIL {
            self.links[root].next = S::At::NIL;
        }
    }

    /// Returns true if it is the last child of its parent, or the root.
    fn is_last(&self, at: S::At) -> bool {
        let next = self.links[at].next;
        // A sibling's children are others.
        next == S::At::NIL || {
            let first = self.links[next].child;
            first != S::At::NIL && self.links[first].prev == at
        }
    }

    /// Joins two trees, of which `before` comes first in order. Returns the root.
    fn join(&mut self, before: S::At, later: S::At) -> S::At {
        let is_first = self.links[before].when() <= self.links[later].when();
        let (parent, child) = if is_first { (before, later) } else { (later, before) };
        let first = self.links[parent].child;
        let (mut prev, mut next) = (child, parent);
        if first != S::At::NIL {
            prev = self.links[first].prev;
            self.links[first].prev = child;
            if is_first {
                self.links[prev].next = child;
            } else {
                next = first;
            }
        }
        let link = &mut self.links[child];
        (link.next, link.prev) = (next, prev);
        if !is_first || first == S::At::NIL {
            self.links[parent].child = child;
        }
        parent
    }

    fn is_later(&self, at: S::At, than: S::At) -> bool {
        self.links[at].when() > self.links[than].when()
    }

    /// Joins the children of a timer. Returns the root of their tree, if there are any.
    fn join_children(&mut self, parent: S::At) -> S::At {
        let mut next = self.links[parent].child;
        // The last of those that were joined so far. `prev` leads from each to the one before, which is no later.
        let mut last = S::At::NIL;
        while next != S::At::NIL && next != parent {
            let at = next;
            while last != S::At::NIL && self.is_later(last, at) {
                let before = self.links[last].prev;
                if before != S::At::NIL && self.is_later(before, at) {
                    last = self.join(before, last);
                } else {
                    self.join(last, at);
                    last = before;
                }
            }
            let link = &mut self.links[at];
            next = link.next;
            link.prev = last;
            last = at;
        }
        while last != S::At::NIL {
            let before = self.links[last].prev;
            if before == S::At::NIL {
                break;
            }
            last = self.join(before, last);
        }
        last
    }

    /// Puts a tree in the place of a timer that isn't the root, or closes the gap where there is none.
    fn put_in_place_of(&mut self, at: S::At, tree: S::At) {
        let Link { next, prev, .. } = self.links[at];
        // The first child's is the parent: of the last, or of its own where there is no other.
        let behind_prev = self.links[prev].next;
        let is_only = prev == at;
        let (mut left, mut right) = (prev, if is_only { S::At::NIL } else { next });
        let after = if self.is_last(at) { self.links[next].child } else { next };
        if tree != S::At::NIL {
            let link = &mut self.links[tree];
            (link.next, link.prev) = (next, if is_only { tree } else { prev });
            (left, right) = (tree, tree);
        }
        self.links[after].prev = left;
        if behind_prev == at {
            self.links[prev].next = right;
        } else {
            self.links[behind_prev].child = right;
        }
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use core::cell::Cell;
    use core::ops::{Index, IndexMut};

    use super::*;
    use crate::collections::timer_wheel::TimerWheel;

    const NIL: u32 = u32::NIL;

    /// Walks the tree, and asserts what the head of this file says always holds.
    fn check(TimerWheel(heap): &TimerWheel<u64>) {
        let timer = |at: u32| (heap.links[at].when(), *heap.links.payload(at as usize).unwrap());
        let mut in_order = Vec::new();
        heap.for_each(&mut |parent| {
            in_order.push(timer(parent));
            let (mut prev, mut at) = (NIL, heap.links[parent].child);
            let first = at;
            while at != NIL && at != parent {
                assert!(!heap.is_later(parent, at));
                if prev != NIL {
                    assert_eq!(heap.links[at].prev, prev, "Sibling Invariant");
                }
                (prev, at) = (at, heap.links[at].next);
            }
            if first != NIL {
                assert_eq!((at, heap.links[first].prev), (parent, prev), "Sibling Invariant");
            }
        });
        assert_eq!(in_order.len(), heap.len());
        in_order.sort_by_key(|&(when, _)| when);
        assert!(in_order.is_sorted(), "Made Invariant");
    }

    #[test]
    fn invariants_hold_after_every_step() {
        let mut rng = fastrand::Rng::with_seed(1);
        for deadlines in [4, 40, u64::MAX] {
            let mut heap = TimerWheel::new();
            let (mut keys, mut due) = (Vec::new(), Vec::new());
            for step in 0..4_000 {
                match rng.u32(0..8) {
                    0 => heap.expire(heap.earliest_bound().unwrap_or(0), &mut due),
                    1 | 2 if !keys.is_empty() => {
                        let (key, made) = keys.swap_remove(rng.usize(..keys.len()));
                        let removed = heap.cancel(key);
                        assert_ne!(removed.is_some(), due.iter().any(|&(_, own)| own == made));
                    }
                    _ => keys.push((heap.insert(rng.u64(..deadlines), step), step)),
                }
                check(&heap);
            }
        }
    }

    /// Links that count how often they are looked at.
    struct Counted {
        links: Vec<Link<u32>>,
        looks: Cell<usize>,
    }

    impl Index<u32> for Counted {
        type Output = Link<u32>;

        fn index(&self, at: u32) -> &Link<u32> {
            self.looks.set(self.looks.get() + 1);
            &self.links[at as usize]
        }
    }

    impl IndexMut<u32> for Counted {
        fn index_mut(&mut self, at: u32) -> &mut Link<u32> {
            self.looks.set(self.looks.get() + 1);
            &mut self.links[at as usize]
        }
    }

    impl Links for Counted {
        type At = u32;

        fn rest(&mut self) {}
    }

    /// Returns the number of looks at links for each of `count` timers that are inserted, and removed by `remove`.
    fn looks(
        count: u32,
        when: &mut dyn FnMut(u32) -> u64,
        remove: &mut dyn FnMut(&mut TimerHeap<Counted>),
    ) -> usize {
        let mut links = Counted { links: Vec::new(), looks: Cell::new(0) };
        links.links.extend((0..count).map(|at| Link::new(when(at))));
        let mut heap = TimerHeap::new(links);
        for at in 0..count {
            let when = heap.links[at].when();
            heap.insert(at, when);
        }
        remove(&mut heap);
        assert!(heap.is_empty());
        heap.links.looks.get() / count as usize
    }

    #[test]
    fn removal_costs_the_logarithm_of_the_number_of_timers() {
        for count in [1 << 10, 1_u32 << 14] {
            let most = 16 * count.ilog2() as usize;
            let mut order: Vec<u32> = (0..count).collect();
            fastrand::Rng::with_seed(2).shuffle(&mut order);
            let mixed = |at: u32| u64::from(order[at as usize]);
            let mut whens: [&mut dyn FnMut(u32) -> u64; 5] = [
                &mut |_| 0,
                &mut u64::from,
                &mut |at| u64::from(count - at),
                &mut |at| u64::from(if at % 2 == 0 { at } else { 2 * count - at }),
                &mut |at| mixed(at),
            ];
            for when in &mut whens {
                let expires = looks(count, when, &mut |heap| heap.expire(u64::MAX, &mut |_, _| ()));
                let cancelled =
                    looks(count, when, &mut |heap| order.iter().for_each(|&at| heap.remove(at)));
                let from_last =
                    looks(count, when, &mut |heap| (0..count).rev().for_each(|at| heap.remove(at)));
                // Each is replaced by a later one, as a timeout is.
                let replaced = looks(count, when, &mut |heap| {
                    for at in 0..count {
                        heap.remove(at);
                        let when = u64::from(count + at);
                        heap.links[at] = Link::new(when);
                        heap.insert(at, when);
                    }
                    heap.drain(&mut |_, _| ());
                });
                for looks in [expires, cancelled, from_last, replaced] {
                    assert!(looks <= most, "{looks} for each of {count}");
                }
            }
        }
    }
}
