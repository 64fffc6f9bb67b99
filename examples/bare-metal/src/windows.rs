//! Work of the loop that a debugger interrupts between any two of its instructions: see the script of this name.

use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;

use callsoon::Host;
use cortex_m::asm::nop;
use cortex_m::peripheral::SCB;

use crate::host::Board;
use crate::interrupts::{Sources, turn};

/// The work to do next, which the debugger writes where the program calls [`work_begins`]. None without a
/// debugger.
#[unsafe(no_mangle)]
static WORK: AtomicU32 = AtomicU32::new(0);

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn work_begins() -> u32 {
    WORK.swap(0, Ordering::Relaxed)
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn work_ends() {
    nop();
}

/// Does what the debugger asks for. An error says what was lost in it.
pub fn run(sources: &Sources<'_>) -> Result<(), &'static str> {
    loop {
        // A notification of before would end the next sleep: it ends this one.
        let _ = Board.wait(Some(Duration::ZERO));
        match work_begins() {
            // Of a task that is woken already, too, and on a queue that isn't empty.
            1 => (0..2).for_each(|_| sources.own.rings()),
            // In the handler of the lower priority.
            2 => SCB::set_pendst(),
            3 => {
                sources.own.rings();
                turn(sources.event_loop)?;
            }
            // It is an interrupt that ends the sleep.
            4 => _ = sources.event_loop.run_once(None).map_err(|_| "the loop doesn't run")?,
            _ => return Ok(()),
        }
        work_ends();
        sources.check()?;
    }
}
