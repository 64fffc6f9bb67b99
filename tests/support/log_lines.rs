//! What a test's own thread logs.

use std::cell::RefCell;
use std::sync::Once;

use log::{LevelFilter, Log, Metadata, Record};

thread_local! {
    static LINES: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
    static INSTEAD: RefCell<Option<fn()>> = const { RefCell::new(None) };
}

struct Logger;

impl Log for Logger {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        LINES.with_borrow_mut(|lines| {
            if let Some(lines) = lines {
                lines.push(format!("{}: {}", record.level(), record.args()));
            }
        });
        let instead = INSTEAD.with_borrow(|instead| *instead);
        if let Some(then) = instead {
            then();
        }
    }

    fn flush(&self) {}
}

/// Runs `body`, and returns what it logged on this thread as `LEVEL: text`.
pub(crate) fn log_lines_of(body: impl FnOnce()) -> Vec<String> {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        log::set_logger(&Logger).expect("the test binary has one logger");
        log::set_max_level(LevelFilter::Trace);
    });
    LINES.with_borrow_mut(|lines| *lines = Some(Vec::new()));
    body();
    LINES.with_borrow_mut(Option::take).unwrap_or_default()
}

/// As [`log_lines_of`], with a logger that calls `then` after each record: to call back into
/// the loop, or to panic.
pub(crate) fn log_lines_with(then: fn(), body: impl FnOnce()) -> Vec<String> {
    INSTEAD.with_borrow_mut(|instead| *instead = Some(then));
    let lines = log_lines_of(body);
    INSTEAD.with_borrow_mut(|instead| *instead = None);
    lines
}
