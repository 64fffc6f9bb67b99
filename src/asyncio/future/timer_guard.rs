//! [`Timer`]: the time limit of a wait; and [`release`], which ends a wait.

use core::time::Duration;

use super::loop_future::LoopFuture;
use crate::error::Result;
use crate::event_loop::{LoopRef, TimerHandle};

/// A timer, if there is to be one, that is cancelled when it is dropped with the wait.
#[derive(Default)]
pub(crate) struct Timer(Option<TimerHandle>);

impl Timer {
    pub(crate) fn start(
        on: &LoopRef,
        delay: Option<Duration>,
        callback: impl FnOnce() -> Result<()> + 'static,
    ) -> Result<Timer> {
        delay.map(|delay| on.call_later(delay, callback)).transpose().map(Timer)
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if let Some(timer) = &self.0 {
            timer.cancel();
        }
    }
}

/// Completes `waiter`. One that was cancelled meanwhile stays so.
pub(crate) fn release(waiter: &LoopFuture<()>) -> Result<()> {
    if waiter.done() { Ok(()) } else { waiter.set_result(()) }
}
