//! The links of timers in order: [`Link`]; where they are: [`At`]; and what has them: [`Links`].

use core::ops::IndexMut;

/// Where a timer is. Those of a [slab](super::timer_slab) are at indexes.
pub(crate) trait At: Copy + PartialEq {
    /// The end of a list.
    const NIL: Self;

    fn of(index: u32) -> Self;

    /// The index, where it is one.
    fn index(self) -> usize;
}

/// The links of timers.
pub(crate) trait Links: IndexMut<Self::At, Output = Link<Self::At>> {
    type At: At;

    /// The last timer is gone: memory may be given back.
    fn rest(&mut self);
}

/// A timer's deadline, and its neighbours in its slot's list, or in the tree where memory is scarce.
#[derive(Clone, Copy)]
pub(crate) struct Link<A> {
    pub(super) when: When,
    pub(super) next: A,
    pub(super) prev: A,
    #[cfg(any(callsoon_scarce, target_os = "none", target_pointer_width = "16"))]
    pub(super) child: A,
}

impl<A: At> Link<A> {
    #[inline(always)]
    pub(crate) fn new(when: u64) -> Link<A> {
        Link {
            when: When::new(when),
            next: A::NIL,
            prev: A::NIL,
            #[cfg(any(callsoon_scarce, target_os = "none", target_pointer_width = "16"))]
            child: A::NIL,
        }
    }

    #[inline(always)]
    pub(crate) fn when(&self) -> u64 {
        self.when.get()
    }
}

/// A deadline by its halves: so a link has the alignment of 32 bits, and no padding behind it.
#[derive(Clone, Copy)]
pub(super) struct When([u32; 2]);

impl When {
    #[inline(always)]
    fn new(when: u64) -> When {
        When([when as u32, (when >> u32::BITS) as u32])
    }

    #[inline(always)]
    pub(super) fn get(self) -> u64 {
        u64::from(self.0[1]) << u32::BITS | u64::from(self.0[0])
    }
}
