//! A heap that notes the most that was taken from it.

use core::alloc::{GlobalAlloc, Layout};
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicUsize, Ordering};

use embedded_alloc::LlffHeap;

struct Heap(LlffHeap);

const SIZE: usize = 40 << 10;

#[global_allocator]
static HEAP: Heap = Heap(LlffHeap::empty());

#[unsafe(no_mangle)]
static HEAP_PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: Everything is left to the heap.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: The caller's promises are the same.
        let block = unsafe { self.0.alloc(layout) };
        HEAP_PEAK.fetch_max(self.0.used(), Ordering::Relaxed);
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: As above.
        unsafe { self.0.dealloc(block, layout) };
    }
}

/// To be called once.
pub fn init() {
    #[unsafe(link_section = ".uninit.heap")]
    static mut MEMORY: MaybeUninit<[u8; SIZE]> = MaybeUninit::uninit();
    // SAFETY: Nothing else uses the memory, and nothing was allocated before.
    unsafe { HEAP.0.init((&raw mut MEMORY).expose_provenance(), SIZE) };
}
