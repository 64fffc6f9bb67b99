//! Runs loops for these tests.

use std::time::Duration;

use callsoon::{EventLoop, LoopRef, Result, run_on, running_loop};

use crate::support::log_lines::log_nowhere;

pub(crate) const NOW: Option<Duration> = Some(Duration::ZERO);

/// Runs `main` as `callsoon::run` does, on a new loop with virtual time.
pub(crate) fn run<T: Clone + 'static>(main: impl Future<Output = Result<T>> + 'static) -> T {
    log_nowhere();
    run_on(&EventLoop::with_virtual_time(), main).unwrap()
}

/// Lets everything happen that is ready, or becomes so by what is ready.
pub(crate) async fn settle() -> Result<()> {
    callsoon::sleep(Duration::from_nanos(1)).await
}

pub(crate) fn on() -> LoopRef {
    running_loop().unwrap()
}
