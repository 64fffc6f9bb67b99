//! Memory of the loop's parts, and the stack of an interrupt handler.

use alloc::vec::Vec;
use core::future::pending;
use core::time::Duration;

use callsoon::{EventLoop, Result, sleep};
use cortex_m::interrupt::free;
use cortex_m::register::msp;

/// Bytes of pages that the blocks share which are counted.
const ROOM: usize = 8 << 10;

const HOUR: Duration = Duration::from_secs(3600);

/// Bytes of each part, with its share of pages.
pub struct Memory {
    pub task: usize,
    pub sleeping_task: usize,
    pub timer: usize,
    pub future: usize,
}

/// Measures on loops made by `make`.
pub fn memory(make: impl Fn() -> EventLoop) -> Result<Memory> {
    let (mut parked, mut sleeping, mut futures) = (Vec::new(), Vec::new(), Vec::new());
    let task = in_pages(&make(), |on| {
        parked.push(on.create_task(pending::<Result<()>>())?);
        on.run_once(Some(Duration::ZERO)).map(drop)
    })?;
    drop(parked);
    let sleeping_task = in_pages(&make(), |on| {
        sleeping.push(on.create_task(sleep(HOUR))?);
        on.run_once(Some(Duration::ZERO)).map(drop)
    })?;
    drop(sleeping);
    let future = in_pages(&make(), |on| {
        futures.push(on.create_future::<u32>());
        Ok(())
    })?;
    drop(futures);
    let timer = in_pages(&make(), |on| on.call_later(HOUR, || ()).map(drop))?;
    Ok(Memory { task, sleeping_task, timer, future })
}

/// Returns the bytes of one block, of which as many are made as there is room for.
fn in_pages(on: &EventLoop, mut make: impl FnMut(&EventLoop) -> Result<()>) -> Result<usize> {
    let mut count = 0;
    loop {
        make(on)?;
        if on.memory() > ROOM {
            return Ok(ROOM / count);
        }
        count += 1;
    }
}

const PAINT: u32 = 0x5AFE_57AC;
const DEEPEST: usize = 512;

/// Returns how many bytes of stack a handler takes that `pend` makes pending: its frame, and its code's.
#[inline(never)]
pub fn handler_stack(pend: fn()) -> usize {
    // SAFETY: The words below the stack pointer are the stack's, and in use by interrupts only, of which
    // there are none in here. This function has its frame already, and calls nothing.
    let painted = free(|_| unsafe {
        let painted = (msp::read() as *mut u32).sub(DEEPEST);
        for at in 0..DEEPEST - FRAME {
            painted.add(at).write_volatile(PAINT);
        }
        painted
    });
    let top = msp::read() as usize;
    pend();
    cortex_m::asm::isb();
    // SAFETY: As above, of words that were just written.
    let deepest = (0..DEEPEST).find(|&at| unsafe { painted.add(at).read_volatile() } != PAINT);
    top - painted.addr() - 4 * deepest.unwrap_or(DEEPEST)
}

/// Words next to the stack pointer that are left as they are, for calls that aren't inlined.
const FRAME: usize = 16;
