//! The words of a block in a page, and their meaning while it is not in use.
//!
//! **Link Invariant**: the first word of a free block leads to the free block behind it in its page.
//! The second word of a left block belongs to the thread that returns it, and from its push on the
//! stack of returned blocks to the loop: it leads to the block that was returned before.
//!
//! **Poison Invariant**: where assertions are on, a free block is filled with [`POISON`] behind its
//! first word.
#![allow(unsafe_code)]

use super::block::{TAG, WORD};

/// Writes the first word of a free block: `next` is the free block behind it, or null.
///
/// # Safety
///
/// On the loop's thread, which alone holds the block's memory.
#[inline]
pub(super) unsafe fn set_free_link(block: *mut u8, next: *mut u8) {
    // SAFETY: the word is there and aligned, by the Room Invariant.
    unsafe { block.cast::<*mut u8>().write(next.wrapping_add(TAG)) }
}

/// Returns the free block behind a free one, or null.
///
/// # Safety
///
/// On the loop's thread; the block is free.
#[inline]
pub(super) unsafe fn free_link(block: *const u8) -> *mut u8 {
    // SAFETY: the word is there and aligned, by the Room Invariant; a free block's is what
    // `set_free_link` wrote, by the Tag Invariant.
    unsafe { block.cast::<*mut u8>().read() }.wrapping_sub(TAG)
}

/// Writes the second word of a left block: the block that was returned before it, or null.
///
/// # Safety
///
/// The caller alone holds the block's memory.
pub(super) unsafe fn set_returned_link(block: *mut u8, next: *mut u8) {
    // SAFETY: the word is there and aligned, by the Room Invariant, and the caller's, by the Link
    // Invariant.
    unsafe { block.cast::<*mut u8>().add(1).write(next) }
}

/// Returns what [`set_returned_link`] wrote.
///
/// # Safety
///
/// On the loop's thread, which has taken the block from the stack.
pub(super) unsafe fn returned_link(block: *const u8) -> *mut u8 {
    // SAFETY: the word is there and aligned, by the Room Invariant, and the loop's, by the Link
    // Invariant.
    unsafe { block.cast::<*mut u8>().add(1).read() }
}

const POISON: u8 = 0xd5;

/// Fills a free block of `size` bytes behind its link, where assertions are on, so that a write to
/// it is found when it is handed out again.
///
/// # Safety
///
/// The caller alone holds the block's memory, of `size` bytes.
#[inline]
pub(super) unsafe fn poison(block: *mut u8, size: usize) {
    if cfg!(debug_assertions) {
        // SAFETY: the caller holds so many bytes.
        unsafe { block.add(WORD).write_bytes(POISON, size.saturating_sub(WORD)) }
    }
}

/// Panics where a free block was written to, where assertions are on.
///
/// # Safety
///
/// The block, of `size` bytes, was poisoned.
#[inline]
pub(super) unsafe fn check_poison(block: *const u8, size: usize) {
    if cfg!(debug_assertions) {
        // SAFETY: so many bytes were written by `poison`.
        let filled =
            unsafe { core::slice::from_raw_parts(block.add(WORD), size.saturating_sub(WORD)) };
        assert!(filled.iter().all(|byte| *byte == POISON), "a block was written to while free");
    }
}
