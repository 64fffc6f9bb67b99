//! The test program as a command, for tests that run a part of it as a process.

use std::env;
use std::ffi::OsString;

/// Returns the program and its arguments: the test program, or an emulator that runs it (`ci/platforms/run`).
pub(crate) fn words_of_itself() -> Vec<OsString> {
    let emulator = env::var("CALLSOON_EMULATOR").unwrap_or_default();
    let words = emulator.split_whitespace().map(OsString::from);
    words.chain([env::current_exe().expect("a test program").into()]).collect()
}
