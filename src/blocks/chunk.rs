//! [`Chunk`]: the record of one allocation that pages of the sort `P` lie in.
//!
//! Its invariant, the **Chunk Invariant**, is that of `memory`, which keeps the chunks.
#![allow(unsafe_code)]

use core::alloc::Layout;
use core::cell::Cell;

use super::cache_line::CacheLine;
use super::list::{Linked, Links, List};

#[repr(C)]
pub(super) struct Chunk<P: Linked> {
    pub(super) line: [CacheLine; 0],
    pub(super) links: Links<Chunk<P>>,
    pub(super) base: *mut u8,
    pub(super) layout: Layout,
    pub(super) opened: Cell<u32>,
    pub(super) in_use: Cell<u32>,
    /// The first of the pages that were given back; linked by their own list.
    pub(super) free: List<P>,
    /// The round in which the chunk became idle.
    pub(super) idle_since: Cell<u32>,
}

impl<P: Linked> Linked for Chunk<P> {
    unsafe fn links<'a>(node: *const Chunk<P>) -> &'a Links<Chunk<P>> {
        // SAFETY: valid, as the caller says.
        unsafe { &(*node).links }
    }
}
