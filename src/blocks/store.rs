//! [`Store`]: blocks by size, in pages.
//!
//! **Class Invariant**: each page with blocks of a class, and with room, is on the list of that
//! class; one without room is on none. The first is the current one, of which blocks are taken. A
//! page without room is looked at when a block is [next](Look::Next) freed, which puts it on its list
//! again. One on a list is looked at when its [last](Look::Last) block is freed: behind the current
//! one it is then given back. The current one stays, since the next block is likely to be made
//! there; it is counted as quiet, and is [not](Look::Never) looked at until the next sweep, so that
//! one block made and freed over and over costs no look each time.
#![allow(unsafe_code)]

use core::alloc::Layout;
use core::cell::Cell;
use core::mem;
use core::ptr::{self, NonNull};

use super::list::List;
pub(super) use super::memory::Memory;
use super::memory::{Chunk, Idle, KEPT};
use super::page::{self, Count, LARGE, Look, MOST_ALIGN, PAGE, Page, page_of};
pub(super) use super::page::{owner_of, shared_of};
use super::words;
pub(super) use super::words::{returned_link, set_returned_link};
use crate::collections::SCARCE;

/// The sizes of blocks are multiples of this.
const GRAIN: usize = size_of::<usize>();

/// Bytes of the largest block that has a class for its size alone. Up to half a page, there is a class
/// for each number of blocks that a page has room for; what is larger shares no page.
const LARGEST: usize = if SCARCE { 16 } else { 128 } * GRAIN;

/// The number of the first class of which a page has a certain number of blocks, less that number.
const BY_COUNT: usize = LARGEST / GRAIN + 1;

/// Bytes of each page that there are for blocks.
pub(super) const ROOM: usize = PAGE - size_of::<Page>() - size_of::<Chunk>();

/// The fewest blocks that share a page: of a page with one, a look couldn't tell whether it had room.
const FEWEST: usize = 2;

const CLASSES: usize = BY_COUNT + ROOM / LARGEST + 1;

const _: () = assert!(ROOM / LARGEST >= FEWEST);

/// So many blocks are linked at a time in a page that was not written to before.
const BATCH: usize = 16;

/// An empty current page is given back at each rest of so many, where nothing else is a reason to.
const RESTS: u32 = 16;

pub(super) struct Store {
    classes: [List<Page>; CLASSES],
    memory: Memory,
    owner: Cell<*const ()>,
    shared: Cell<*const ()>,
    /// Current pages that were noticed to have become empty.
    quiet: Cell<usize>,
    /// The number of times that the loop came to rest.
    rests: Cell<u32>,
}

impl Store {
    /// Returns a store without memory. Its blocks will lead to `shared`.
    #[inline(always)]
    pub(super) fn new(shared: *const ()) -> Store {
        Store {
            classes: [const { List::new() }; CLASSES],
            memory: Memory::default(),
            owner: Cell::new(ptr::null()),
            shared: Cell::new(shared),
            quiet: Cell::new(0),
            rests: Cell::new(0),
        }
    }

    pub(super) fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Returns what the blocks have as shared part.
    #[inline]
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

    /// Returns the number of the class for a layout, `None` where a block shares no page.
    #[inline]
    fn class_of(layout: Layout) -> Option<usize> {
        // The size is a multiple of the alignment, and so are the addresses, by the Slot Invariant.
        if layout.align() > MOST_ALIGN { None } else { Store::class_of_size(layout.size()) }
    }

    #[inline]
    fn class_of_size(size: usize) -> Option<usize> {
        if size <= LARGEST {
            return Some(size.div_ceil(GRAIN));
        }
        let count = ROOM / size.next_multiple_of(MOST_ALIGN);
        (count >= FEWEST).then_some(BY_COUNT + count)
    }

    /// Returns how large the blocks of a class are; of that size, the class is the same.
    fn size_of_class(class: usize) -> usize {
        match class.checked_sub(BY_COUNT) {
            None | Some(0) => class * GRAIN,
            Some(count) => ROOM / count / MOST_ALIGN * MOST_ALIGN,
        }
    }

    /// Makes a block of a [padded](super::block::padded) layout, if its class has one ready.
    #[inline]
    pub(super) fn pop(&self, layout: Layout) -> Option<NonNull<u8>> {
        let page = self.classes[Store::class_of(layout)?].first();
        if page.is_null() {
            return None;
        }
        // SAFETY: a page on a list is valid, and of its class, by the Class Invariant; the blocks
        // linked there are free.
        unsafe {
            let block = NonNull::new((*page).free.get())?;
            (*page).free.set(words::free_link(block.as_ptr()));
            (*page).look_in.set((*page).look_in.get() + 1);
            words::check_poison(block.as_ptr(), (*page).size.get() as usize);
            Some(block)
        }
    }

    /// Makes a block of a [padded](super::block::padded) layout where [`pop`](Store::pop) found none;
    /// `None` where the limit is reached or the allocator has no memory.
    #[cold]
    pub(super) fn grow(&self, layout: Layout) -> Option<NonNull<u8>> {
        let made = || match Store::class_of(layout) {
            Some(class) => self.make_more(class).and_then(|()| self.pop(layout)),
            None => self.make_large(layout),
        };
        made().or_else(|| {
            // The memory kept for blocks to come may be just what is missing.
            self.release();
            made()
        })
    }

