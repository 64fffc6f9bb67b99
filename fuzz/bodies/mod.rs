//! A file for each fuzz target, with what it does with the bytes that a fuzzer makes up.
//!
//! All of them run on virtual time and are bounded in turns, so that a hang is an assertion that
//! fails. None prints anything, and what panics on purpose does so without the panic hook, which
//! under libFuzzer ends the process: any other panic is a finding, even inside of a callback.

mod cancel_walk;
mod common;
mod future_and_task;
mod generator;
mod hostile;
mod inbox;
mod memory;
mod program;
mod queue;
mod ready_and_handles;
mod stream_reader;
mod streamer;
mod threads;
mod timer_wheel;
#[cfg(unix)]
mod wire;

/// The targets by their names.
pub(crate) const TARGETS: &[(&str, fn(&[u8]))] = &[
    ("cancel_walk", cancel_walk::bytes),
    ("future_and_task", future_and_task::bytes),
    ("generator", generator::bytes),
    ("hostile", hostile::bytes),
    ("inbox", inbox::bytes),
    ("memory", memory::bytes),
    ("program", program::bytes),
    ("queue", queue::bytes),
    ("ready_and_handles", ready_and_handles::bytes),
    ("stream_reader", stream_reader::bytes),
    ("streamer", streamer::bytes),
    ("threads", threads::bytes),
    ("timer_wheel", timer_wheel::bytes),
    #[cfg(unix)]
    ("wire", wire::bytes),
];

/// Runs a target on `data`. What nothing reads of it is logged to nowhere.
pub(crate) fn run(target: &str, data: &[u8]) {
    let (_, body) = TARGETS.iter().find(|(name, _)| *name == target).expect("a target");
    program::machine::logged::take_logs();
    body(data);
}
