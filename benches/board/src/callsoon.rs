//! callsoon without std, on the host of `examples/bare-metal`.

use core::time::Duration;

use callsoon::{EventLoop, Result, create_task, sleep};
use cortex_m::peripheral::{SCB, SYST, scb::VectActive};
use cortex_m_rt::exception;

use host::Board;

#[path = "../../../examples/bare-metal/src/host.rs"]
mod host;

#[exception]
fn SysTick() {
    host::tick();
}

async fn sleeps(milliseconds: u64) -> Result<()> {
    loop {
        sleep(Duration::from_millis(milliseconds)).await?;
        crate::slept();
    }
}

pub fn run(_: SYST) -> ! {
    // SAFETY: The board has one core, which is in thread mode outside of interrupt handlers.
    unsafe { callsoon::set_loop_thread(|| SCB::vect_active() == VectActive::ThreadMode) };
    let event_loop = EventLoop::with_host(Board);
    let outcome = event_loop.run_until_complete(async {
        for _ in 0..crate::TASKS {
            create_task(sleeps(crate::HOUR));
        }
        for milliseconds in crate::PERIODS {
            create_task(sleeps(milliseconds));
        }
        core::future::pending::<Result<()>>().await
    });
    panic!("{}", outcome.is_ok())
}
