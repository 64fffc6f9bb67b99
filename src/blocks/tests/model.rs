//! Random uses against a plain list of what is in use.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::harness::{Block, Left, Loop};

/// A size as tasks have them, and seldom one that shares no page.
fn some_layout(random: &mut fastrand::Rng) -> (usize, usize) {
    let size = match random.u32(0..100) {
        0..60 => 8 * random.usize(4..32),
        60..90 => random.usize(0..600),
        90..96 => random.usize(600..1200),
        96..99 => random.usize(1_200..18_000),
        _ => random.usize(18_000..40_000),
    };
    let align = match random.u32(0..100) {
        0..80 => 8,
        80..98 => 1 << random.u32(0..8),
        _ => 1 << random.u32(8..18),
    };
    (size, align)
}

fn check(pages: &Loop, blocks: &[Block]) {
    let expected: BTreeSet<usize> = blocks.iter().map(Block::address).collect();
    assert_eq!(pages.walked(), expected);
    assert_eq!(pages.pages.live(), blocks.len());
    assert!(pages.pages.bytes() >= blocks.iter().map(Block::size).sum());
}

fn run(seed: u64, steps: u32) {
    let mut random = fastrand::Rng::with_seed(seed);
    let pages = Loop::new();
    let mut blocks: Vec<Block> = Vec::new();
    let mut left: Vec<Left> = Vec::new();
    let mut grows = true;
    for step in 0..steps {
        if step % 500 == 0 {
            grows = !grows || blocks.len() < 50;
        }
        match random.u32(0..100) {
            n if n < if grows { 60 } else { 35 } => {
                let (size, align) = some_layout(&mut random);
                let block = pages.alloc(size, align).expect("memory");
                block.check();
                pages.check_leads(&block);
                blocks.push(block);
            }
            0..90 if !blocks.is_empty() => {
                let block = blocks.swap_remove(random.usize(..blocks.len()));
                pages.free(block);
            }
            90..94 if !blocks.is_empty() => {
                let block = blocks.swap_remove(random.usize(..blocks.len()));
                left.push(pages.leave(block));
            }
            94..97 if !left.is_empty() => left.swap_remove(random.usize(..left.len())).free(),
            97 => pages.pages.collect_remote(),
            98 => pages.pages.release_idle(),
            99 => check(&pages, &blocks),
            _ => {}
        }
    }
    blocks.into_iter().for_each(|block| pages.free(block));
    left.into_iter().for_each(Left::free);
    pages.pages.collect_remote();
    for _ in 0..40 {
        pages.pages.release_idle();
    }
    assert_eq!(pages.pages.live(), 0);
    assert!(pages.walked().is_empty());
    assert!(pages.pages.bytes() <= super::idle::KEPT_BYTES, "{} bytes", pages.pages.bytes());
    let dropped = pages.fars_dropped.clone();
    drop(pages);
    assert_eq!(dropped.load(core::sync::atomic::Ordering::Relaxed), 1);
}

#[test]
fn random_blocks_keep_their_contents() {
    for seed in 0..10 {
        run(seed, 3_000);
    }
}

#[test]
fn every_size_and_alignment() {
    let pages = Loop::new();
    let mut blocks = Vec::new();
    for size in (0..1_300).chain([4_096, 32_768, 100_000]) {
        for align in (0..8).map(|power| 1 << power) {
            blocks.push(pages.alloc(size, align).expect("memory"));
        }
    }
    for size in (1_300..20_000).step_by(7) {
        blocks.push(pages.alloc(size, 8).expect("memory"));
    }
    for align in (8..20).map(|power| 1 << power) {
        blocks.push(pages.alloc(24, align).expect("memory"));
    }
    for block in &blocks {
        block.check();
        pages.check_leads(block);
    }
    blocks.into_iter().for_each(|block| pages.free(block));
    assert_eq!(pages.pages.live(), 0);
}
