//! A cancellation amid which the program panics: what was deferred until the rest is through is
//! cancelled all the same.

use std::panic::{AssertUnwindSafe, catch_unwind};

use callsoon::EventLoop;

use crate::driver::settle;
use crate::support::cancels::{DEEP, chain};

#[test]
fn panic_amid_a_cancellation_loses_nothing_that_was_deferred() {
    let event_loop = EventLoop::with_virtual_time();
    let (first, tasks) = chain(&event_loop);
    settle(&event_loop);
    let cancelled = catch_unwind(AssertUnwindSafe(|| tasks[DEEP - 1].cancel()));
    assert!(cancelled.is_err() && !first.cancelled());
    #[cfg(feature = "trace")]
    event_loop.start_trace(1000);
    settle(&event_loop);
    assert!(first.cancelled() && tasks[0].cancelled());
    #[cfg(feature = "trace")]
    {
        let mut trace = Vec::new();
        event_loop.stop_trace().unwrap().write(&mut trace).unwrap();
        let trace = String::from_utf8(trace).unwrap();
        assert!(trace.contains("<cancellations that were deferred>"), "{trace}");
    }
}
