//! [`Page`]: the head of an aligned page, by which the blocks behind it find what they belong to.
//!
//! **Address Invariant**: a block begins behind the head of its page and at most [`PAGE`] bytes from
//! where the head begins, which is a multiple of [`PAGE`]. So the address one below the block's,
//! rounded down, is the head. That holds for every alignment, also for [`PAGE`] and above.
//!
//! **Head Invariant**: `owner` and `shared` of a head are written before a block of the page is
//! handed out, and not while memory of one is held. So any thread that holds a block's memory may
//! read them. All other fields are the loop's thread's alone, and other threads make no reference
//! to them.
//!
//! **Slot Invariant**: the blocks of a page of `size` lie one behind the other from [`first_block`]
//! on, and those before `made` were handed out or linked at least once, so that their first word
//! can be read. Each is aligned to what its size is a multiple of, up to [`MOST_ALIGN`].
#![allow(unsafe_code)]

use core::cell::Cell;
use core::ptr::{NonNull, null_mut};

use super::block;
use super::cache_line::CacheLine;
use super::chunk::Chunk;
use super::list::{Linked, Links};
use crate::collections::SCARCE;

/// Bytes of a page, and its alignment.
pub(super) const PAGE: usize = if SCARCE { 128 * size_of::<usize>() } else { 32 * 1024 };

/// The greatest alignment of a block that shares its page.
pub(super) const MOST_ALIGN: usize = align_of::<Page>();

/// Counts bytes or blocks of a page: small enough that a head is no larger than a cache line.
#[cfg(target_pointer_width = "64")]
pub(super) type Count = u32;
#[cfg(not(target_pointer_width = "64"))]
pub(super) type Count = u16;

/// `size` of a page with one block that is larger than what shares pages.
pub(super) const LARGE: Count = 0;

#[cfg(debug_assertions)]
const CANARY: u32 = 0x9a6e_c0de;

#[repr(C)]
pub(super) struct Page {
    _line: [CacheLine; 0],
    /// Free blocks, to be handed out last in, first out.
    pub(super) free: Cell<*mut u8>,
    /// The blocks that may be freed, beyond those that are made, before the page is looked at.
    pub(super) look_in: Cell<Count>,
    /// Blocks with held memory, less `look_in`.
    beyond: Cell<Count>,
    owner: *const (),
    shared: *const (),
    /// Where the next block would begin that wasn't made yet.
    pub(super) made: Cell<Count>,
    pub(super) size: Cell<Count>,
    pub(super) chunk: Cell<*const Chunk<Page>>,
    links: Links<Page>,
    #[cfg(debug_assertions)]
    canary: u32,
}

impl Linked for Page {
    unsafe fn links<'a>(node: *const Page) -> &'a Links<Page> {
        // SAFETY: valid, as the caller says.
        unsafe { &(*node).links }
    }
}

impl Page {
    /// Returns the head of a page without blocks.
    pub(super) fn new(
        owner: *const (),
        shared: *const (),
        chunk: *const Chunk<Page>,
        size: Count,
    ) -> Page {
        Page {
            _line: [],
            free: Cell::new(null_mut()),
            look_in: Cell::new(0),
            beyond: Cell::new(0),
            owner,
            shared,
            made: Cell::new(0),
            size: Cell::new(size),
            chunk: Cell::new(chunk),
            links: Links::new(),
            #[cfg(debug_assertions)]
            canary: CANARY,
        }
    }
}

/// When a page is to be looked at as its blocks are freed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// At the next free.
    Next,
    /// When none is held any more.
    Last,
    /// Not at all.
    Never,
}

/// More than there are blocks in a page.
const NEVER: Count = 1 << (Count::BITS - 1);

impl Page {
    /// Returns the number of blocks with held memory.
    pub(super) fn held(&self) -> usize {
        self.look_in.get().wrapping_add(self.beyond.get()) as usize
    }

