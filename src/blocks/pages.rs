//! [`Pages`]: the memory of one loop, as its thread uses it.
//!
//! **Owner Invariant**: the owner's address is set before the first block is made, and the owner is
//! at that address for as long as a block in use is asked for it: while the loop is open by its
//! own doing, and then by what it has given to [`hold_while_used`](AnyPages::hold_while_used).
//!
//! **Cell Invariant**: every field is a `Cell` or made of them, so that what is held may be dropped,
//! and these pages with it, as the last act of a function that has a reference to them.
#![allow(unsafe_code)]

use alloc::boxed::Box;
use core::alloc::Layout;
use core::any::Any;
use core::cell::Cell;
use core::marker::PhantomData;
use core::ops::Deref;
use core::ptr::NonNull;

use super::block;
use super::region::Region;
use super::remote::Shared;
use super::store::{self, Store};

/// Part of the count of blocks in use while nothing is held: so that it comes to 0 only where
/// there is something to be dropped.
const NOTHING_HELD: usize = 1 << (usize::BITS - 1);

/// The memory for the tasks and futures of one loop.
///
/// `O` is the owner, which a block in use leads to ([`owner_of`]); `R` is the part of the loop that
/// other threads get by a block if they hold its memory ([`remote_of`](super::remote_of)).
///
/// A block goes through these states:
///
/// 1. *Free*. [`alloc`](AnyPages::alloc) makes it one in use.
/// 2. *In use*: its contents live. [`free`](AnyPages::free) frees it; [`leave`](AnyPages::leave) leaves
///    it.
/// 3. *Left*: its contents are dead, and other threads hold its memory, as their wakers do. The last
///    of them [returns](super::free_remote) it.
/// 4. *Returned*, until [`collect_remote`](AnyPages::collect_remote) frees it.
///
/// Dropping the pages frees the memory at once if no block is left or in use. If some are left, the
/// thread that returns the last frees it. If some are in use it is never freed: to leak is sound.
pub(crate) struct Pages<O, R> {
    pages: AnyPages<R>,
    owner: PhantomData<*const O>,
}

impl<O: 'static, R: Send + Sync + 'static> Pages<O, R> {
    /// Returns pages without memory. Their blocks lead other threads to `remote`.
    #[inline(always)]
    pub(crate) fn new(remote: R) -> Pages<O, R> {
        Pages { pages: AnyPages::new(remote), owner: PhantomData }
    }

    /// Sets the owner, once, before the first [`alloc`](AnyPages::alloc). The pages keep the pointer
    /// only: that the owner is there while blocks are in use, is the duty of the caller of
    /// [`owner_of`].
    pub(crate) fn set_owner(&self, owner: NonNull<O>) {
        debug_assert_eq!(self.store.memory().bytes(), 0, "the owner is set after a block was made");
        self.store.set_owner(owner.as_ptr().cast_const().cast());
    }
}

impl<O, R> Deref for Pages<O, R> {
    type Target = AnyPages<R>;

    #[inline(always)]
    fn deref(&self) -> &AnyPages<R> {
        &self.pages
    }
}

/// [`Pages`] with an owner of any type: these are compiled once for all owners.
pub(crate) struct AnyPages<R> {
    store: Store,
    /// Blocks in use, and [`NOTHING_HELD`].
    live: Cell<usize>,
    /// Blocks that were left, and not freed yet.
    left: Cell<usize>,
    hold: Cell<Option<Box<dyn Any>>>,
    types: PhantomData<R>,
}

