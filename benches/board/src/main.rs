//! Three tasks that sleep for ten, 25 and 50 milliseconds again and again, on one of several executors; and
//! `TASKS` more, which sleep for an hour. After 32 sleeps the program resets the board. `measure` reads
//! then what was in its memory.

#![no_std]
#![no_main]
#![cfg_attr(
    not(any(feature = "callsoon", feature = "edge", feature = "embassy", feature = "lilos")),
    allow(dead_code, reason = "no tasks without an executor")
)]

#[cfg(feature = "callsoon")]
extern crate alloc;

use core::panic::PanicInfo;
use core::sync::atomic::{AtomicU32, Ordering};

use cortex_m::peripheral::{Peripherals, SCB, SYST, syst::SystClkSource};
use cortex_m_rt::entry;

#[cfg(feature = "callsoon")]
#[path = "callsoon.rs"]
mod executor;

#[cfg(feature = "edge")]
#[path = "edge.rs"]
mod executor;

#[cfg(feature = "embassy")]
#[path = "embassy.rs"]
mod executor;

#[cfg(feature = "lilos")]
#[path = "lilos.rs"]
mod executor;

#[cfg(not(any(feature = "callsoon", feature = "edge", feature = "embassy", feature = "lilos")))]
mod executor {
    /// Counts without tasks: what the program takes by itself.
    pub fn run(_: cortex_m::peripheral::SYST) -> ! {
        loop {
            crate::slept();
        }
    }
}

#[cfg(any(feature = "callsoon", feature = "edge"))]
mod heap;

#[cfg(any(feature = "edge", feature = "embassy"))]
mod time_driver;

/// The number of tasks besides the three.
const TASKS: usize = if cfg!(feature = "more") { 60 } else { 0 };

/// Milliseconds of each task's sleeps.
const PERIODS: [u64; 3] = [10, 25, 50];
const HOUR: u64 = 3_600_000;
const SLEEPS: u32 = 32;
const CLOCK_HZ: u32 = 25_000_000;

#[unsafe(no_mangle)]
static SLEPT: AtomicU32 = AtomicU32::new(0);

/// Counts a sleep. The last ends the program.
fn slept() {
    if SLEPT.fetch_add(1, Ordering::Relaxed) + 1 == SLEEPS {
        SCB::sys_reset();
    }
}

/// Has SysTick interrupt every millisecond.
fn start(clock: &mut SYST) {
    clock.set_clock_source(SystClkSource::Core);
    clock.set_reload(CLOCK_HZ / 1000 - 1);
    clock.clear_current();
    clock.enable_counter();
    clock.enable_interrupt();
}

#[entry]
fn main() -> ! {
    #[cfg(any(feature = "callsoon", feature = "edge"))]
    heap::init();
    let mut clock = Peripherals::take().unwrap().SYST;
    start(&mut clock);
    executor::run(clock)
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    SCB::sys_reset()
}
