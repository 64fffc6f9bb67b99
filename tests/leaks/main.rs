//! Nothing leaks: what came and went is gone to the last byte, and so is a loop that is dropped
//! with everything pending. A loop that does the same again and again allocates nothing for it.
//!
//! Counted is what each thread allocates and frees, so that the tests may run side by side.
#![allow(unsafe_code)] // an allocator that counts can't be made without

#[path = "../support/mod.rs"]
mod support;

mod comings_and_goings;
mod dropped_loops;
mod regions;
mod steady_loops;
mod wake_floods;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use std::time::Duration;

use callsoon::{ErrorKind, EventLoop};

struct Counting;

thread_local! {
    static BYTES: Cell<isize> = const { Cell::new(0) };
    static BLOCKS: Cell<isize> = const { Cell::new(0) };
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

/// A thread that ends frees what it has, and then has no count any more.
fn count(bytes: isize, blocks: isize) {
    let _ = BYTES.try_with(|count| count.set(count.get() + bytes));
    let _ = BLOCKS.try_with(|count| count.set(count.get() + blocks));
    if blocks > 0 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
    }
}

// SAFETY: Everything is the system allocator's; counting touches two cells of the thread, which
// need no allocation and no drop.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize, 1);
        // SAFETY: The caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(-(layout.size() as isize), -1);
        // SAFETY: The caller's promises are passed on.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes and blocks that this thread has allocated and not freed.
pub(crate) fn in_use() -> (isize, isize) {
    (BYTES.get(), BLOCKS.get())
}

/// The number of allocations that this thread has made, those by growth included.
pub(crate) fn allocations() -> usize {
    ALLOCATIONS.get()
}

/// Runs `body` twice to let it fill what is kept on purpose, and asserts that further runs leave
/// nothing.
#[track_caller]
pub(crate) fn leaves_nothing(times: usize, mut body: impl FnMut()) {
    support::log_lines::log_nowhere();
    body();
    body();
    let before = in_use();
    for _ in 0..times {
        body();
    }
    assert_eq!(in_use(), before, "(bytes, blocks) in use");
}

/// Runs until nothing is left to do, so that the loop gives back what a burst has left behind.
pub(crate) fn run_dry(event_loop: &EventLoop) {
    match event_loop.run_forever() {
        Err(error) => assert_eq!(error.kind(), ErrorKind::Stalled),
        Ok(()) => panic!("nothing stops it"),
    }
    // A page that is empty is kept for a number of rests.
    for _ in 0..64 {
        assert_eq!(event_loop.run_once(Some(Duration::ZERO)).unwrap(), 0);
    }
}
