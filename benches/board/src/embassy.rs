//! embassy-executor, with embassy-time.

use cortex_m::peripheral::SYST;
use embassy_executor::Executor;
use embassy_time::Timer;

#[embassy_executor::task(pool_size = crate::TASKS + 3)]
async fn sleeps(milliseconds: u64) {
    loop {
        Timer::after_millis(milliseconds).await;
        crate::slept();
    }
}

pub fn run(_: SYST) -> ! {
    static mut EXECUTOR: Option<Executor> = None;
    // SAFETY: Called once.
    let executor = unsafe { (*(&raw mut EXECUTOR)).insert(Executor::new()) };
    executor.run(|spawner| {
        for _ in 0..crate::TASKS {
            spawner.spawn(sleeps(crate::HOUR).unwrap());
        }
        for milliseconds in crate::PERIODS {
            spawner.spawn(sleeps(milliseconds).unwrap());
        }
    })
}
