//! [`say!`]: a line for the program's logger, or for standard error where no logger takes it.
//!
//! Python's `logging` prints warnings and errors to standard error as long as no handler is set. The
//! crate `log` drops them. This module restores Python's behaviour, so that an error that nothing
//! reads is never lost without a report. Without std there is no standard error, and only the logger is
//! left.

use alloc::string::String;
use core::fmt::Arguments;

pub(crate) use log::Level;
use log::{LevelFilter, STATIC_MAX_LEVEL};

use crate::error::Error;
use crate::panics;

/// True where tasks, futures and callbacks are described in reports and by `Debug`. A program without std that
/// turns the logger off when it is compiled, by a feature of the crate `log`, is spared that code.
pub(crate) const DESCRIBES: bool =
    cfg!(feature = "std") || !matches!(STATIC_MAX_LEVEL, LevelFilter::Off);

/// Makes a text as `format!` does, where things are described.
macro_rules! text {
    ($($text:tt)+) => {
        if $crate::logging::DESCRIBES {
            alloc::format!($($text)+)
        } else {
            alloc::string::String::new()
        }
    };
}
pub(crate) use text;

/// An error as `Debug` shows it, whatever the program's own errors do when they are shown.
pub(crate) fn shown(error: &Error) -> String {
    let shown = panics::caught(|| text!("{error:?}"));
    shown.unwrap_or_else(|_| String::from("<an error that panics when it is shown>"))
}

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
    let line = line.unwrap_or_else(|panic| alloc::format!("{}\n", shown(&panic)));
    let _ = std::io::stderr().write_all(line.as_bytes());
}

#[cfg(not(feature = "std"))]
fn print(_text: Arguments<'_>) {}
