//! A loop that the event loop of a JavaScript host runs, one turn at a time: see `run.mjs`.

#![no_std]
#![deny(unsafe_code)]

extern crate alloc;

#[allow(unsafe_code)]
mod javascript;
mod program;
mod promise;

use alloc::boxed::Box;
use alloc::format;
use alloc::sync::Arc;
use core::panic::PanicInfo;
use core::time::Duration;

use callsoon::{AnyFuture, EventLoop, Host, Notify, Result, Task};
use dlmalloc::GlobalDlmalloc;
use promise::Promises;

#[global_allocator]
static ALLOCATOR: GlobalDlmalloc = GlobalDlmalloc;

struct JavaScript;

impl Host for JavaScript {
    fn now(&self) -> Duration {
        Duration::from_secs_f64(javascript::now() / 1000.0)
    }

    /// Not called, as each turn has a bound of zero.
    fn wait(&self, _timeout: Option<Duration>) -> Result<()> {
        Ok(())
    }

    fn notifier(&self) -> Arc<dyn Notify> {
        Arc::new(NextTurn)
    }
}

struct NextTurn;

impl Notify for NextTurn {
    fn notify(&self) {
        javascript::notify();
    }
}

/// A program and its loop, held by the host between its calls.
pub struct Program {
    event_loop: EventLoop,
    promises: Promises,
    task: Task<()>,
}

/// Makes the program. The host runs its first turn.
#[allow(unsafe_code)] // the attribute
#[unsafe(no_mangle)]
pub extern "C" fn start() -> Box<Program> {
    javascript::name_loop_thread();
    let (event_loop, promises) = (EventLoop::with_host(JavaScript), Promises::default());
    let task = event_loop.create_task(program::program(promises.clone())).expect("an open loop");
    task.add_done_callback(|done: &dyn AnyFuture| javascript::ended(done.outcome().is_ok()));
    Box::new(Program { event_loop, promises, task })
}

/// Runs a turn. Returns in how many milliseconds the next is due, or infinity.
#[allow(unsafe_code)] // the attribute
#[unsafe(no_mangle)]
pub extern "C" fn turn(program: &Program) -> f64 {
    program.event_loop.run_once(Some(Duration::ZERO)).expect("an open loop");
    due(program)
}

/// Returns in how many milliseconds the next turn is due, or infinity.
fn due(program: &Program) -> f64 {
    let due = program.event_loop.time_until_turn();
    due.map_or(f64::INFINITY, |due| due.as_secs_f64() * 1000.0)
}

/// Cancels the program. Returns in how many milliseconds the next turn is due.
#[allow(unsafe_code)] // the attribute
#[unsafe(no_mangle)]
pub extern "C" fn cancel(program: &Program) -> f64 {
    program.task.cancel();
    due(program)
}

/// Ends a fetch with `length` bytes: of the text, or of the reason why it failed.
#[allow(unsafe_code)] // the attribute
#[unsafe(no_mangle)]
pub extern "C" fn settled(program: &Program, number: u32, is_fulfilled: bool, length: usize) {
    program.promises.settle(number, is_fulfilled, javascript::taken(length));
}

/// Drops the program and its loop.
#[allow(unsafe_code)] // the attribute
#[unsafe(no_mangle)]
pub extern "C" fn end(program: Box<Program>) {
    drop(program);
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    javascript::print(&format!("{info}"));
    core::arch::wasm32::unreachable()
}
