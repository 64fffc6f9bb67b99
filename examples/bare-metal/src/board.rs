//! What the program needs of the board: a clock that ticks by interrupt, a sleep until the next
//! one, a heap, and a line to the debugger.

use alloc::sync::Arc;
use core::cell::Cell;
use core::mem::MaybeUninit;
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;

use callsoon::{EventLoop, Host, Notify, Result};
use cortex_m::interrupt::{Mutex, disable, enable, free};
use cortex_m::peripheral::{
    Peripherals, SCB, scb::SystemHandler, scb::VectActive, syst::SystClkSource,
};
use cortex_m_rt::{entry, exception};
use cortex_m_semihosting::{debug, hprintln};
use embedded_alloc::LlffHeap;

use crate::interrupts::{self, SYSTICK, Source, TICK_CYCLES};

const CLOCK_HZ: u32 = 25_000_000;
const HEAP: usize = 32 << 10;

#[global_allocator]
static ALLOCATOR: LlffHeap = LlffHeap::empty();

static MILLISECONDS: Mutex<Cell<u64>> = Mutex::new(Cell::new(0));
static NOTIFIED: AtomicBool = AtomicBool::new(false);

#[exception]
fn SysTick() {
    free(|token| {
        let milliseconds = MILLISECONDS.borrow(token);
        milliseconds.set(milliseconds.get() + 1);
    });
    Source::ring(&SYSTICK);
}

struct Board;

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

/// Whatever an interrupt has to say; it has ended the sleep by coming.
struct Interrupts;

impl Notify for Interrupts {
    fn notify(&self) {
        NOTIFIED.store(true, Ordering::Release);
    }
}

#[entry]
fn main() -> ! {
    static mut MEMORY: [MaybeUninit<u8>; HEAP] = [MaybeUninit::uninit(); HEAP];
    // SAFETY: Called once, before anything is allocated, on memory that nothing else uses: `entry`
    // makes of such a static a borrow that only this function has.
    unsafe { ALLOCATOR.init(MEMORY.as_mut_ptr().expose_provenance(), HEAP) };
    let Peripherals { SYST: mut clock, SCB: mut scb, .. } = Peripherals::take().unwrap();
    clock.set_clock_source(SystClkSource::Core);
    clock.set_reload(CLOCK_HZ / 1000 - 1);
    clock.clear_current();
    clock.enable_counter();
    clock.enable_interrupt();

    // SAFETY: The board has one core, which is in thread mode outside of interrupt handlers.
    unsafe { callsoon::set_loop_thread(|| SCB::vect_active() == VectActive::ThreadMode) };
    let event_loop = EventLoop::with_host(Board);
    let outcome =
        event_loop.run_until_complete(crate::program::program(|line| hprintln!("{}", line)));
    let rung = interrupts::run(&event_loop, || {
        clock.set_reload(TICK_CYCLES);
        clock.clear_current();
        // The other timer's handler may interrupt the one of SysTick.
        // SAFETY: No code relies on priorities as they were.
        unsafe { scb.set_priority(SystemHandler::SysTick, 0x80) };
    });
    match rung {
        Ok((all, refused)) => {
            hprintln!("interrupts: {} ({} calls refused), none lost", all, refused)
        }
        Err(lost) => hprintln!("interrupts: {}", lost),
    }
    debug::exit(if outcome.is_ok() && rung.is_ok() {
        debug::EXIT_SUCCESS
    } else {
        debug::EXIT_FAILURE
    });
    unreachable!("the debugger has ended the program")
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    hprintln!("{}", info);
    debug::exit(debug::EXIT_FAILURE);
    loop {}
}
