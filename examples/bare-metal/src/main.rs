//! One program, on a bare Cortex-M4 and on the machine that builds it; see `run`.

#![cfg_attr(target_os = "none", no_std, no_main)]

extern crate alloc;

mod program;

#[cfg(target_os = "none")]
mod board;

#[cfg(target_os = "none")]
mod host;

#[cfg(target_os = "none")]
mod interrupts;

#[cfg(target_os = "none")]
mod measures;

#[cfg(target_os = "none")]
mod serial;

#[cfg(target_os = "none")]
mod windows;

/// The host runs it on a virtual clock: no time passes but what the program waits for.
#[cfg(not(target_os = "none"))]
fn main() -> callsoon::Result<()> {
    let event_loop = callsoon::EventLoop::with_virtual_time();
    event_loop.run_until_complete(program::program(|line| println!("{line}")))
}
