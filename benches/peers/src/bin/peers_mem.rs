//! `peers` with an allocator that counts the bytes asked of it (realloc included).
use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::Ordering::Relaxed,
};
struct Counting;
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, l: Layout) -> *mut u8 {
        peers::measure::ALLOCATED.fetch_add(l.size() as i64, Relaxed);
        unsafe { System.alloc(l) }
    }
    unsafe fn dealloc(&self, p: *mut u8, l: Layout) {
        peers::measure::ALLOCATED.fetch_sub(l.size() as i64, Relaxed);
        unsafe { System.dealloc(p, l) }
    }
}
#[global_allocator]
static A: Counting = Counting;
fn main() {
    peers::cli()
}
