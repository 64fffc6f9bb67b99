//! [`Board`], the loop's host: a clock that ticks by interrupt, and a sleep until the next one.

use alloc::sync::Arc;
use core::cell::Cell;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;

use callsoon::{Host, Notify, Result};
use cortex_m::interrupt::{Mutex, disable, enable, free};

static MILLISECONDS: Mutex<Cell<u64>> = Mutex::new(Cell::new(0));
static NOTIFIED: AtomicBool = AtomicBool::new(false);

/// A millisecond has passed: for the handler of the clock's interrupt.
pub fn tick() {
    free(|token| {
        let milliseconds = MILLISECONDS.borrow(token);
        milliseconds.set(milliseconds.get() + 1);
    });
}

pub struct Board;

impl Host for Board {
    fn now(&self) -> Duration {
        Duration::from_millis(free(|token| MILLISECONDS.borrow(token).get()))
    }

    fn wait(&self, timeout: Option<Duration>) -> Result<()> {
        let due = timeout.and_then(|timeout| self.now().checked_add(timeout));
        loop {
            // An interrupt that comes between the look and the sleep still ends the sleep.
            disable();
            let over =
                NOTIFIED.swap(false, Ordering::AcqRel) || due.is_some_and(|due| self.now() >= due);
            if !over {
                cortex_m::asm::wfi();
            }
            // SAFETY: No critical section is going on here, so none is broken.
            unsafe { enable() };
            if over {
                return Ok(());
            }
        }
    }

    fn notifier(&self) -> Arc<dyn Notify> {
        Arc::new(Interrupts)
    }
}

/// Notes that there was a notification; the interrupt itself has ended the sleep.
struct Interrupts;

impl Notify for Interrupts {
    fn notify(&self) {
        NOTIFIED.store(true, Ordering::Release);
    }
}
