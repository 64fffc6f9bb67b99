//! Lists of a wheel's timers that are in no slot: [`List`], and how one is [`sorted`]. They lead one way: no
//! link has its `prev`.

use core::mem;

use super::wheel_links::{At, Links};

/// A list to which timers are added; the link of its last one leads anywhere.
pub(super) struct List<A> {
    pub(super) first: A,
    pub(super) last: A,
}

impl<A: At> List<A> {
    pub(super) fn new() -> List<A> {
        List { first: A::NIL, last: A::NIL }
    }

    /// Adds `next`, with all that follows it.
    #[inline(always)]
    pub(super) fn push(&mut self, links: &mut impl Links<At = A>, next: A) {
        if self.last == A::NIL {
            self.first = next;
        } else {
            links[self.last].next = next;
        }
        self.last = next;
    }

    /// Ends the list, and returns the first.
    pub(super) fn ended(self, links: &mut impl Links<At = A>) -> A {
        if self.last != A::NIL {
            links[self.last].next = A::NIL;
        }
        self.first
    }
}

/// Sorts the timers of the list that begins with `at` by deadline; equal ones keep their order. Returns
/// the first.
#[inline(never)]
pub(super) fn sorted<S: Links>(links: &mut S, mut at: S::At) -> S::At {
    // The list of a number is one of two to that power of runs that were sorted, joined, or none. What
    // is in it stood before all that is in the lists of lower numbers.
    let mut runs = [S::At::NIL; u32::BITS as usize];
    while at != S::At::NIL {
        let mut run = at;
        at = cut_behind_run(links, at);
        for before in &mut runs {
            let before = mem::replace(before, if *before == S::At::NIL { run } else { S::At::NIL });
            if before == S::At::NIL {
                break;
            }
            run = merged(links, before, run);
        }
    }
    for before in runs {
        at = merged(links, before, at);
    }
    at
}

/// Cuts a list behind the sorted run that it begins with. Returns the rest.
#[inline(always)]
fn cut_behind_run<S: Links>(links: &mut S, mut at: S::At) -> S::At {
    loop {
        let link = links[at];
        let next = link.next;
        if next == S::At::NIL || links[next].when() < link.when() {
            links[at].next = S::At::NIL;
            return next;
        }
        at = next;
    }
}

/// Joins two sorted lists: of equal deadlines, those in `before` come first.
fn merged<S: Links>(links: &mut S, mut before: S::At, mut later: S::At) -> S::At {
    let mut list = List::new();
    while before != S::At::NIL && later != S::At::NIL {
        let is_next = links[before].when() <= links[later].when();
        let from = if is_next { &mut before } else { &mut later };
        let next = mem::replace(from, links[*from].next);
        list.push(links, next);
    }
    list.push(links, if before == S::At::NIL { later } else { before });
    list.first
}
