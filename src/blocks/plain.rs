//! [`Store`], for tools that watch allocations, and for models: each block is an allocation of its
//! own, with a head in front.
//!
//! **Address Invariant**: a block's head ends where the block begins, and both are aligned.
//!
//! **Head Invariant**: `owner` and `shared` of a head are written before the block is handed out,
//! and not again. So any thread that holds the block's memory may read them. `returned` is, by the
//! Link Invariant, one thread's at a time. All other fields are the loop's thread's alone.
//!
//! **Plain Invariant**: a head is on the list of its memory, and was allocated with its `layout`.
#![allow(unsafe_code)]

use core::alloc::Layout;
use core::cell::Cell;
use core::mem;
use core::ptr::{self, NonNull, null_mut};

use super::block;
use super::list::{Linked, Links, List};
use super::region::{Region, Source};
use crate::sync::UnsafeCell;

#[cfg(debug_assertions)]
const CANARY: u32 = 0x9a6e_c0de;

#[repr(C)]
struct Head {
    links: Links<Head>,
    base: *mut u8,
    layout: Layout,
    owner: *const (),
    shared: *const (),
    returned: UnsafeCell<*mut u8>,
    #[cfg(debug_assertions)]
    canary: u32,
}

impl Linked for Head {
    unsafe fn links<'a>(node: *const Head) -> &'a Links<Head> {
        // SAFETY: valid, as the caller says.
        unsafe { &(*node).links }
    }
}

/// By the Address Invariant.
fn head_of(block: *const u8) -> *const Head {
    block.wrapping_sub(size_of::<Head>()).cast()
}

/// Returns the owner that was written to a block's head.
///
/// # Safety
///
/// `block` is a block's address as it was handed out, and its memory is held.
pub(super) unsafe fn owner_of(block: NonNull<u8>) -> *const () {
    // SAFETY: there is such a head, and the field may be read, by the Head Invariant.
    unsafe { (*head_of(block.as_ptr())).owner }
}

/// Returns the shared part that was written to a block's head.
///
/// # Safety
///
/// `block` is a block's address as it was handed out, and its memory is held. From any thread.
pub(super) unsafe fn shared_of(block: NonNull<u8>) -> *const () {
    // SAFETY: there is such a head, and the field may be read, by the Head Invariant.
    unsafe { (*head_of(block.as_ptr())).shared }
}

/// Writes to the head of a left block which block was returned before it, or null.
///
/// # Safety
///
/// The caller alone holds the block's memory.
pub(super) unsafe fn set_returned_link(block: *mut u8, next: *mut u8) {
    // SAFETY: there is such a head, and the field is the caller's, by the Link Invariant.
    unsafe { (*head_of(block)).returned.with_mut(|link| *link = next) }
}

/// Returns what [`set_returned_link`] wrote.
///
/// # Safety
///
/// On the loop's thread, which has taken the block from the stack.
pub(super) unsafe fn returned_link(block: *const u8) -> *mut u8 {
    // SAFETY: there is such a head, and the field is the loop's, by the Link Invariant.
    unsafe { (*head_of(block)).returned.with_mut(|link| *link) }
}

/// The memory that a loop has of the allocator, and frees as a whole when it is dropped; or of a region.
#[derive(Default)]
pub(super) struct Memory {
    heads: List<Head>,
    bytes: Cell<usize>,
    /// Bytes that may not be passed; `None` where there is no limit.
    limit: Cell<Option<usize>>,
    source: Source,
    #[cfg(all(test, not(any(all(loom, feature = "loom"), shuttle))))]
    pub(super) refuses: Cell<bool>,
}

impl Memory {
    pub(super) fn bytes(&self) -> usize {
        self.bytes.get()
    }

    pub(super) fn set_limit(&self, limit: Option<usize>) {
        self.limit.set(limit);
    }

    /// Has the blocks that are made from now on be of `region`. There is none yet.
    pub(super) fn set_region(&self, region: &'static Region) {
        self.source.set_region(region);
    }

    /// Returns how many bytes there will be with so many more, if there may be.
    fn with_more(&self, size: usize) -> Option<usize> {
        #[cfg(all(test, not(any(all(loom, feature = "loom"), shuttle))))]
        if self.refuses.get() {
            return None;
        }
        let bytes = self.bytes.get().checked_add(size)?;
        self.limit.get().is_none_or(|limit| bytes <= limit).then_some(bytes)
    }

