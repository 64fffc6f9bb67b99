//! Lifetimes on the loop's thread: which parts outlive which.

use alloc::boxed::Box;
use alloc::rc::Rc;
use core::cell::Cell;

use super::harness::Whole;

#[test]
fn hold_is_dropped_with_the_last_block() {
    let dropped = Rc::new(Cell::new(0));
    let whole = Whole::new(&dropped);
    let mut blocks = whole.made(3);
    whole.pages.hold_while_used(Box::new(whole.clone()));
    // One that is made too late is held likewise.
    blocks.extend(whole.made(1));
    drop(whole);
    Whole::free_by_owner(blocks.drain(..3));
    assert_eq!(dropped.get(), 0);
    Whole::free_by_owner(blocks);
    assert_eq!(dropped.get(), 1);
}

#[test]
fn hold_is_dropped_at_once_without_blocks() {
    let dropped = Rc::new(Cell::new(0));
    let whole = Whole::new(&dropped);
    Whole::free_by_owner(whole.made(2));
    let held = Rc::new(());
    whole.pages.hold_while_used(Box::new(held.clone()));
    assert_eq!(Rc::strong_count(&held), 1);
    drop(whole);
    assert_eq!(dropped.get(), 1);
}

/// Memory that is left to wakers needs no owner.
#[test]
fn left_blocks_hold_nothing() {
    let dropped = Rc::new(Cell::new(0));
    let whole = Whole::new(&dropped);
    let blocks = whole.made(2);
    whole.leave(blocks[0]);
    whole.pages.hold_while_used(Box::new(whole.clone()));
    whole.leave(blocks[1]);
    assert_eq!(Rc::strong_count(&whole), 1);
    assert_eq!(whole.pages.live(), 0);
    drop(whole);
    assert_eq!(dropped.get(), 1);
    blocks.into_iter().for_each(Whole::free_left);
}

#[test]
fn a_second_hold_takes_the_place_of_the_first() {
    let dropped = Rc::new(Cell::new(0));
    let whole = Whole::new(&dropped);
    let blocks = whole.made(1);
    let held = Rc::new(());
    whole.pages.hold_while_used(Box::new(held.clone()));
    whole.pages.hold_while_used(Box::new(whole.clone()));
    assert_eq!(Rc::strong_count(&held), 1);
    drop(whole);
    Whole::free_by_owner(blocks);
    assert_eq!(dropped.get(), 1);
}

/// The drop of a hold makes and frees blocks of the same pages.
#[test]
fn a_hold_may_use_the_pages_as_it_is_dropped() {
    struct Late(Rc<Whole>);

    impl Drop for Late {
        fn drop(&mut self) {
            let blocks = self.0.made(3);
            Whole::free_by_owner(blocks);
        }
    }

    let dropped = Rc::new(Cell::new(0));
    let whole = Whole::new(&dropped);
    let blocks = whole.made(1);
    whole.pages.hold_while_used(Box::new(Late(whole.clone())));
    drop(whole);
    Whole::free_by_owner(blocks);
    assert_eq!(dropped.get(), 1);
}
