//! The amount of memory that is taken, and when it is given back.

#[cfg(not(callsoon_plain))]
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::harness::{Block, Loop};
#[cfg(not(callsoon_plain))]
use crate::blocks::{
    memory::{KEPT, MOST_PAGES},
    page::{MOST_ALIGN, PAGE},
    store::ROOM,
};
use crate::collections::SCARCE;

/// The bytes that an idle loop may keep.
#[cfg(not(callsoon_plain))]
pub(super) const KEPT_BYTES: usize = KEPT * PAGE;
#[cfg(callsoon_plain)]
pub(super) const KEPT_BYTES: usize = 0;
/// The most that one block keeps from being given back.
#[cfg(not(callsoon_plain))]
const CHUNK: usize = MOST_PAGES * PAGE;
#[cfg(callsoon_plain)]
const CHUNK: usize = 1024;

/// Bytes of a block. By these and their number each chunk of a burst is in use, so that all bursts take the same.
const SIZE: usize = if SCARCE { 120 } else { 104 };

/// Blocks that fill several of the largest chunks.
const BURST: usize = 40_010;

fn burst(pages: &Loop, count: usize) -> usize {
    let blocks: Vec<Block> = (0..count).map(|_| pages.made(SIZE)).collect();
    let bytes = pages.pages.bytes();
    blocks.into_iter().for_each(|block| pages.free(block));
    bytes
}

#[test]
fn nothing_is_taken_before_it_is_needed() {
    let pages = Loop::new();
    assert_eq!(pages.pages.bytes(), 0);
    pages.pages.release_idle();
    pages.pages.collect_remote();
    assert!(pages.walked().is_empty());
    assert_eq!((pages.pages.bytes(), pages.pages.live()), (0, 0));
}

#[test]
fn a_burst_is_given_back() {
    let pages = Loop::new();
    assert!(burst(&pages, BURST) > BURST * SIZE);
    (0..3).for_each(|_| pages.pages.release_idle());
    assert!(pages.pages.bytes() <= KEPT_BYTES, "{} bytes", pages.pages.bytes());
}

/// Memory that each turn needs isn't given back between them.
#[cfg(not(callsoon_plain))]
#[test]
fn bursts_in_each_turn_keep_their_memory() {
    let pages = Loop::new();
    let bytes = burst(&pages, BURST);
    for _ in 0..5 {
        pages.pages.release_idle();
        assert_eq!(pages.pages.bytes(), bytes);
        assert_eq!(burst(&pages, BURST), bytes);
    }
    // Half of it is still needed: the other half isn't.
    for _ in 0..3 {
        pages.pages.release_idle();
        burst(&pages, BURST / 2);
    }
    assert!(pages.pages.bytes() < bytes * 3 / 4, "{} of {bytes} bytes", pages.pages.bytes());
}

/// A page from which blocks are taken keeps no chunk when it is empty.
#[test]
fn an_empty_current_page_is_given_back() {
    let pages = Loop::new();
    for words in 4..60 {
        let block = pages.made(8 * words);
        pages.free(block);
    }
    (0..40).for_each(|_| pages.pages.release_idle());
    assert!(pages.pages.bytes() <= KEPT_BYTES, "{} bytes", pages.pages.bytes());
}

/// A size of which blocks are in use all the time keeps one chunk, and not those beside it.
#[test]
fn one_block_keeps_one_chunk() {
    let pages = Loop::new();
    let mut blocks: Vec<Block> = (0..BURST).map(|_| pages.made(104)).collect();
    let last = blocks.pop().expect("a block");
    blocks.into_iter().for_each(|block| pages.free(block));
    (0..3).for_each(|_| pages.pages.release_idle());
    assert!(pages.pages.bytes() <= KEPT_BYTES + CHUNK, "{} bytes", pages.pages.bytes());
    last.check();
    pages.free(last);
    assert_eq!(pages.pages.live(), 0);
}

