//! The bodies that the fuzz targets run. `tests/fuzz_corpus.rs` runs the same on the inputs that were
//! kept.

mod bodies;
#[path = "../tests/support/mod.rs"]
mod support;

/// Runs the target of this name on what a fuzzer made up.
///
/// # Panics
///
/// Where the crate does not do what it should, or no target has this name.
pub fn run(target: &str, data: &[u8]) {
    bodies::run(target, data);
}
