//! The runner's logger: what the helpers log becomes lines of the trace.
//!
//! The `log` crate knows one logger for the whole process, and programs may run on several
//! threads at once: each thread has its own place for the trace that is being made on it.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Once;

use super::trace::Trace;

thread_local! {
    static LISTENING: RefCell<Option<Rc<Trace>>> = const { RefCell::new(None) };
}

struct Logger;

impl log::Log for Logger {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.target().starts_with("callsoon::helpers")
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            LISTENING.with_borrow(|listening| {
                if let Some(trace) = listening {
                    trace.say("log", name_in(&record.args().to_string()));
                }
            });
        }
    }

    fn flush(&self) {}
}

/// The error's name in its text, which is `NAME` for a program's own, and `NAME: MESSAGE` for
/// one that the runtime made.
fn name_in(text: &str) -> &str {
    text.split_once(": ").map_or(text, |(name, _)| name)
}

/// While this lives, what this thread logs is said in `trace`.
pub(crate) struct Listening;

impl Listening {
    pub(crate) fn to(trace: Rc<Trace>) -> Listening {
        static INSTALLED: Once = Once::new();
        INSTALLED.call_once(|| {
            log::set_logger(&Logger).expect("nothing else in this process logs");
            log::set_max_level(log::LevelFilter::Error);
        });
        LISTENING.set(Some(trace));
        Listening
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        LISTENING.set(None);
    }
}
