//! The log of a test, on its own thread or on others.

use std::cell::RefCell;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::thread;

use log::{LevelFilter, Log, Metadata, Record};

thread_local! {
    static LINES: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
    static INSTEAD: RefCell<Option<fn()>> = const { RefCell::new(None) };
}

/// The lines logged since [`keep_log`], each with the name of its thread.
static KEPT: Mutex<Option<Vec<(String, String)>>> = Mutex::new(None);

struct Logger;

impl Log for Logger {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let line = || format!("{}: {}", record.level(), record.args());
        LINES.with_borrow_mut(|lines| {
            if let Some(lines) = lines {
                lines.push(line());
            }
        });
        if let Some(kept) = &mut *kept() {
            kept.push((thread::current().name().unwrap_or_default().to_owned(), line()));
        }
        let instead = INSTEAD.with_borrow(|instead| *instead);
        if let Some(then) = instead {
            then();
        }
    }

    fn flush(&self) {}
}

/// Has the process log to nowhere, instead of to standard error, outside of [`log_lines_of`]: for tests
/// in which errors are left unread on purpose.
pub(crate) fn log_nowhere() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        log::set_logger(&Logger).expect("the test binary has one logger");
        log::set_max_level(LevelFilter::Trace);
    });
}

/// Runs `body`, and returns what it logged on this thread as `LEVEL: text`.
pub(crate) fn log_lines_of(body: impl FnOnce()) -> Vec<String> {
    log_nowhere();
    LINES.with_borrow_mut(|lines| *lines = Some(Vec::new()));
    body();
    LINES.with_borrow_mut(Option::take).unwrap_or_default()
}

/// Does as [`log_lines_of`], with a logger that calls `then` after each record: to call back into
/// the loop, or to panic.
pub(crate) fn log_lines_with(then: fn(), body: impl FnOnce()) -> Vec<String> {
    INSTEAD.with_borrow_mut(|instead| *instead = Some(then));
    let lines = log_lines_of(body);
    INSTEAD.with_borrow_mut(|instead| *instead = None);
    lines
}

fn kept() -> MutexGuard<'static, Option<Vec<(String, String)>>> {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps what is logged from now on, on any thread.
pub(crate) fn keep_log() {
    log_nowhere();
    kept().get_or_insert_default();
}

/// Takes the lines of threads with names that start with `name`, in order. A test names its threads
/// as no other test does.
pub(crate) fn logged_by(name: &str) -> Vec<String> {
    let mut kept = kept();
    let lines = kept.take().unwrap_or_default();
    let (own, others): (Vec<_>, Vec<_>) =
        lines.into_iter().partition(|(thread, _)| thread.starts_with(name));
    *kept = Some(others);
    own.into_iter().map(|(_, line)| line).collect()
}

/// Takes the lines that this test's own thread has logged.
pub(crate) fn logged_here() -> Vec<String> {
    logged_by(thread::current().name().expect("tests run on threads of their own"))
}
