//! [`Memory`]: the chunks of the allocator that a loop's pages lie in.
//!
//! **Chunk Invariant**: a chunk is one allocation of `layout` at `base`. Its record stands behind
//! the head of its first page (or, for a large block, behind the page that the block's address
//! leads to), and is the loop's thread's alone. It is on the list that its state names: *full*
//! (each page is in use), *partial* (some are), *idle* (none is), *large* (one block). A page in
//! use is one that was taken and not given back; the pages from `opened` on were never written to,
//! and the rest are linked from `free`.
#![allow(unsafe_code)]

use core::alloc::Layout;
use core::cell::Cell;
use core::ptr::{self, NonNull};

use super::chunk;
use super::list::{Links, List};
use super::page::{MOST_ALIGN, PAGE, Page, for_each};
use super::region::{Region, Source};
use crate::collections::SCARCE;

/// Pages of the largest chunk.
pub(super) const MOST_PAGES: usize = if SCARCE { 2 } else { 32 };

/// A loop with fewer than twice as many pages gets them one by one.
const SINGLE: usize = if SCARCE { 2 } else { 1 };

/// So many pages without blocks are not worth the trouble to give back.
pub(super) const KEPT: usize = if SCARCE { 1 } else { 8 };

/// Which idle chunks are given back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Idle {
    /// Those that have been idle since the last round or longer, but for small ones of [`KEPT`] pages
    /// in all.
    SinceLast,
    /// All.
    Any,
}

/// A chunk of pages.
pub(super) type Chunk = chunk::Chunk<Page>;

const _: () = assert!(size_of::<Chunk>() % MOST_ALIGN == 0);

impl Chunk {
    fn pages(&self) -> usize {
        self.layout.size() / PAGE
    }
}

/// The memory that a loop has of the allocator, and frees as a whole when it is dropped; or of a region.
#[derive(Default)]
pub(super) struct Memory {
    full: List<Chunk>,
    partial: List<Chunk>,
    idle: List<Chunk>,
    large: List<Chunk>,
    bytes: Cell<usize>,
    /// Bytes that may not be passed; `None` where there is no limit.
    limit: Cell<Option<usize>>,
    source: Source,
    /// Pages of all chunks.
    pages: Cell<usize>,
    /// Pages of the idle chunks.
    idle_pages: Cell<usize>,
    /// The number of times that idle chunks were given back.
    rounds: Cell<u32>,
    #[cfg(all(test, not(any(all(loom, feature = "loom"), shuttle))))]
    pub(super) refuses: Cell<bool>,
}

impl Memory {
    pub(super) fn bytes(&self) -> usize {
        self.bytes.get()
    }

    pub(super) fn pages(&self) -> usize {
        self.pages.get()
    }

    pub(super) fn idle_pages(&self) -> usize {
        self.idle_pages.get()
    }

    pub(super) fn set_limit(&self, limit: Option<usize>) {
        self.limit.set(limit);
    }

    /// Has the chunks that are made from now on be of `region`. There is none yet.
    pub(super) fn set_region(&self, region: &'static Region) {
        self.source.set_region(region);
    }

    /// Takes a page that has no blocks; its head is not written yet. Returns the page and its chunk.
    pub(super) fn take_page(&self) -> Option<(*mut Page, *const Chunk)> {
        let chunk = match (self.partial.first(), self.idle.first()) {
            (chunk, _) | (_, chunk) if !chunk.is_null() => chunk,
            _ => self.add_chunk()?,
        };
        // SAFETY: a chunk on a list is valid, and its free pages and those from `opened` on are
        // there and without blocks, by the Chunk Invariant.
        unsafe {
            let page = (*chunk).free.first();
            let page = if page.is_null() {
                let number = (*chunk).opened.get();
                (*chunk).opened.set(number + 1);
                (*chunk).base.add(number as usize * PAGE).cast()
            } else {
                (*chunk).free.remove(page);
                page.cast_mut()
            };
            self.count_in_use(chunk, (*chunk).in_use.get() + 1);
            Some((page, chunk))
        }
    }

