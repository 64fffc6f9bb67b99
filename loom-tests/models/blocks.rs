//! Blocks with memory that other threads hold, and the end of the loop that made them.
#![allow(unsafe_code)]

use core::alloc::Layout;
use core::ptr::NonNull;
use std::sync::atomic;

use super::check::{Search, check, size, thread};
use crate::blocks::{Pages, free_remote, remote_of};
use crate::sync::{Arc, AtomicUsize, Ordering, UnsafeCell};

/// The remote part that a loop's blocks lead other threads to: a cell for each of them, and its own
/// drop, which must come after all uses.
struct Far {
    used: [UnsafeCell<u32>; 8],
    /// Not loom's: to count changes no order.
    dropped: std::sync::Arc<atomic::AtomicUsize>,
}

// SAFETY: each thread uses a cell of its own, and that the drop comes later is what is tried.
unsafe impl Sync for Far {}
// SAFETY: as above.
unsafe impl Send for Far {}

impl Drop for Far {
    fn drop(&mut self) {
        for cell in &self.used {
            // SAFETY: dropped once.
            cell.with_mut(|used| unsafe { *used += 1 });
        }
        self.dropped.fetch_add(1, atomic::Ordering::SeqCst);
    }
}

/// The one holder of a left block's memory, and what marks its steps for loom.
struct Held(NonNull<u8>, usize, Arc<AtomicUsize>);

// SAFETY: the memory of a left block may be held by any thread.
unsafe impl Send for Held {}

impl Held {
    /// Uses what the block leads to, and returns it.
    fn give_back(self) {
        mark(&self.2);
        // SAFETY: the block was left, and this is its one holder; the cell is this thread's.
        unsafe {
            remote_of::<Far>(self.0).used[self.1].with_mut(|used| *used += 1);
            free_remote::<Far>(self.0);
        }
        mark(&self.2);
    }
}

/// A step that loom tries in each order with the others: the loop's only reads when it looks
/// for returned blocks, which is no cause for it. Publishes nothing.
fn mark(steps: &AtomicUsize) {
    steps.fetch_add(1, Ordering::Relaxed);
}

/// A loop's part of a model.
struct Loop {
    pages: Pages<(), Far>,
    threads: Vec<thread::JoinHandle<()>>,
    steps: Arc<AtomicUsize>,
    dropped: std::sync::Arc<atomic::AtomicUsize>,
}

impl Loop {
    fn collect(&self) {
        mark(&self.steps);
        self.pages.collect_remote();
    }

    /// Waits for the threads, and collects what they have returned.
    fn join(&mut self) {
        self.threads.drain(..).for_each(|thread| thread.join().unwrap());
        self.pages.collect_remote();
        #[cfg(loom)]
        assert_eq!(self.pages.bytes(), 0);
        assert_eq!(self.dropped.load(atomic::Ordering::SeqCst), 0);
    }

    /// Ends the loop, and waits for the threads that are left.
    fn end(self) {
        drop(self.pages);
        self.threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(self.dropped.load(atomic::Ordering::SeqCst), 1);
    }
}

/// Makes so many blocks, and leaves each to a thread that gives it back.
fn left(threads: usize) -> Loop {
    let dropped = std::sync::Arc::new(atomic::AtomicUsize::new(0));
    let far = Far { used: core::array::from_fn(|_| UnsafeCell::new(0)), dropped: dropped.clone() };
    let pages = Pages::new(far);
    let steps = Arc::new(AtomicUsize::new(0));
    let blocks: Vec<_> = (0..threads)
        .map(|number| {
            let block = pages.alloc(Layout::new::<[usize; 4]>()).expect("memory");
            // SAFETY: a block has two words and more. Nothing else uses it before it is left.
            unsafe {
                block.cast::<*const u64>().write(&0);
                pages.leave(block);
            }
            Held(block, number, Arc::clone(&steps))
        })
        .collect();
    let threads = blocks.into_iter().map(|held| thread::spawn(move || held.give_back())).collect();
    Loop { pages, threads, steps, dropped }
}

/// A return while the loop collects: the block is freed, at once or by the next look.
#[test]
fn return_against_collect() {
    check("return_against_collect", Search::All, || {
        let mut looped = left(1);
        looped.collect();
        looped.join();
        looped.end();
    });
}

/// Returns against each other, and against a loop that takes them all at once: none is lost.
#[test]
fn returns_against_each_other() {
    check("returns_against_each_other", Search::Preemptions(3), || {
        let mut looped = left(size(2, 8));
        looped.collect();
        looped.join();
        looped.end();
    });
}

/// A return while the loop ends: one of the two frees the memory, after both have used it.
#[test]
fn return_against_end() {
    check("return_against_end", Search::All, || left(1).end());
}

/// Returns and the end of a loop that has collected some of them: the last of all frees the memory.
#[test]
fn returns_against_end() {
    check("returns_against_end", Search::Preemptions(3), || {
        let looped = left(size(2, 8));
        looped.collect();
        looped.end();
    });
}