    /// Has free blocks in the current page of a class that has none ready.
    fn make_more(&self, class: usize) -> Option<()> {
        let list = &self.classes[class];
        let mut page = list.first();
        // SAFETY: the pages on the list are valid, by the Class Invariant. One that is exhausted
        // leaves it; the one that follows has free blocks, or some to be made.
        unsafe {
            if !page.is_null() && (*page).free.get().is_null() && !Store::link_more(page) {
                list.remove(page);
                (*page).set_look(Look::Next);
                page = list.first();
            }
            if page.is_null() {
                page = self.open_page(class)?;
            }
            if (*page).free.get().is_null() {
                Store::link_more(page);
            }
        }
        Some(())
    }

    /// Makes blocks in a page that was not written to before. Returns whether it had room for some.
    ///
    /// # Safety
    ///
    /// The page is on a class's list, and has no free block.
    unsafe fn link_more(page: *const Page) -> bool {
        // SAFETY: the page is valid, as the caller says; what lies behind `made` is no block yet,
        // by the Slot Invariant.
        unsafe {
            let (made, size) = ((*page).made.get() as usize, (*page).size.get() as usize);
            let count = BATCH.min((PAGE - made) / size);
            (*page).made.set((made + count * size) as Count);
            // The first is to be handed out first.
            for number in (0..count).rev() {
                let block = page.cast_mut().cast::<u8>().add(made + number * size);
                Store::link_free(page, block);
            }
            count > 0
        }
    }

    /// # Safety
    ///
    /// The block is one of the page's, and its memory is held by nothing.
    #[inline]
    unsafe fn link_free(page: *const Page, block: *mut u8) {
        // SAFETY: the page is valid, as the caller says, and the block's memory is the store's.
        unsafe {
            words::poison(block, (*page).size.get() as usize);
            words::set_free_link(block, (*page).free.replace(block));
        }
    }

    /// Puts a page without blocks on the list of a class that has none with room.
    fn open_page(&self, class: usize) -> Option<*const Page> {
        let (page, chunk) = self.memory.take_page()?;
        let size = Store::size_of_class(class) as Count;
        let head = Page::new(self.owner.get(), self.shared.get(), chunk, size);
        // SAFETY: the page was taken, so its memory is the store's. No thread holds a block of it, so
        // that its head may be written, by the Head Invariant.
        unsafe {
            page.write(head);
            (*page).made.set(page::first_block(page) as Count);
            self.classes[class].push(page);
        }
        Some(page)
    }

    fn make_large(&self, layout: Layout) -> Option<NonNull<u8>> {
        let (page, chunk, start) = self.memory.take_large(layout)?;
        let head = Page::new(self.owner.get(), self.shared.get(), chunk, LARGE);
        // SAFETY: just made for this head and one block, which begins at `start`.
        unsafe {
            page.write(head);
            (*page).made.set(start as Count);
            (*page).look_in.set(1);
            Some(NonNull::new_unchecked(page.cast::<u8>().add(start)))
        }
    }

    /// Frees a block.
    ///
    /// # Safety
    ///
    /// On the loop's thread. This store made the block, and nothing holds its memory.
    #[inline]
    pub(super) unsafe fn free(&self, block: NonNull<u8>) {
        // SAFETY: the block has a page of this store, by the Address Invariant, which is valid while
        // it has blocks out.
        unsafe {
            page::check_slot(block.as_ptr());
            let page = page_of(block.as_ptr());
            Store::link_free(page, block.as_ptr());
            let look_in = (*page).look_in.get() - 1;
            (*page).look_in.set(look_in);
            if look_in == 0 {
                self.look_closer(page);
            }
        }
    }

    /// Does what a freed block is the reason for, by the Class Invariant.
    ///
    /// # Safety
    ///
    /// The page is one of this store's, and a block of it was just freed.
    #[cold]
    unsafe fn look_closer(&self, page: *const Page) {
        // SAFETY: the page is valid, as the caller says, and on a list if none is held.
        unsafe {
            let class = match (*page).size.get() {
                LARGE => None,
                size => Store::class_of_size(size as usize),
            };
            let Some(list) = class.map(|class| &self.classes[class]) else {
                return self.memory.give_large(page);
            };
            if (*page).held() > 0 {
                // It had no room until now.
                (*page).set_look(Look::Last);
                let current = list.first();
                if current.is_null() {
                    list.push(page);
                } else {
                    list.insert_behind(current, page);
                }
            } else if page == list.first() {
                (*page).set_look(Look::Never);
                self.quiet.set(self.quiet.get() + 1);
            } else {
                list.remove(page);
                self.memory.give_page(page);
            }
        }
    }

    /// Gives all memory back that is not in use.
    #[cold]
    pub(super) fn release(&self) {
        self.empty_classes();
        self.memory.give_idle(Idle::Any);
    }

    /// Gives memory back that hasn't been needed for a while, if there is enough to be worth it.
    #[inline]
    pub(super) fn rest(&self) {
        let rests = self.rests.get().wrapping_add(1);
        self.rests.set(rests);
        // An empty current page may be all that keeps its chunk from being idle; but a block made
        // and freed in each turn empties one each time, too.
        let quiet = self.quiet.get() > 0 && rests % RESTS == 0 && self.memory.pages() > KEPT;
        if quiet || self.memory.idle_pages() > KEPT {
            self.sweep();
        }
    }

    #[cold]
    fn sweep(&self) {
        self.empty_classes();
        self.memory.give_idle(Idle::SinceLast);
    }

    /// Gives back the current pages that are empty.
    fn empty_classes(&self) {
        for list in &self.classes {
            let page = list.first();
            if page.is_null() {
                continue;
            }
            // SAFETY: a page on a list is valid, and none of an empty one's blocks is held.
            unsafe {
                if (*page).held() > 0 {
                    (*page).set_look(Look::Last);
                } else {
                    list.remove(page);
                    self.memory.give_page(page);
                }
            }
        }
        self.quiet.set(0);
    }
}