    /// Gives back a page.
    ///
    /// # Safety
    ///
    /// The page was taken, its head was written, and it has no blocks any more.
    pub(super) unsafe fn give_page(&self, page: *const Page) {
        // SAFETY: the chunk of a page in use is valid, by the Chunk Invariant.
        unsafe {
            let chunk = (*page).chunk.get();
            (*chunk).free.push(page);
            self.count_in_use(chunk, (*chunk).in_use.get() - 1);
        }
    }

    fn list_of(&self, in_use: u32, pages: usize) -> &List<Chunk> {
        match in_use as usize {
            0 => &self.idle,
            some if some < pages => &self.partial,
            _ => &self.full,
        }
    }

    /// Sets how many pages of a chunk are in use, and moves it to the list of its new state.
    ///
    /// # Safety
    ///
    /// The chunk is one of these, with pages.
    unsafe fn count_in_use(&self, chunk: *const Chunk, in_use: u32) {
        // SAFETY: the chunk is valid, and on the list of its state, by the Chunk Invariant.
        unsafe {
            let pages = (*chunk).pages();
            let before = self.list_of((*chunk).in_use.replace(in_use), pages);
            let after = self.list_of(in_use, pages);
            if ptr::eq(before, after) {
                return;
            }
            before.remove(chunk);
            after.push(chunk);
            if ptr::eq(before, &self.idle) {
                self.idle_pages.set(self.idle_pages.get() - pages);
            } else if ptr::eq(after, &self.idle) {
                self.idle_pages.set(self.idle_pages.get() + pages);
                (*chunk).idle_since.set(self.rounds.get());
            }
        }
    }

    /// Makes a chunk: as many pages as there are already, so that a loop with little to do has
    /// little, and one with much to do asks seldom.
    fn add_chunk(&self) -> Option<*const Chunk> {
        let doubled = (self.pages.get() / SINGLE).max(1);
        // A region's pages are shared with others.
        let most = if self.source.is_region() { 1 } else { MOST_PAGES };
        let pages = 1 << doubled.ilog2().min(most.ilog2());
        let made =
            |pages: usize| self.allocate(Layout::from_size_align(pages * PAGE, PAGE).ok()?, 0);
        let chunk = made(pages).or_else(|| made(1))?;
        // SAFETY: just made; and the list that a chunk without pages in use belongs to.
        unsafe {
            let pages = (*chunk).pages();
            self.idle.push(chunk);
            (*chunk).idle_since.set(self.rounds.get());
            self.idle_pages.set(self.idle_pages.get() + pages);
            self.pages.set(self.pages.get() + pages);
        }
        Some(chunk)
    }

    /// Allocates, and writes the record of a chunk behind the head of the page at `page`, which
    /// isn't written.
    fn allocate(&self, layout: Layout, page: usize) -> Option<*const Chunk> {
        let bytes = self.bytes.get().checked_add(layout.size())?;
        if self.limit.get().is_some_and(|limit| bytes > limit) {
            return None;
        }
        #[cfg(all(test, not(any(all(loom, feature = "loom"), shuttle))))]
        if self.refuses.get() {
            return None;
        }
        // SAFETY: the layout has a size: a page and more. The record lies within, behind room for a
        // head, and is aligned as the page is.
        unsafe {
            let base = self.source.alloc(layout)?.as_ptr();
            let chunk = base.add(page + size_of::<Page>()).cast::<Chunk>();
            chunk.write(Chunk {
                line: [],
                links: Links::new(),
                base,
                layout,
                opened: Cell::new(0),
                in_use: Cell::new(0),
                free: List::default(),
                idle_since: Cell::new(0),
            });
            self.bytes.set(bytes);
            Some(chunk)
        }
    }

