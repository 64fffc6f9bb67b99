//! The bodies that the fuzz targets run. `tests/fuzz_corpus.rs` runs the same on the inputs that were
//! kept.

mod bodies;
#[path = "../tests/support/mod.rs"]
mod support;

use std::{fs, thread};

/// The targets that start threads for which nothing waits.
const WITH_THREADS: [&str; 2] = ["inbox", "threads"];

/// Runs the target of this name on what a fuzzer made up. Returns when the threads that it has started have
/// exited: what they have just made would else be taken for a leak.
///
/// # Panics
///
/// Where the crate does not do what it should, or no target has this name.
pub fn run(target: &str, data: &[u8]) {
    if !WITH_THREADS.contains(&target) {
        return bodies::run(target, data);
    }
    let before = threads();
    bodies::run(target, data);
    while threads() > before {
        thread::yield_now();
    }
}

/// The number of threads of this process; none where the system doesn't say it.
fn threads() -> usize {
    fs::read_dir("/proc/self/task").map_or(0, Iterator::count)
}