    /// Sets when the page is to be looked at: by one count that each block made or freed
    /// changes anyway, so that freeing one asks no more than whether it is 0.
    pub(super) fn set_look(&self, look: Look) {
        let held = self.held() as Count;
        let look_in = match look {
            Look::Next => 1,
            Look::Last => held,
            Look::Never => held + NEVER,
        };
        self.look_in.set(look_in);
        self.beyond.set(held.wrapping_sub(look_in));
    }
}

/// Returns the beginning of the page of a block, by the Address Invariant.
#[inline]
pub(super) fn page_of(block: *const u8) -> *const Page {
    block.map_addr(|address| address.wrapping_sub(1) & !(PAGE - 1)).cast()
}

/// Returns how far behind its head a page's first block lies: behind the record of the chunk, too,
/// where that stands in the page.
///
/// # Safety
///
/// On the loop's thread; the page is valid.
pub(super) unsafe fn first_block(page: *const Page) -> usize {
    let head = size_of::<Page>();
    // SAFETY: as the caller says.
    let chunk = unsafe { (*page).chunk.get() };
    // Both are multiples of the greatest alignment, by which the Slot Invariant holds.
    if chunk.addr() == page.addr() + head { head + size_of::<Chunk<Page>>() } else { head }
}

/// Returns the owner that was written to the head of a block's page.
///
/// # Safety
///
/// `block` is a block's address as it was handed out, and its memory is held.
#[inline]
pub(super) unsafe fn owner_of(block: NonNull<u8>) -> *const () {
    // SAFETY: there is such a head, by the Address Invariant, and the field may be read, by the
    // Head Invariant.
    unsafe { (*page_of(block.as_ptr())).owner }
}

/// Returns the shared part that was written to the head of a block's page.
///
/// # Safety
///
/// `block` is a block's address as it was handed out, and its memory is held. From any thread.
#[inline]
pub(super) unsafe fn shared_of(block: NonNull<u8>) -> *const () {
    // SAFETY: there is such a head, by the Address Invariant, and the field may be read, by the
    // Head Invariant.
    unsafe { (*page_of(block.as_ptr())).shared }
}

/// Calls `look` with each block of a page that has live contents.
///
/// # Safety
///
/// On the loop's thread; the page is valid, and has held blocks. `look` frees, leaves and makes none.
pub(super) unsafe fn for_each(page: *const Page, look: &mut dyn FnMut(NonNull<u8>)) {
    // SAFETY: the page is valid, and the blocks before `made` can be asked, by the Slot Invariant;
    // the one of a large page is in use or left.
    unsafe {
        let (made, size) = ((*page).made.get() as usize, (*page).size.get() as usize);
        let (from, to, step) =
            if size == 0 { (made, made + 1, 1) } else { (first_block(page), made, size) };
        for at in (from..to).step_by(step) {
            let block = page.cast_mut().cast::<u8>().add(at);
            if block::is_in_use(block) {
                look(NonNull::new_unchecked(block));
            }
        }
    }
}

/// Checks that a block which is freed lies where one can, where assertions are on.
///
/// # Safety
///
/// On the loop's thread, and `block` is in memory that has the form of a page.
#[inline]
pub(super) unsafe fn check_slot(block: *const u8) {
    #[cfg(debug_assertions)]
    // SAFETY: as the caller says.
    unsafe {
        let page = page_of(block);
        assert!((*page).canary == CANARY, "a block's page was overwritten, or it has none");
        assert!((*page).held() > 0, "a block is freed of a page that has none out");
        let (size, offset) = ((*page).size.get() as usize, block.addr() - page.addr());
        if size == 0 {
            assert!(offset == (*page).made.get() as usize, "a part of a block is freed");
        } else {
            let first = first_block(page);
            let whole = offset >= first && (offset - first) % size == 0;
            assert!(whole, "a part of a block is freed");
        }
    }
    #[cfg(not(debug_assertions))]
    let _ = block;
}
