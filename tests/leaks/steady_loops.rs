//! A loop that has had its largest burst serves others like it from the memory that it has.

use std::time::Duration;

use callsoon::{EventLoop, Result, sleep, yield_now};

use crate::allocations;

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Starts a hundred tasks and as many timers, and runs until all are over.
fn burst(event_loop: &EventLoop) -> Result<()> {
    for number in 0..100 {
        event_loop.create_task(async move {
            sleep(ms(number % 7 + 1)).await?;
            yield_now().await
        })?;
        event_loop.call_later(ms(number % 5), || ())?;
        event_loop.call_later(ms(9), || ())?.cancel();
    }
    while event_loop.pending_timers() > 0 {
        event_loop.run_once(None)?;
    }
    // The last tasks' ends.
    for _ in 0..3 {
        event_loop.run_once(Some(Duration::ZERO))?;
    }
    Ok(())
}

/// With an allocation for each block, as sanitizers want it, there is no memory that a loop has.
#[cfg_attr(callsoon_plain, ignore = "each block is an allocation")]
#[test]
fn a_burst_like_those_before_allocates_nothing() {
    let event_loop = EventLoop::with_virtual_time();
    // By then time has reached the fifth level of the wheel, the last that is needed for a second.
    (0..4).for_each(|_| burst(&event_loop).unwrap());
    let before = allocations();
    (0..20).for_each(|_| burst(&event_loop).unwrap());
    assert_eq!(allocations() - before, 0);
    assert!(event_loop.all_tasks().is_empty());
}
