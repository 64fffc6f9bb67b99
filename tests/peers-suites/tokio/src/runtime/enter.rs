//! The runtime that a thread has entered.

use std::cell::{Cell, RefCell};
use std::marker::PhantomData;

use super::Handle;

thread_local! {
    static ENTERED: RefCell<Vec<Handle>> = const { RefCell::new(Vec::new()) };
    static IS_BLOCKED_ON: Cell<bool> = const { Cell::new(false) };
}

pub(crate) fn current() -> Option<Handle> {
    ENTERED.try_with(|entered| entered.borrow().last().cloned()).ok().flatten()
}

#[must_use]
pub struct EnterGuard<'a> {
    depth: usize,
    of: PhantomData<(&'a Handle, *const ())>,
}

pub(super) fn enter<'a>(handle: Handle) -> EnterGuard<'a> {
    let depth = ENTERED.try_with(|entered| {
        let mut entered = entered.borrow_mut();
        entered.push(handle);
        entered.len()
    });
    EnterGuard { depth: depth.unwrap_or(0), of: PhantomData }
}

impl Drop for EnterGuard<'_> {
    fn drop(&mut self) {
        let left = ENTERED.try_with(|entered| {
            let mut entered = entered.borrow_mut();
            if entered.len() == self.depth {
                return (entered.pop(), true);
            }
            (None, false)
        });
        if let Ok((_, false)) = left {
            if !std::thread::panicking() {
                panic!(
                    "`EnterGuard` values dropped out of order. Guards returned by \
                     `tokio::runtime::Handle::enter()` must be dropped in the reverse order as they were acquired."
                );
            }
        }
    }
}

/// The thread runs a runtime's future until this is dropped.
pub(super) struct Blocked;

impl Blocked {
    #[track_caller]
    pub(super) fn new() -> Blocked {
        assert!(
            !IS_BLOCKED_ON.replace(true),
            "Cannot start a runtime from within a runtime. This happens because a function (like `block_on`) \
             attempted to block the current thread while the thread is being used to drive asynchronous tasks."
        );
        Blocked
    }

    pub(super) fn is_on() -> bool {
        IS_BLOCKED_ON.try_with(Cell::get).unwrap_or(false)
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        let _ = IS_BLOCKED_ON.try_with(|is_on| is_on.set(false));
    }
}
