//! Pages in a region: within it, bounded by it, and sharing it.

use alloc::vec::Vec;
use core::alloc::Layout;

use super::harness::{Block, Loop, memory};
use crate::blocks::Region;

/// Bytes of a region: several pages also where a page is large.
const BYTES: usize = 300 * 1024;

fn region() -> &'static Region {
    Region::new(memory(BYTES)).expect("a region")
}

fn in_region(region: &'static Region) -> Loop {
    let own = Loop::new();
    own.pages.set_region(region);
    own
}

/// Makes blocks until there is no memory for another.
fn fill(own: &Loop, size: usize) -> Vec<Block> {
    let blocks: Vec<Block> = core::iter::from_fn(|| own.alloc(size, 8)).collect();
    assert!(!blocks.is_empty());
    blocks
}

#[test]
fn blocks_lie_in_their_region_until_it_is_full() {
    let place = memory(BYTES);
    let (start, end) = (place.as_ptr().addr(), place.as_ptr_range().end.addr());
    let own = in_region(Region::new(place).unwrap());
    for size in [40, 96, 1_000, 40_000, 24] {
        let blocks = fill(&own, size);
        let whole = size * blocks.len();
        assert!((BYTES / 8..BYTES).contains(&whole), "{whole} bytes of blocks of {size}");
        assert!(own.pages.bytes() <= BYTES);
        for block in blocks {
            assert!(block.address() >= start && block.address() + size <= end);
            own.free(block);
        }
    }
}

#[test]
fn mixed_blocks_keep_their_contents_in_a_full_region() {
    let own = in_region(region());
    let mut random = fastrand::Rng::with_seed(5);
    let (mut blocks, mut refused) = (Vec::new(), 0);
    for _ in 0..20_000 {
        if blocks.is_empty() || random.u8(..100) < 55 {
            let size = 16 << random.u32(..12);
            match own.alloc(random.usize(16..=size), 1 << random.u32(..8)) {
                Some(block) => blocks.push(block),
                None => refused += 1,
            }
        } else {
            own.free(blocks.swap_remove(random.usize(..blocks.len())));
        }
    }
    assert!(refused > 100, "{refused} refused");
    blocks.into_iter().for_each(|block| own.free(block));
    own.pages.release();
    assert_eq!(own.pages.bytes(), 0);
}

#[test]
fn what_one_user_of_a_region_releases_another_gets() {
    let shared = region();
    let (one, other) = (in_region(shared), in_region(shared));
    fill(&one, 64).into_iter().for_each(|block| one.free(block));
    one.pages.release();
    let blocks = fill(&other, 64);
    assert!(one.alloc(64, 8).is_none());
    for block in blocks {
        other.free(block);
    }
    other.pages.release();
    let last = one.made(64);
    one.free(last);
}

#[test]
fn a_region_needs_room_for_a_page() {
    for bytes in [0, 1, 16, 63] {
        assert!(Region::new(memory(bytes)).is_none());
    }
    // The memory may begin anywhere.
    for skipped in 1..70 {
        let own = in_region(Region::new(&mut memory(BYTES)[skipped..]).unwrap());
        let block = own.alloc(256, 64).expect("memory");
        own.free(block);
    }
}

#[test]
fn blocks_beyond_a_page_are_aligned_in_a_region() {
    let own = in_region(region());
    let layouts = [(100, 4096), (70_000, 65_536), (9, 32_768)];
    for (size, align) in layouts {
        let layout = Layout::from_size_align(size, align).unwrap();
        let block = own.alloc(layout.size(), layout.align()).expect("memory");
        block.check();
        own.free(block);
    }
}