/// A block takes little more than its size, whatever that is.
#[cfg(not(callsoon_plain))]
#[test]
fn blocks_of_any_size_waste_little() {
    const LIMIT: usize = 16 * PAGE;
    for count in [2, 3, 4, 6, 9, 16, 31, 32, 300] {
        // No multiple of anything, and just so small that a page has room for so many.
        let size = (ROOM / count / MOST_ALIGN * MOST_ALIGN).saturating_sub(7);
        if size < 50 {
            continue;
        }
        let pages = Loop::new();
        pages.pages.set_limit(Some(LIMIT));
        let blocks: Vec<Block> = core::iter::from_fn(|| pages.alloc(size, 8)).collect();
        let used = blocks.len() * size;
        assert!(used * 10 > LIMIT * 7, "{} blocks of {size} bytes", blocks.len());
        let places: BTreeSet<usize> = blocks.iter().map(|block| block.address() / PAGE).collect();
        assert!(places.len() <= LIMIT / PAGE, "{} pages", places.len());
        blocks.into_iter().for_each(|block| pages.free(block));
    }
}

#[test]
fn a_limit_refuses_and_is_lifted() {
    let pages = Loop::new();
    pages.pages.set_limit(Some(200_000));
    let blocks: Vec<Block> = core::iter::from_fn(|| pages.alloc(104, 8)).collect();
    assert!(pages.pages.bytes() <= 200_000);
    assert!(blocks.len() > 800, "{} blocks", blocks.len());
    assert_eq!(pages.pages.live(), blocks.len());
    assert!(pages.alloc(300_000, 8).is_none());
    pages.pages.set_limit(None);
    let more = pages.made(104);
    let large = pages.made(300_000);
    for block in blocks.into_iter().chain([more, large]) {
        pages.free(block);
    }
}

/// A freed block is used again although the limit is reached.
#[test]
fn a_limit_lets_freed_blocks_be_used() {
    let pages = Loop::new();
    pages.pages.set_limit(Some(40_000));
    let mut blocks: Vec<Block> = core::iter::from_fn(|| pages.alloc(104, 8)).collect();
    let left = pages.leave(blocks.pop().expect("a block"));
    assert!(pages.alloc(104, 8).is_none());
    left.free();
    blocks.push(pages.alloc(104, 8).expect("the block that was returned"));
    pages.free(blocks.pop().expect("a block"));
    blocks.push(pages.alloc(104, 8).expect("the block that was freed"));
    blocks.into_iter().for_each(|block| pages.free(block));
}

/// Memory kept for later blocks is freed for a block that is asked for.
#[test]
fn kept_memory_makes_room_under_a_limit() {
    let pages = Loop::new();
    burst(&pages, BURST);
    for words in 4..60 {
        pages.free(pages.made(8 * words));
    }
    let bytes = pages.pages.bytes();
    pages.pages.set_limit(Some(200_000));
    let large = pages.made(150_000);
    assert!(pages.pages.bytes() <= 200_000, "{} bytes of {bytes}", pages.pages.bytes());
    pages.free(large);
    let others: Vec<Block> = core::iter::from_fn(|| pages.alloc(250, 8)).collect();
    assert!(others.len() * 250 > 140_000, "{} blocks", others.len());
    others.into_iter().for_each(|block| pages.free(block));
}

#[test]
fn a_failing_allocator_is_none() {
    let pages = Loop::new();
    let first = pages.made(104);
    let bytes = pages.pages.bytes();
    assert!(pages.alloc(isize::MAX as usize - 7, 8).is_none());
    pages.pages.refuse(true);
    assert!(pages.alloc(100_000, 8).is_none());
    let others: Vec<Block> = core::iter::from_fn(|| pages.alloc(512, 8)).collect();
    assert!(others.is_empty());
    assert_eq!((pages.pages.bytes(), pages.pages.live()), (bytes, 1));
    pages.pages.refuse(false);
    let second = pages.made(512);
    pages.free(first);
    pages.free(second);
}
