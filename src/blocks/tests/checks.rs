//! Faults that assertions catch, where they are on: each test misuses a block as no caller may.
//!
//! The pages are forgotten after a fault, since what it has left of them isn't to be freed.
#![allow(unsafe_code)]

use core::mem::ManuallyDrop;

use super::harness::{Far, Loop};
use crate::blocks::free_remote;

#[test]
#[should_panic(expected = "a block is freed that is not in use")]
fn a_block_freed_twice_is_caught() {
    let pages = ManuallyDrop::new(Loop::new());
    let (_kept, block) = (pages.made(104), pages.made(104));
    let again = block.at;
    pages.free(block);
    // SAFETY: not sound; the page is still there, so that the assertion is what comes first.
    unsafe { pages.pages.free(again) }
}

#[test]
#[should_panic(expected = "a part of a block is freed")]
fn a_part_of_a_block_freed_is_caught() {
    let pages = ManuallyDrop::new(Loop::new());
    let block = pages.made(104);
    // SAFETY: not sound; the page is still there, so that the assertion is what comes first.
    unsafe {
        let part = block.at.add(32);
        part.cast::<*const u64>().write(&0);
        pages.pages.free(part);
    }
}

#[test]
#[should_panic(expected = "a block was written to while free")]
fn a_write_to_a_free_block_is_caught() {
    let pages = ManuallyDrop::new(Loop::new());
    let (_kept, block) = (pages.made(104), pages.made(104));
    let spoilt = block.at;
    pages.free(block);
    // SAFETY: not sound; the page is still there, so that the write meets free memory of the pages.
    unsafe { spoilt.add(103).write(0) }
    pages.made(104);
}

#[test]
#[should_panic(expected = "a block is returned that was not left")]
fn a_return_of_a_block_in_use_is_caught() {
    let pages = ManuallyDrop::new(Loop::new());
    let block = pages.made(104);
    // SAFETY: not sound; the block is there, so that the assertion is what comes first.
    unsafe { free_remote::<Far>(block.at) }
}
