//! The meaning of a block's words, the same for each kind of memory that it lies in.
//!
//! **Room Invariant**: a block has at least two words ([`LEAST`]) and the alignment of a word; so
//! both words can be read and written as pointers for as long as the block's memory is held.
//!
//! **Tag Invariant**: the lowest bit of a block's first word says whether its contents live. A block
//! in use begins with an aligned pointer of the caller, which has 0 as its lowest bit. A free one begins
//! with a link to the next free block, and a left one (with dead contents, while other threads
//! hold its memory) with [`LEFT`]; both have the bit set. Only the loop's thread writes the first
//! word.
#![allow(unsafe_code)]

use core::alloc::Layout;
use core::ptr;

pub(super) const WORD: usize = size_of::<usize>();

/// Bytes of the smallest block.
pub(super) const LEAST: usize = 2 * WORD;

/// The bit that says that a block is not in use.
pub(super) const TAG: usize = 1;

/// The first word of a left block: no link, since no block lies so low.
const LEFT: usize = 2 | TAG;

/// Returns the layout of a block for `layout`: a multiple of its alignment, and with room for what
/// the invariants ask for. `None` where that is more than memory can hold.
#[inline]
pub(super) fn padded(layout: Layout) -> Option<Layout> {
    let size = if layout.size() < LEAST { LEAST } else { layout.size() };
    let align = if layout.align() < WORD { WORD } else { layout.align() };
    Some(Layout::from_size_align(size, align).ok()?.pad_to_align())
}

/// Returns whether the contents of a block live.
///
/// # Safety
///
/// On the loop's thread. The block was handed out or linked, and the caller has written its first
/// word if it is in use.
#[inline]
pub(super) unsafe fn is_in_use(block: *const u8) -> bool {
    // SAFETY: the word is there and aligned, by the Room Invariant, and no other thread writes it,
    // by the Tag Invariant.
    unsafe { block.cast::<*const u8>().read() }.addr() & TAG == 0
}

/// Marks a block as left.
///
/// # Safety
///
/// On the loop's thread; the block's contents are dead, and its memory is held.
#[inline]
pub(super) unsafe fn set_left(block: *mut u8) {
    // SAFETY: the word is there and aligned, by the Room Invariant, and no other thread uses it, by
    // the Tag Invariant.
    unsafe { block.cast::<*mut u8>().write(ptr::without_provenance_mut(LEFT)) }
}

/// Returns whether a block was marked as left.
///
/// # Safety
///
/// The caller holds the block's memory, and what it knows of the block happened after `set_left`.
#[inline]
pub(super) unsafe fn is_left(block: *const u8) -> bool {
    // SAFETY: the word is there and aligned, by the Room Invariant, and not written again while
    // the memory is held, by the Tag Invariant.
    unsafe { block.cast::<*const u8>().read() }.addr() == LEFT
}
