//! callsoon without std, on a host as `examples/bare-metal` has it.

use alloc::sync::Arc;
use core::cell::Cell;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;

use callsoon::{EventLoop, Host, Notify, Result, create_task, sleep};
use cortex_m::interrupt::{Mutex, disable, enable, free};
use cortex_m::peripheral::{SCB, SYST, scb::VectActive};
use cortex_m_rt::exception;

extern crate alloc;

static MILLISECONDS: Mutex<Cell<u64>> = Mutex::new(Cell::new(0));
static NOTIFIED: AtomicBool = AtomicBool::new(false);

#[exception]
fn SysTick() {
    free(|token| MILLISECONDS.borrow(token).set(MILLISECONDS.borrow(token).get() + 1));
}

struct Board;

impl Host for Board {
    fn now(&self) -> Duration {
        Duration::from_millis(free(|token| MILLISECONDS.borrow(token).get()))
    }

    fn wait(&self, timeout: Option<Duration>) -> Result<()> {
        let due = timeout.and_then(|timeout| self.now().checked_add(timeout));
        loop {
            disable();
            let is_over =
                NOTIFIED.swap(false, Ordering::AcqRel) || due.is_some_and(|due| self.now() >= due);
            if !is_over {
                cortex_m::asm::wfi();
            }
            // SAFETY: No critical section is going on here.
            unsafe { enable() };
            if is_over {
                return Ok(());
            }
        }
    }

    fn notifier(&self) -> Arc<dyn Notify> {
        Arc::new(Interrupts)
    }
}

struct Interrupts;

impl Notify for Interrupts {
    fn notify(&self) {
        NOTIFIED.store(true, Ordering::Release);
    }
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
