//! A program with no std, no C library and no operating system but for two calls (write and
//! exit). It brings a clock, an allocator and a way to end, and runs tasks, timers, futures and
//! generators on them.
//!
//! A dependency that pulled std in would bring a second panic handler: a compile error.

#![no_std]
#![no_main]
// The memory functions below must not be compiled into calls of themselves.
#![no_builtins]

extern crate alloc;

mod checks;
mod machine;

use core::panic::PanicInfo;

/// Where the program begins, on a stack that is ready for calls.
extern "C" fn begin() -> ! {
    // SAFETY: The program has one thread, and neither interrupt nor signal handlers.
    unsafe { callsoon::set_loop_thread(|| true) };
    match checks::run() {
        Ok(()) => {
            machine::say("bare: ok\n");
            machine::exit(0)
        }
        Err(failed) => {
            machine::say("bare: failed: ");
            machine::say(&failed);
            machine::say("\n");
            machine::exit(1)
        }
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    machine::say("bare: ");
    machine::say(&alloc::format!("{info}\n"));
    machine::exit(101)
}
