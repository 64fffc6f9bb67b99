//! [`on_interrupt`]: what Ctrl-C does.

use callsoon::{Result, running_loop};

/// The number that Unix gives to what Ctrl-C sends.
#[cfg(unix)]
const SIGINT: i32 = 2;

/// Has `stop` called on the loop when the program is interrupted. Another interrupt ends the
/// program at once, as it does by default; so does the first where there are no signals.
#[cfg(unix)]
pub(crate) fn on_interrupt(stop: impl Fn() -> Result<()> + 'static) -> Result<()> {
    let on = running_loop()?;
    let own = on.clone();
    on.add_signal_handler(SIGINT, move || {
        own.remove_signal_handler(SIGINT)?;
        stop()
    })
}

#[cfg(not(unix))]
pub(crate) fn on_interrupt(_stop: impl Fn() -> Result<()> + 'static) -> Result<()> {
    running_loop().map(drop)
}
