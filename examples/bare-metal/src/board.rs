//! The board's services for the program: its interrupts, a heap, and a line to the debugger; `host` has the
//! clock and the sleep.

use core::mem::MaybeUninit;
use core::panic::PanicInfo;

use callsoon::{EventLoop, Result};
use cortex_m::peripheral::{
    Peripherals, SCB, scb::SystemHandler, scb::VectActive, syst::SystClkSource,
};
use cortex_m_rt::{entry, exception};
use cortex_m_semihosting::{debug, hprintln};
use embedded_alloc::LlffHeap;

use crate::host::{self, Board};
use crate::interrupts::{self, Rung, SYSTICK, Source, TICK_CYCLES};
use crate::measures::{self, Memory, handler_stack};
use crate::serial;

const CLOCK_HZ: u32 = 25_000_000;
const HEAP: usize = 40 << 10;

#[global_allocator]
static ALLOCATOR: LlffHeap = LlffHeap::empty();

#[exception]
fn SysTick() {
    host::tick();
    Source::ring(&SYSTICK);
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
    let before = ALLOCATOR.used();
    let event_loop = EventLoop::with_host(Board);
    let of_loop = ALLOCATOR.used() - before;
    let outcome =
        event_loop.run_until_complete(crate::program::program(|line| hprintln!("{}", line)));
    // The other timer's handler may interrupt the one of SysTick.
    // SAFETY: No code relies on priorities as they were.
    unsafe { scb.set_priority(SystemHandler::SysTick, 0x80) };
    let rung = interrupts::run(&event_loop, |ticks| {
        if ticks {
            clock.set_reload(TICK_CYCLES);
            clock.clear_current();
            clock.enable_counter();
            clock.enable_interrupt();
        } else {
            clock.disable_interrupt();
            clock.disable_counter();
        }
    });
    match rung {
        Ok(Rung { all, refused, stack }) => {
            hprintln!("interrupts: {} ({} calls refused), none lost", all, refused);
            hprintln!("stack of an interrupt that wakes and calls: {} bytes", stack);
        }
        Err(lost) => hprintln!("interrupts: {}", lost),
    }
    // No tick ends a sleep from here on: only the serial line does.
    serial::start();
    interrupts::enable_serial();
    let heard = event_loop.run_until_complete(hear());
    match &heard {
        Ok((lines, bytes)) => hprintln!("serial line: {} lines of {} bytes", lines, bytes),
        Err(error) => hprintln!("serial line: {}", error),
    }
    hprintln!("stack of an interrupt that wakes: {} bytes", handler_stack(interrupts::pend_serial));
    drop(event_loop);
    let measured = measures::memory(|| EventLoop::with_host(Board));
    if let Ok(Memory { task, sleeping_task, timer, future }) = &measured {
        hprintln!(
            "bytes: loop {}, task {}, sleeping task {}, timer {}, future {}",
            of_loop,
            task,
            sleeping_task,
            timer,
            future
        );
    }
    let is_well = outcome.is_ok() && rung.is_ok() && heard.is_ok() && measured.is_ok();
    debug::exit(if is_well { debug::EXIT_SUCCESS } else { debug::EXIT_FAILURE });
    unreachable!("the debugger has ended the program")
}

/// Reads lines to the one that says `end`. Returns how many there were, and of how many bytes.
async fn hear() -> Result<(usize, usize)> {
    let (mut lines, mut bytes) = (0, 0);
    loop {
        let line = serial::line().await;
        if line == "end" {
            return Ok((lines, bytes));
        }
        (lines, bytes) = (lines + 1, bytes + line.len());
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    hprintln!("{}", info);
    debug::exit(debug::EXIT_FAILURE);
    loop {}
}
