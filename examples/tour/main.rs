//! A tour of the crate, with a stop at each of its parts. Prints what happens, and ends by itself.
//!
//!     cargo run --release --example tour

mod event_loop;
mod helpers;
mod reactor;
mod tasks;

use std::time::Duration;

use callsoon::{EventLoop, Result, run, run_on};

const MOMENT: Duration = Duration::from_millis(10);

fn main() -> Result<()> {
    stop("The loop runs callbacks in a written order", event_loop::callbacks)?;
    stop("Tasks take turns", || run(tasks::tasks()))?;
    stop("A cancelled task cleans up, and may await while it does", || run(tasks::cancellation()))?;
    stop("Time can be virtual", event_loop::virtual_time)?;
    stop("The exception handler gets errors that no code receives", event_loop::exceptions)?;
    stop("Another thread calls in", event_loop::another_thread)?;
    stop("A generator gives values, and cleans up when it is closed", || run(tasks::generators()))?;
    let in_no_time = EventLoop::with_virtual_time;
    stop("A ticker keeps its time", || run_on(&in_no_time(), helpers::ticker()))?;
    stop("A holder waits for its tasks", || run_on(&in_no_time(), helpers::holder()))?;
    stop("A streamer gives results as they come", || run_on(&in_no_time(), helpers::streamer()))?;
    stop("A TCP echo on the reactor", || run(reactor::tcp_echo()))
}

fn stop(title: &str, visit: impl FnOnce() -> Result<()>) -> Result<()> {
    println!("\n{title}");
    visit()
}
