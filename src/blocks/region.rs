//! [`Source`]: what chunks are allocated of: the allocator, or a [`Region`] of a fixed size.
//!
//! **Region Invariant**: a region stands in the memory that it was made of, which nothing else uses from
//! then on. Behind it is its table, a cell for each page, and behind that are the pages. Where a cell is
//! true, its page belongs to a chunk. Regions are used on their loop's thread alone; what is taken when
//! the loop's memory goes stays taken, so that another thread that frees it last never looks at the region.
#![allow(unsafe_code)]

use alloc::alloc::{alloc, dealloc};
use core::alloc::Layout;
use core::cell::Cell;
use core::mem::MaybeUninit;
use core::ptr::NonNull;
use core::slice;

#[cfg(not(any(callsoon_plain, all(loom, feature = "loom"))))]
use super::page::PAGE;

/// Bytes of what is taken for a block alone.
#[cfg(any(callsoon_plain, all(loom, feature = "loom")))]
const PAGE: usize = 64;

#[derive(Default)]
pub(super) struct Source(Cell<Option<&'static Region>>);

impl Source {
    /// Has all be of `region`. Nothing was allocated yet.
    pub(super) fn set_region(&self, region: &'static Region) {
        self.0.set(Some(region));
    }

    /// Returns true if all is of a region: it needs not be given back at the end.
    pub(super) fn is_region(&self) -> bool {
        self.0.get().is_some()
    }

    /// # Safety
    ///
    /// The layout has a size.
    pub(super) unsafe fn alloc(&self, layout: Layout) -> Option<NonNull<u8>> {
        match self.0.get() {
            Some(region) => (region.take)(region, layout),
            // SAFETY: as the caller says.
            None => NonNull::new(unsafe { alloc(layout) }),
        }
    }

    /// # Safety
    ///
    /// It was [allocated](Source::alloc) here with this layout, and isn't used any more.
    pub(super) unsafe fn dealloc(&self, base: *mut u8, layout: Layout) {
        match self.0.get() {
            Some(region) => (region.give)(region, base, layout),
            // SAFETY: as the caller says.
            None => unsafe { dealloc(base, layout) },
        }
    }
}

pub(crate) struct Region {
    /// Its functions, which are linked where a region is made.
    take: fn(&Region, Layout) -> Option<NonNull<u8>>,
    give: fn(&Region, *mut u8, Layout),
    pages: *mut u8,
    taken: &'static [Cell<bool>],
}

impl Region {
    /// Makes a region of `memory`; `None` where that has no room for a page.
    pub(crate) fn new(memory: &'static mut [MaybeUninit<u8>]) -> Option<&'static Region> {
        let (start, len) = (memory.as_mut_ptr().cast::<u8>(), memory.len());
        let place = start.align_offset(align_of::<Region>());
        let table = place.checked_add(size_of::<Region>())?;
        let behind = table.checked_add(len / PAGE)?;
        let pages = behind.checked_add(start.wrapping_add(behind).align_offset(PAGE))?;
        let count = len.checked_sub(pages)? / PAGE;
        if count == 0 {
            return None;
        }
        // SAFETY: The region is aligned, and it, its table, and the pages lie in the memory one behind
        // the other, as there are no more pages than cells. The memory is the region's alone for good.
        unsafe {
            start.add(table).cast::<Cell<bool>>().write_bytes(0, count);
            let taken = slice::from_raw_parts(start.add(table).cast::<Cell<bool>>(), count);
            let region = start.add(place).cast::<Region>();
            let pages = start.add(pages);
            region.write(Region { take: Region::take, give: Region::give, pages, taken });
            Some(&*region)
        }
    }

    /// Takes memory of `layout`, in whole pages: the first that is free and large enough.
    fn take(&self, layout: Layout) -> Option<NonNull<u8>> {
        let count = layout.size().div_ceil(PAGE);
        let last = self.taken.len().checked_sub(count)?;
        let is_free = |&first: &usize| {
            let aligned = self.page(first).addr() % layout.align() == 0;
            aligned && self.taken[first..first + count].iter().all(|taken| !taken.get())
        };
        let first = (0..=last).find(is_free)?;
        self.mark(first, count, true);
        NonNull::new(self.page(first))
    }

    /// Gives back what was [taken](Region::take) with this layout, and isn't used any more.
    fn give(&self, base: *mut u8, layout: Layout) {
        let first = (base.addr() - self.pages.addr()) / PAGE;
        self.mark(first, layout.size().div_ceil(PAGE), false);
    }

    fn page(&self, number: usize) -> *mut u8 {
        self.pages.wrapping_add(number * PAGE)
    }

    fn mark(&self, first: usize, count: usize, is_taken: bool) {
        self.taken[first..first + count].iter().for_each(|taken| taken.set(is_taken));
    }
}
