//! edge-executor, with the timers of embassy-time, as its documentation names them.

use cortex_m::peripheral::SYST;
use edge_executor::{BoundQueue, LocalExecutor};
use embassy_time::Timer;

async fn sleeps(milliseconds: u64) {
    loop {
        Timer::after_millis(milliseconds).await;
        crate::slept();
    }
}

pub fn run(_: SYST) -> ! {
    let executor: LocalExecutor<'_, BoundQueue> = LocalExecutor::new();
    for _ in 0..crate::TASKS {
        executor.spawn(sleeps(crate::HOUR)).detach();
    }
    for milliseconds in crate::PERIODS {
        executor.spawn(sleeps(milliseconds)).detach();
    }
    loop {
        while executor.try_tick() {}
        cortex_m::asm::wfe();
    }
}
