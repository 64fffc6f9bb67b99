//! [`on_question`]: what `kill -USR1` does: the program says what each of its tasks is doing.

use callsoon::{Result, running_loop};

/// The number that the system gives to SIGUSR1.
#[cfg(any(target_os = "linux", target_os = "android"))]
const SIGUSR1: i32 = 10;
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
const SIGUSR1: i32 = 30;

/// Has the program write its task tree to the standard error on SIGUSR1: which tasks wait for which
/// others, and on what. Nothing else changes, so the signal may come at any moment.
#[cfg(unix)]
pub(crate) fn on_question() -> Result<()> {
    use std::io::{Write, stderr};

    let on = running_loop()?;
    // So that futures know where they were made.
    on.set_debug(true);
    let own = on.clone();
    // A standard error that is closed is no reason to stop.
    on.add_signal_handler(SIGUSR1, move || drop(stderr().write_all(own.task_tree().as_bytes())))
}

#[cfg(not(unix))]
pub(crate) fn on_question() -> Result<()> {
    running_loop().map(drop)
}
