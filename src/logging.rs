//! [`say!`]: a line for the program's logger, or for standard error where no logger takes it.
//!
//! Python's `logging` prints warnings and errors to standard error as long as no handler is set. The
//! crate `log` drops them. This module restores Python's behaviour, so that an error that nothing
//! reads is never lost without a report. Without std there is no standard error, and only the logger is
//! left.

use core::fmt::Arguments;

pub(crate) use log::Level;

use crate::panics;

/// Logs a line at a [`Level`], as `log::log!` does, with the calling module as its target.
macro_rules! say {
    ($level:ident, $($text:tt)+) => {
        $crate::logging::log_or_print(
            $crate::logging::Level::$level,
            module_path!(),
            format_args!($($text)+),
        )
    };
}
pub(crate) use say;

/// Gives `text` to the logger. Where the logger doesn't take even errors of `target`, or panics,
/// the text is written to standard error.
///
/// A logger that takes errors but not `level` is left its choice: the level was chosen by the
/// program. Panics of the logger, and of what `text` shows, end here.
pub(crate) fn log_or_print(level: Level, target: &str, text: Arguments<'_>) {
    let logged = panics::caught(|| {
        let takes_errors = log::log_enabled!(target: target, Level::Error);
        if takes_errors {
            log::log!(target: target, level, "{text}");
        }
        takes_errors
    });
    if !logged.unwrap_or(false) {
        print(text);
    }
}

/// Writes a line to standard error, in one piece. A standard error that is closed or full leaves
/// no place for the text, and is no reason to stop the program.
#[cfg(feature = "std")]
fn print(text: Arguments<'_>) {
    use std::io::Write;

    let line = panics::caught(|| alloc::format!("{text}\n"));
    let line = line.unwrap_or_else(|panic| alloc::format!("{}\n", panics::shown(&panic)));
    let _ = std::io::stderr().write_all(line.as_bytes());
}

#[cfg(not(feature = "std"))]
fn print(_text: Arguments<'_>) {}