    /// Makes a block that shares no page. Its page's head has to be written by the caller: it
    /// returns that, the chunk, and how far behind the head the block begins.
    pub(super) fn take_large(&self, layout: Layout) -> Option<(*mut Page, *const Chunk, usize)> {
        let records = size_of::<Page>() + size_of::<Chunk>();
        let start = records.checked_next_multiple_of(layout.align())?;
        // By the Address Invariant; 0 but for an alignment above a page's.
        let page = (start - 1) & !(PAGE - 1);
        let size = start.checked_add(layout.size())?;
        let align = layout.align().max(PAGE);
        let chunk = self.allocate(Layout::from_size_align(size, align).ok()?, page)?;
        // SAFETY: just made, and the page lies within.
        unsafe {
            self.large.push(chunk);
            Some(((*chunk).base.add(page).cast(), chunk, start - page))
        }
    }

    /// Frees a block that shares no page.
    ///
    /// # Safety
    ///
    /// The page is one that [`take_large`](Memory::take_large) made, and the block isn't used any more.
    pub(super) unsafe fn give_large(&self, page: *const Page) {
        // SAFETY: as the caller says, and by the Chunk Invariant.
        unsafe {
            let chunk = (*page).chunk.get();
            self.large.remove(chunk);
            self.deallocate(chunk);
        }
    }

    /// # Safety
    ///
    /// The chunk is on no list, and nothing in it is used any more.
    unsafe fn deallocate(&self, chunk: *const Chunk) {
        // SAFETY: allocated with this layout, by the Chunk Invariant; the record is in the memory
        // itself, and was read before.
        unsafe {
            let (base, layout) = ((*chunk).base, (*chunk).layout);
            self.bytes.set(self.bytes.get() - layout.size());
            self.source.dealloc(base, layout);
        }
    }

    /// Gives back idle chunks.
    pub(super) fn give_idle(&self, which: Idle) {
        let now = self.rounds.get();
        let mut kept = 0;
        // SAFETY: a chunk on a list is valid, and one that is idle has no blocks, by the Chunk
        // Invariant; only the one that is looked at leaves the list.
        unsafe {
            self.idle.for_each(|chunk| {
                let pages = (*chunk).pages();
                let spared = which == Idle::SinceLast && kept + pages <= KEPT;
                if spared {
                    kept += pages;
                } else if which == Idle::Any || (*chunk).idle_since.get() != now {
                    self.idle.remove(chunk);
                    self.idle_pages.set(self.idle_pages.get() - pages);
                    self.pages.set(self.pages.get() - pages);
                    self.deallocate(chunk);
                }
            });
        }
        self.rounds.set(now.wrapping_add(1));
    }

    /// Calls `look` with each block that has live contents.
    ///
    /// # Safety
    ///
    /// On the loop's thread. Each block in use begins with the caller's word. `look` makes, frees
    /// and leaves none.
    pub(super) unsafe fn for_each(&self, look: &mut dyn FnMut(NonNull<u8>)) {
        // SAFETY: the pages before `opened` have a head, by the Chunk Invariant, and nothing is held in
        // those that were given back.
        unsafe {
            for list in [&self.full, &self.partial] {
                list.for_each(|chunk| {
                    for number in 0..(*chunk).opened.get() as usize {
                        let page = (*chunk).base.add(number * PAGE).cast::<Page>().cast_const();
                        if (*page).held() > 0 {
                            for_each(page, look);
                        }
                    }
                });
            }
            self.large.for_each(|chunk| {
                for_each(chunk.byte_sub(size_of::<Page>()).cast(), look);
            });
        }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // By the Region Invariant: this may be another thread than the loop's.
        if self.source.is_region() {
            return;
        }
        for list in [&self.full, &self.partial, &self.idle, &self.large] {
            while let Some(chunk) = NonNull::new(list.first().cast_mut()) {
                // SAFETY: on that list; no block is used once the memory is dropped, by the Count
                // Invariant of the shared part.
                unsafe {
                    list.remove(chunk.as_ptr());
                    self.deallocate(chunk.as_ptr());
                }
            }
        }
    }
}
