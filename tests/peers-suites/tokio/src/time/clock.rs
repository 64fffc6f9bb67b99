//! Stopping the clock. A loop on virtual time has it stopped from the start, as tokio means it: it moves on
//! to the next timer where nothing else is to be done.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::runtime::{Handle, RuntimeFlavor};

#[track_caller]
pub fn pause() {
    let handle = Handle::current();
    assert!(
        handle.0.flavor == RuntimeFlavor::CurrentThread,
        "`time::pause()` requires the `current_thread` Tokio runtime."
    );
    assert!(handle.0.is_virtual, "`time::pause()` needs a loop on virtual time");
    assert!(!handle.0.is_frozen.swap(true, Ordering::SeqCst), "time is already frozen");
}

#[track_caller]
pub fn resume() {
    let handle = Handle::current();
    assert!(handle.0.is_frozen.swap(false, Ordering::SeqCst), "time is not frozen");
}

#[track_caller]
pub fn advance(duration: Duration) -> impl Future<Output = ()> {
    let handle = Handle::current();
    async move {
        assert!(handle.0.is_frozen.load(Ordering::SeqCst), "time is not frozen");
        handle.0.on.advance_time(duration).unwrap();
        // The turn in which the timers that are due run, and the one after.
        crate::task::yield_now().await;
        crate::task::yield_now().await;
    }
}
