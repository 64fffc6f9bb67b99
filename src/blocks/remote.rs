//! [`Shared`]: the part of a loop's memory that other threads use.
//!
//! Wakers and claims hold the memory of blocks on other threads, and may do so when the loop is gone. So what
//! they use lives on its own: the loop's data for other threads, a stack of the blocks that they
//! have returned, and a count that decides which thread frees it all.
//!
//! **Return Invariant**: a block is pushed on the stack once, by the last holder of its memory, and
//! after its contents died on the loop's thread. The loop alone takes blocks off, all at once: so a
//! push meets no block that was taken and pushed again in between.
//!
//! **Count Invariant**: while the loop lives, the count is [`BIAS`] less the returns of which the
//! loop has not yet heard, and never 0. When the loop ends it takes the bias away and adds the blocks
//! that are still out: from then on the count is how many returns are still to come. The thread that
//! brings it to 0, the loop or the last to return a block, frees the memory, and no other thread
//! uses it any more: a return's subtraction is the last thing that it does to it.
#![allow(unsafe_code)]

use alloc::boxed::Box;
use core::ptr::{NonNull, null_mut};

use super::block;
use super::store::{self, Memory};
use crate::sync::{AtomicPtr, AtomicUsize, Ordering, UnsafeCell};

const BIAS: usize = 1 << (usize::BITS - 1);

pub(super) struct Shared<R> {
    /// The block that was returned last; each leads to the one before.
    returned: AtomicPtr<u8>,
    count: AtomicUsize,
    /// The memory that is freed with this, once the loop has ended.
    memory: UnsafeCell<Option<Box<Memory>>>,
    remote: R,
}

impl<R> Shared<R> {
    pub(super) fn new(remote: R) -> NonNull<Shared<R>> {
        NonNull::from(Box::leak(Box::new(Shared {
            returned: AtomicPtr::new(null_mut()),
            count: AtomicUsize::new(BIAS),
            memory: UnsafeCell::new(None),
            remote,
        })))
    }

    #[cfg(all(test, not(any(all(loom, feature = "loom"), shuttle))))]
    pub(super) fn remote(&self) -> &R {
        &self.remote
    }

    /// Returns whether there are blocks to [`take`](Shared::take).
    #[inline]
    pub(super) fn has_returned(&self) -> bool {
        !self.returned.load(Ordering::Relaxed).is_null()
    }

    /// Takes the blocks that were returned, and calls `free` with each. Returns how many they were.
    ///
    /// On the loop's thread.
    pub(super) fn take(&self, mut free: impl FnMut(NonNull<u8>)) -> usize {
        // Acquires what the other threads did to the blocks before they returned them.
        let mut next = self.returned.swap(null_mut(), Ordering::Acquire);
        let mut taken = 0;
        while let Some(block) = NonNull::new(next) {
            // SAFETY: the block is this loop's since it was taken, by the Return Invariant.
            next = unsafe { store::returned_link(block.as_ptr()) };
            free(block);
            taken += 1;
        }
        // Not to pass through 0 in a long life: the Count Invariant. Nothing is published by it.
        self.count.fetch_add(taken, Ordering::Relaxed);
        taken
    }

    /// Ends the loop's part: `memory` is freed at once, or by the last of the `out` returns that are
    /// still to come.
    ///
    /// # Safety
    ///
    /// On the loop's thread, once, and `this` isn't used by it afterwards. `out` is the number of
    /// blocks with held memory that were not taken.
    pub(super) unsafe fn end(this: NonNull<Shared<R>>, memory: Memory, out: usize) {
        // SAFETY: the bias keeps this alive, by the Count Invariant; no other thread looks at
        // `memory` before it brings the count to 0.
        unsafe {
            let shared = this.as_ref();
            // Memory that is freed here needs no place.
            let (now, later) =
                if out == 0 { (Some(memory), None) } else { (None, Some(Box::new(memory))) };
            shared.memory.with_mut(|place| *place = later);
            let change = out.wrapping_sub(BIAS);
            let count = shared.count.fetch_add(change, Ordering::AcqRel);
            if count.wrapping_add(change) == 0 {
                Shared::free(this);
            }
            drop(now);
        }
    }

    /// # Safety
    ///
    /// The caller brought the count to 0, and has acquired what the others did before.
    unsafe fn free(this: NonNull<Shared<R>>) {
        // SAFETY: made by `new` from a box, and no other thread uses it, by the Count Invariant.
        let shared = unsafe { Box::from_raw(this.as_ptr()) };
        // By the cell, so that models see it: the memory of the blocks goes here.
        // SAFETY: as above.
        drop(shared.memory.with_mut(|memory| unsafe { (*memory).take() }));
    }
}

/// Returns the data for other threads of the loop that a block belongs to. From any thread.
///
/// # Safety
///
/// `block` is what [`alloc`](super::pages::AnyPages::alloc) of a `Pages<_, R>` returned, by that pointer
/// or a copy of it, and its memory is held for as long as the reference is used.
#[inline]
pub(crate) unsafe fn remote_of<'a, R>(block: NonNull<u8>) -> &'a R {
    // SAFETY: the memory of a block is held, so the shared part is there, by the Count Invariant;
    // `R` is what it was made with, as the caller says.
    unsafe { &(*store::shared_of(block).cast::<Shared<R>>()).remote }
}

/// Returns an address that all blocks of one loop have in common, and no two loops at a time: equal
/// to [`remote_address`](super::pages::AnyPages::remote_address). From any thread.
///
/// # Safety
///
/// `block` is what [`alloc`](super::pages::AnyPages::alloc) returned, by that pointer or a copy of it,
/// and its memory is held.
#[inline]
pub(crate) unsafe fn remote_address(block: NonNull<u8>) -> *const () {
    // SAFETY: as the caller says.
    unsafe { store::shared_of(block) }
}

/// Returns the memory of a block that was [left](super::pages::AnyPages::leave). From any thread, the loop's
/// too; the loop may be gone.
///
/// # Safety
///
/// `block` is what [`alloc`](super::pages::AnyPages::alloc) of a `Pages<_, R>` returned, by that pointer
/// or a copy of it. It was left, which happened before this. The caller is the last to hold its
/// memory: the uses by all others happened before, and it isn't used afterwards.
pub(crate) unsafe fn free_remote<R>(block: NonNull<u8>) {
    // SAFETY: the caller holds the block's memory, so that its words and the shared part are there,
    // by the Room and the Count Invariant; that the push is the only one, is the Return Invariant.
    unsafe {
        debug_assert!(block::is_left(block.as_ptr()), "a block is returned that was not left");
        let this = NonNull::new_unchecked(store::shared_of(block).cast::<Shared<R>>().cast_mut());
        let shared = this.as_ref();
        let mut last = shared.returned.load(Ordering::Relaxed);
        loop {
            store::set_returned_link(block.as_ptr(), last);
            match shared.returned.compare_exchange_weak(
                last,
                block.as_ptr(),
                // Publishes the link, and the end of all uses of the block.
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => break,
                Err(newer) => last = newer,
            }
        }
        // Publishes this thread's uses of the shared part, and acquires the others'.
        if shared.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            Shared::free(this);
        }
    }
}
