//! [`RecordedLoops`]: the loops that are made on this thread while a function runs, which all record
//! their events from the beginning.

use alloc::vec::Vec;

use super::event_text::Events;
use crate::collections::RefCell;
use crate::event_loop::loop_ref::LoopRef;
use crate::event_loop::running::thread_own;

thread_own! {
    static MADE: RefCell<Vec<Vec<LoopRef>>> = RefCell::new(Vec::new());
}

/// Until it is dropped or asked for the events, the loops that are made on this thread record theirs.
pub(super) struct RecordedLoops(());

impl RecordedLoops {
    pub(super) fn begin() -> RecordedLoops {
        let _ = MADE.try_with(|made| made.borrow_mut().push(Vec::new()));
        RecordedLoops(())
    }

    /// The events of the loops in the order of their making.
    pub(super) fn end(self) -> Vec<Events> {
        core::mem::forget(self);
        pop().iter().filter_map(|on| on.stop_events()).collect()
    }
}

impl Drop for RecordedLoops {
    fn drop(&mut self) {
        drop(pop());
    }
}

fn pop() -> Vec<LoopRef> {
    let loops = MADE.try_with(|made| made.borrow_mut().pop());
    loops.ok().flatten().unwrap_or_default()
}

/// Begins to record `on`, which is new, if a function is recorded on this thread.
pub(super) fn note_made(on: &LoopRef) {
    let is_recorded = MADE.try_with(|made| {
        let mut made = made.borrow_mut();
        let innermost = made.last_mut();
        innermost.map(|loops| loops.push(on.clone())).is_some()
    });
    if is_recorded.unwrap_or(false) {
        on.start_events();
    }
}