impl<R: Send + Sync + 'static> AnyPages<R> {
    #[inline(always)]
    fn new(remote: R) -> AnyPages<R> {
        AnyPages {
            store: Store::new(Shared::new(remote).as_ptr().cast_const().cast()),
            live: Cell::new(NOTHING_HELD),
            left: Cell::new(0),
            hold: Cell::new(None),
            types: PhantomData,
        }
    }

    /// Has all blocks be in `region`, before the first [`alloc`](AnyPages::alloc).
    pub(crate) fn set_region(&self, region: &'static Region) {
        debug_assert_eq!(
            self.store.memory().bytes(),
            0,
            "the region is set after a block was made"
        );
        self.store.memory().set_region(region);
    }

    fn shared(&self) -> &Shared<R> {
        // SAFETY: the bias keeps it alive until these pages are dropped, by the Count Invariant.
        unsafe { &*self.store.shared().cast() }
    }

    /// Returns what other threads get by [`remote_of`](super::remote_of).
    #[cfg(all(test, not(any(all(loom, feature = "loom"), shuttle))))]
    pub(crate) fn remote(&self) -> &R {
        self.shared().remote()
    }

    /// Returns the address that [`remote_address`](super::remote_address) gives for these blocks.
    pub(crate) fn remote_address(&self) -> *const () {
        self.store.shared()
    }

    /// Makes a block of at least `layout`'s size and alignment, and of two words. `None` where the
    /// [limit](AnyPages::set_limit) is reached or the allocator has no memory.
    ///
    /// The caller writes the first word before it uses these pages again: an aligned pointer with 0
    /// as its lowest bit, which stays there until the block is freed or left.
    #[inline]
    pub(crate) fn alloc(&self, layout: Layout) -> Option<NonNull<u8>> {
        let layout = block::padded(layout)?;
        let block = match self.store.pop(layout) {
            Some(block) => block,
            None => self.alloc_more(layout)?,
        };
        self.live.set(self.live.get() + 1);
        Some(block)
    }

    #[cold]
    fn alloc_more(&self, layout: Layout) -> Option<NonNull<u8>> {
        self.collect_remote();
        self.store.pop(layout).or_else(|| self.store.grow(layout))
    }

    /// Frees a block in use.
    ///
    /// # Safety
    ///
    /// On this thread. These pages made the block, it is in use, its contents are dead, and its
    /// memory isn't used any more. After [`hold_while_used`](AnyPages::hold_while_used) what is held may
    /// be dropped, and with it the owner and these pages: then neither is used any more either.
    #[inline]
    pub(crate) unsafe fn free(&self, block: NonNull<u8>) {
        // SAFETY: as the caller says.
        unsafe {
            debug_assert!(block::is_in_use(block.as_ptr()), "a block is freed that is not in use");
            self.store.free(block);
        }
        self.one_less();
    }

    /// Leaves a block in use to others: its contents are dead, and they hold its memory. It is no
    /// longer counted and walked over, and its first word is no longer the caller's. It is freed by
    /// [`free_remote`](super::free_remote) alone, which the last holder calls.
    ///
    /// # Safety
    ///
    /// As for [`free`](AnyPages::free), but that the memory is held.
    pub(crate) unsafe fn leave(&self, block: NonNull<u8>) {
        // SAFETY: as the caller says.
        unsafe {
            debug_assert!(block::is_in_use(block.as_ptr()), "a block is left that is not in use");
            block::set_left(block.as_ptr());
        }
        self.left.set(self.left.get() + 1);
        self.one_less();
    }

    #[inline]
    fn one_less(&self) {
        let live = self.live.get() - 1;
        self.live.set(live);
        if live == 0 {
            self.release_hold();
        }
    }

    #[cold]
    fn release_hold(&self) {
        self.live.set(NOTHING_HELD);
        // The last act, by the Cell Invariant.
        drop(self.hold.take());
    }

    /// Frees the blocks that other threads have returned. Costs next to nothing where there are none.
    #[inline]
    pub(crate) fn collect_remote(&self) {
        if self.shared().has_returned() {
            self.collect();
        }
    }

    #[cold]
    fn collect(&self) {
        // SAFETY: a returned block is this loop's again, by the Return Invariant.
        let taken = self.shared().take(|block| unsafe { self.store.free(block) });
        self.left.set(self.left.get() - taken);
    }

    /// Gives memory back that is not in use, as the loop does before it waits. A chunk is kept until it
    /// has had no blocks from one call to the next, so that what each turn needs is not taken
    /// anew each time; and some pages are kept in any case.
    #[inline]
    pub(crate) fn release_idle(&self) {
        self.store.rest();
    }

    /// Gives all memory back that is not in use, for others of its region.
    pub(crate) fn release(&self) {
        self.collect_remote();
        self.store.release();
    }

    /// Sets how many bytes may be taken from the allocator; `None`, as it is at first, for as many as
    /// it has. Nothing is given back for it.
    pub(crate) fn set_limit(&self, bytes: Option<usize>) {
        self.store.memory().set_limit(bytes);
    }

    /// Returns how many bytes are taken from the allocator now, in use or not.
    pub(crate) fn bytes(&self) -> usize {
        self.store.memory().bytes()
    }

    /// Returns how many blocks are in use.
    pub(crate) fn live(&self) -> usize {
        self.live.get() & !NOTHING_HELD
    }

    /// Calls `look` with each block in use, in no order that means anything.
    ///
    /// # Safety
    ///
    /// Each block in use has been given its first word. `look` makes, frees and leaves no block of
    /// these pages.
    pub(crate) unsafe fn for_each(&self, look: &mut dyn FnMut(NonNull<u8>)) {
        // SAFETY: as the caller says, and on this thread since the pages don't leave it.
        unsafe { self.store.memory().for_each(look) }
    }

    /// Has the allocator fail, or work again.
    #[cfg(all(test, not(any(all(loom, feature = "loom"), shuttle))))]
    pub(super) fn refuse(&self, refuses: bool) {
        self.store.memory().refuses.set(refuses);
    }

    /// Keeps `hold`, as an `Rc` of the owner, until no block is in use, so that those which outlive
    /// the loop find their owner. Drops it at once if none is in use, and with it the owner and these
    /// pages where nothing else keeps them. Blocks that are made later are held likewise while
    /// there is something held; a second `hold` takes the place of the first.
    pub(crate) fn hold_while_used(&self, hold: Box<dyn Any>) {
        if self.live() == 0 {
            // The last act, by the Cell Invariant.
            return drop(hold);
        }
        self.live.set(self.live());
        let before = self.hold.replace(Some(hold));
        drop(before);
    }
}

impl<R> Drop for AnyPages<R> {
    fn drop(&mut self) {
        let shared = self.store.shared().cast::<Shared<R>>().cast_mut();
        let out = self.left.get() + (self.live.get() & !NOTHING_HELD);
        if out > 0 {
            // A block that is out may stay for long: it keeps no memory that no block is in.
            self.store.release();
        }
        // SAFETY: the end of the loop's part, on its thread. Blocks that were returned and not
        // collected are still counted as left, and so are their returns.
        unsafe {
            Shared::end(NonNull::new_unchecked(shared), self.store.take_memory(), out);
        }
    }
}

/// Returns the owner of a block.
///
/// # Safety
///
/// On the thread of the pages that made the block, which are a `Pages<O, _>`, by the pointer that they
/// returned or a copy of it. The block's memory is held, and the owner is there for as long as the
/// reference is used: see [`AnyPages::hold_while_used`].
#[inline]
pub(crate) unsafe fn owner_of<'a, O>(block: NonNull<u8>) -> &'a O {
    // SAFETY: the owner was set, by the Owner Invariant, and is there, as the caller says.
    unsafe { &*store::owner_of(block).cast::<O>() }
}
