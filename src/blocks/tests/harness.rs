//! Blocks that know what they should contain: the `unsafe` of these tests.
//!
//! **Harness Invariant**: a [`Block`] is the one handle of a block in use, which contains plain
//! bytes; freeing it takes the handle. A [`Left`] is the one holder of a left block's memory.
#![allow(unsafe_code)]

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::rc::Rc;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::alloc::Layout;
use core::mem::MaybeUninit;
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use crate::blocks::block::set_left;
use crate::blocks::{Pages, free_remote, owner_of, remote_address, remote_of};

/// The owner of blocks, as they see it: a place with something to compare.
pub(super) struct Owner([usize; 2]);

/// The shared part that other threads find: counts its drops.
pub(super) struct Far(pub(super) Arc<AtomicUsize>);

impl Drop for Far {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

pub(super) struct Loop {
    // Dropped before its owner.
    pub(super) pages: Pages<Owner, Far>,
    pub(super) owner: Box<Owner>,
    pub(super) fars_dropped: Arc<AtomicUsize>,
}

pub(super) struct Block {
    pub(super) at: NonNull<u8>,
    layout: Layout,
    seed: u8,
}

pub(super) struct Left(NonNull<u8>);

// SAFETY: a left block's memory may be held by any thread.
unsafe impl Send for Left {}

impl Loop {
    pub(super) fn new() -> Loop {
        let fars_dropped = Arc::new(AtomicUsize::new(0));
        let pages = Pages::new(Far(fars_dropped.clone()));
        let owner = Box::new(Owner([7, 8]));
        pages.set_owner(NonNull::from(&*owner));
        Loop { pages, owner, fars_dropped }
    }

    pub(super) fn alloc(&self, size: usize, align: usize) -> Option<Block> {
        let layout = Layout::from_size_align(size, align).expect("a layout");
        let at = self.pages.alloc(layout)?;
        let seed = (at.addr().get() >> 3) as u8 | 1;
        let block = Block { at, layout, seed };
        block.fill();
        Some(block)
    }

    pub(super) fn made(&self, size: usize) -> Block {
        self.alloc(size, 8).expect("memory")
    }

    /// Checks the contents, and frees.
    pub(super) fn free(&self, block: Block) {
        block.check();
        // SAFETY: by the Harness Invariant.
        unsafe { self.pages.free(block.at) }
    }

    pub(super) fn leave(&self, block: Block) -> Left {
        block.check();
        // SAFETY: by the Harness Invariant.
        unsafe { self.pages.leave(block.at) }
        Left(block.at)
    }

    pub(super) fn walked(&self) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        // SAFETY: each block was filled when it was made, and the set doesn't use these pages.
        unsafe {
            self.pages.for_each(&mut |block| {
                assert!(found.insert(block.addr().get()), "a block is met twice");
            });
        }
        found
    }

    /// Checks what the block leads to.
    pub(super) fn check_leads(&self, block: &Block) {
        // SAFETY: in use, by the Harness Invariant, and of these pages and their types.
        let (owner, far, address) = unsafe {
            (owner_of::<Owner>(block.at), remote_of::<Far>(block.at), remote_address(block.at))
        };
        assert_eq!(owner.0, self.owner.0);
        assert!(core::ptr::eq(owner, &*self.owner));
        assert!(core::ptr::eq(far, self.pages.remote()));
        assert_eq!(address, self.pages.remote_address());
    }

    pub(super) fn fars_dropped(&self) -> usize {
        self.fars_dropped.load(Ordering::Relaxed)
    }
}

impl Block {
    fn bytes(&self) -> *mut u8 {
        self.at.as_ptr()
    }

    fn fill(&self) {
        let word = size_of::<usize>();
        // SAFETY: so many bytes are the block's, and two words in any case.
        unsafe {
            self.at.cast::<*const u64>().write(&0);
            for at in word..self.layout.size() {
                self.bytes().add(at).write(self.seed.wrapping_mul(at as u8));
            }
        }
    }

    pub(super) fn check(&self) {
        assert_eq!(self.at.addr().get() % self.layout.align(), 0, "{:?}", self.layout);
        // SAFETY: so many bytes are the block's, and were written.
        unsafe {
            for at in size_of::<usize>()..self.layout.size() {
                assert_eq!(self.bytes().add(at).read(), self.seed.wrapping_mul(at as u8));
            }
        }
    }

    pub(super) fn size(&self) -> usize {
        self.layout.size()
    }

    pub(super) fn address(&self) -> usize {
        self.at.addr().get()
    }

    /// Marks a block of pages that are gone as left.
    pub(super) fn into_left(self) -> Left {
        // SAFETY: by the Harness Invariant; its memory is kept, as pages promise.
        unsafe { set_left(self.at.as_ptr()) }
        Left(self.at)
    }
}

impl Left {
    /// Returns the memory, on whatever thread this is.
    pub(super) fn free(self) {
        // SAFETY: by the Harness Invariant.
        unsafe {
            assert!(remote_of::<Far>(self.0).0.load(Ordering::Relaxed) == 0);
            free_remote::<Far>(self.0);
        }
    }
}

/// Memory that is never given back. A tool that looks for leaks finds it here.
pub(super) fn memory(len: usize) -> &'static mut [MaybeUninit<u8>] {
    struct Kept {
        _memory: NonNull<MaybeUninit<u8>>,
        _before: *mut Kept,
    }
    static LAST: AtomicPtr<Kept> = AtomicPtr::new(null_mut());
    let memory = Vec::leak(vec![MaybeUninit::uninit(); len]);
    let before = LAST.load(Ordering::Relaxed);
    let kept = Kept { _memory: NonNull::from(&mut *memory).cast(), _before: before };
    LAST.store(Box::leak(Box::new(kept)), Ordering::Relaxed);
    memory
}

/// An owner that has its pages itself, and is held by them after its end.
pub(super) struct Whole {
    pub(super) pages: Pages<Whole, ()>,
    dropped: Rc<core::cell::Cell<u32>>,
}

impl Drop for Whole {
    fn drop(&mut self) {
        self.dropped.set(self.dropped.get() + 1);
    }
}

impl Whole {
    pub(super) fn new(dropped: &Rc<core::cell::Cell<u32>>) -> Rc<Whole> {
        let whole = Rc::new(Whole { pages: Pages::new(()), dropped: dropped.clone() });
        whole.pages.set_owner(NonNull::from(&*whole));
        whole
    }

    pub(super) fn made(&self, count: usize) -> Vec<NonNull<u8>> {
        let block = || {
            let block = self.pages.alloc(Layout::new::<[usize; 8]>()).expect("memory");
            // SAFETY: a block has two words and more.
            unsafe { block.cast::<*const u64>().write(&0) };
            block
        };
        (0..count).map(|_| block()).collect()
    }

    /// Frees blocks as their handles do: each by its owner, which may be gone after the last.
    pub(super) fn free_by_owner(blocks: impl IntoIterator<Item = NonNull<u8>>) {
        for block in blocks {
            // SAFETY: made by `made`, in use, and its owner holds itself until the last is freed.
            unsafe { owner_of::<Whole>(block).pages.free(block) }
        }
    }

    pub(super) fn leave(&self, block: NonNull<u8>) {
        // SAFETY: made by `made`, and in use.
        unsafe { self.pages.leave(block) }
    }

    pub(super) fn free_left(block: NonNull<u8>) {
        // SAFETY: was left.
        unsafe { free_remote::<()>(block) }
    }
}
