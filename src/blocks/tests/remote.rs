//! Blocks that other threads hold.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use std::sync::Barrier;
use std::thread;

use super::harness::{Left, Loop, memory};
use crate::blocks::Region;

const THREADS: usize = 4;

/// Leaves blocks of several sizes, a share for each thread.
fn shares(pages: &Loop, count: usize) -> Vec<Vec<Left>> {
    let mut shares: Vec<Vec<Left>> = (0..THREADS).map(|_| Vec::new()).collect();
    for number in 0..count {
        let size = if number % 50 == 0 { 5_000 } else { 40 + 8 * (number % 9) };
        let block = pages.made(size);
        shares[number % THREADS].push(pages.leave(block));
    }
    shares
}

#[test]
fn left_blocks_are_counted_no_more() {
    let pages = Loop::new();
    let (kept, given) = (pages.made(64), pages.made(64));
    let left = pages.leave(given);
    assert_eq!(pages.pages.live(), 1);
    assert_eq!(pages.walked().into_iter().collect::<Vec<_>>(), [kept.address()]);
    left.free();
    assert_eq!(pages.walked().len(), 1);
    pages.pages.collect_remote();
    assert_eq!(pages.pages.live(), 1);
    pages.free(kept);
}

#[test]
fn threads_return_blocks_while_the_loop_makes_them() {
    let pages = Loop::new();
    for _ in 0..10 {
        let threads: Vec<_> = shares(&pages, 2_000)
            .into_iter()
            .map(|share| thread::spawn(move || share.into_iter().for_each(Left::free)))
            .collect();
        for number in 0..2_000 {
            let block = pages.made(40 + 8 * (number % 9));
            pages.free(block);
            pages.pages.collect_remote();
        }
        threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
    }
    pages.pages.collect_remote();
    (0..40).for_each(|_| pages.pages.release_idle());
    assert!(pages.pages.bytes() <= super::idle::KEPT_BYTES, "{} bytes", pages.pages.bytes());
}

#[test]
fn pages_end_after_the_last_return() {
    let pages = Loop::new();
    let dropped = pages.fars_dropped.clone();
    shares(&pages, 500).into_iter().flatten().for_each(Left::free);
    assert_eq!(pages.fars_dropped(), 0);
    // Not collected: the end frees what was returned, too.
    drop(pages);
    assert_eq!(dropped.load(Ordering::Relaxed), 1);
}

#[test]
fn pages_end_before_the_last_return() {
    let pages = Loop::new();
    let dropped = pages.fars_dropped.clone();
    let mut left: Vec<Left> = shares(&pages, 500).into_iter().flatten().collect();
    let last = left.pop().expect("a block");
    left.split_off(250).into_iter().for_each(Left::free);
    pages.pages.collect_remote();
    left.split_off(100).into_iter().for_each(Left::free);
    drop(pages);
    left.into_iter().for_each(Left::free);
    assert_eq!(dropped.load(Ordering::Relaxed), 0);
    thread::spawn(move || last.free()).join().expect("no panic");
    assert_eq!(dropped.load(Ordering::Relaxed), 1);
}

#[test]
fn pages_end_while_threads_return_blocks() {
    for _ in 0..100 {
        let pages = Loop::new();
        let dropped = pages.fars_dropped.clone();
        let barrier = Arc::new(Barrier::new(THREADS + 1));
        let threads: Vec<_> = shares(&pages, 40)
            .into_iter()
            .map(|share| {
                let barrier = barrier.clone();
                thread::spawn(move || {
                    barrier.wait();
                    share.into_iter().for_each(Left::free);
                })
            })
            .collect();
        barrier.wait();
        pages.pages.collect_remote();
        drop(pages);
        threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
        assert_eq!(dropped.load(Ordering::Relaxed), 1);
    }
}

/// Memory that may still be used is never freed.
#[test]
fn pages_that_end_with_blocks_in_use_keep_them() {
    let pages = Loop::new();
    let dropped = pages.fars_dropped.clone();
    let (block, other) = (pages.made(64), pages.made(64));
    let left = pages.leave(other);
    drop(pages);
    left.free();
    assert_eq!(dropped.load(Ordering::Relaxed), 0);
    block.check();
    // So that the test leaks nothing.
    block.into_left().free();
    assert_eq!(dropped.load(Ordering::Relaxed), 1);
}

#[test]
fn a_block_outlives_its_pages_in_a_region() {
    let own = Loop::new();
    own.pages.set_region(Region::new(memory(200 * 1024)).expect("a region"));
    let left = own.leave(own.made(64));
    let dropped = own.fars_dropped.clone();
    drop(own);
    thread::spawn(move || left.free()).join().unwrap();
    assert_eq!(dropped.load(Ordering::Relaxed), 1);
}
