//! The runner's logger: what the helpers log, and the warnings of lost writes, become lines of the trace.
//!
//! The `log` crate knows one logger for the whole process, and programs may run on several
//! threads at once: each thread has its own place for the trace that is being made on it.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Once;

use log::Level;

use super::trace::Trace;

thread_local! {
    static LISTENING: RefCell<Option<Rc<Trace>>> = const { RefCell::new(None) };
}

struct Logger;

impl log::Log for Logger {
    /// All is taken, so that nothing is printed.
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let text = record.args().to_string();
        let line = match record.level() {
            Level::Error if record.target().starts_with("callsoon::helpers") => name_in(&text),
            Level::Warn if text.ends_with("raised exception.") => text,
            _ => return,
        };
        LISTENING.with_borrow(|listening| {
            if let Some(trace) = listening {
                trace.say("log", line);
            }
        });
    }

    fn flush(&self) {}
}

/// Finds the error's name in its text, which is `NAME` for a program's own, `NAME: MESSAGE` for one
/// that the runtime made, and `ExceptionGroup: MESSAGE [TEXT, TEXT]` for several; with `: ` before
/// it where a message might stand that a program doesn't give.
fn name_in(text: &str) -> String {
    let text = text.strip_prefix(": ").unwrap_or(text);
    let group = text.strip_prefix("ExceptionGroup: ").and_then(|text| text.split_once(" ["));
    if let Some((_, parts)) = group {
        let parts = parts.strip_suffix(']').unwrap_or(parts);
        let names: Vec<String> = split_outside(parts).into_iter().map(name_in).collect();
        return format!("group[{}]", names.join(","));
    }
    text.split_once(": ").map_or(text, |(name, _)| name).to_owned()
}

/// Splits a list into its parts. Commas inside of brackets don't separate them.
fn split_outside(list: &str) -> Vec<&str> {
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0_usize);
    for (at, byte) in list.bytes().enumerate() {
        match byte {
            b'[' => depth += 1,
            b']' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => {
                parts.push(list[start..at].trim_start());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(list[start..].trim_start());
    parts
}

/// While this lives, what this thread logs is said in `trace`.
pub(crate) struct Listening;

/// Installs the logger.
pub(crate) fn take_logs() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        log::set_logger(&Logger).expect("nothing else in this process logs");
        log::set_max_level(log::LevelFilter::Warn);
    });
}

impl Listening {
    pub(crate) fn to(trace: Rc<Trace>) -> Listening {
        take_logs();
        LISTENING.set(Some(trace));
        Listening
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        LISTENING.set(None);
    }
}