    /// Calls `look` with each block in use: its contents live.
    ///
    /// # Safety
    ///
    /// On the loop's thread. Each block in use begins with the caller's word. `look` makes, frees
    /// and leaves none.
    pub(super) unsafe fn for_each(&self, look: &mut dyn FnMut(NonNull<u8>)) {
        // SAFETY: a block follows each head, by the Address Invariant, and is in use or left.
        unsafe {
            self.heads.for_each(|head| {
                let block = head.cast_mut().add(1).cast::<u8>();
                if block::is_in_use(block) {
                    look(NonNull::new_unchecked(block));
                }
            });
        }
    }

    /// # Safety
    ///
    /// The head is one of these, and its block isn't used any more.
    unsafe fn deallocate(&self, head: *const Head) {
        // SAFETY: on the list, and allocated so, by the Plain Invariant.
        unsafe {
            self.heads.remove(head);
            let (base, layout) = ((*head).base, (*head).layout);
            ptr::drop_in_place(&raw mut (*head.cast_mut()).returned);
            self.source.dealloc(base, layout);
            self.bytes.set(self.bytes.get() - layout.size());
        }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // By the Region Invariant: this may be another thread than the loop's.
        if self.source.is_region() {
            return;
        }
        while let Some(head) = NonNull::new(self.heads.first().cast_mut()) {
            // SAFETY: on the list; when the memory is dropped, no block is used any more, by the
            // Count Invariant of the shared part.
            unsafe { self.deallocate(head.as_ptr()) }
        }
    }
}

pub(super) struct Store {
    memory: Memory,
    owner: Cell<*const ()>,
    shared: Cell<*const ()>,
}

impl Store {
    /// Returns a store without memory. Its blocks will lead to `shared`.
    pub(super) fn new(shared: *const ()) -> Store {
        Store {
            memory: Memory::default(),
            owner: Cell::new(ptr::null()),
            shared: Cell::new(shared),
        }
    }

    pub(super) fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Returns what the blocks have as shared part.
    pub(super) fn shared(&self) -> *const () {
        self.shared.get()
    }

    /// Takes the memory out: nothing more is made of it.
    pub(super) fn take_memory(&mut self) -> Memory {
        mem::take(&mut self.memory)
    }

    /// Sets what the blocks made from now on have as owner.
    pub(super) fn set_owner(&self, owner: *const ()) {
        self.owner.set(owner);
    }

    /// No block is ready before it is asked for.
    pub(super) fn pop(&self, _layout: Layout) -> Option<NonNull<u8>> {
        None
    }

    /// Makes a block of a [padded](block::padded) layout; `None` where the limit is reached or the
    /// allocator has no memory.
    pub(super) fn grow(&self, layout: Layout) -> Option<NonNull<u8>> {
        let align = layout.align().max(align_of::<Head>());
        let start = size_of::<Head>().checked_next_multiple_of(align)?;
        let whole = Layout::from_size_align(start.checked_add(layout.size())?, align).ok()?;
        let bytes = self.memory.with_more(whole.size())?;
        // SAFETY: the layout has a size. The head fits in front of the block, aligned, since both
        // its size and `start` are multiples of its alignment.
        unsafe {
            let base = self.memory.source.alloc(whole)?;
            let block = base.add(start);
            let head = block.cast::<Head>().sub(1);
            head.write(Head {
                links: Links::new(),
                base: base.as_ptr(),
                layout: whole,
                owner: self.owner.get(),
                shared: self.shared.get(),
                returned: UnsafeCell::new(null_mut()),
                #[cfg(debug_assertions)]
                canary: CANARY,
            });
            self.memory.heads.push(head.as_ptr());
            self.memory.bytes.set(bytes);
            Some(block)
        }
    }

    /// Frees a block.
    ///
    /// # Safety
    ///
    /// On the loop's thread. This store made the block, and nothing holds its memory.
    pub(super) unsafe fn free(&self, block: NonNull<u8>) {
        // SAFETY: as the caller says.
        unsafe {
            let head = head_of(block.as_ptr());
            #[cfg(debug_assertions)]
            assert!((*head).canary == CANARY, "a block's head was overwritten, or it has none");
            self.memory.deallocate(head);
        }
    }

    /// Nothing is kept that could be given back.
    pub(super) fn rest(&self) {}

    /// Nothing is kept that could be given back.
    pub(super) fn release(&self) {}
}
