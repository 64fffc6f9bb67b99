//! [`Trace`]: what happened, a line each, to be asserted whole.

use std::fmt::Display;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Clones are the same trace, on any thread.
#[derive(Clone, Default)]
pub(crate) struct Trace(Arc<Mutex<Vec<String>>>);

impl Trace {
    pub(crate) fn new() -> Trace {
        Trace::default()
    }

    pub(crate) fn push(&self, line: impl Display) {
        let line = line.to_string();
        self.lines().push(line);
    }

    /// A callback that pushes `line`.
    pub(crate) fn says<T: Display>(&self, line: T) -> impl FnOnce() + Send + 'static + use<T> {
        let (trace, line) = (self.clone(), line.to_string());
        move || trace.push(line)
    }

    /// Asserts that these lines are all there is since the last time, in this order.
    #[track_caller]
    pub(crate) fn expect<L: AsRef<str>>(&self, lines: impl IntoIterator<Item = L>) {
        let lines: Vec<String> = lines.into_iter().map(|line| line.as_ref().to_owned()).collect();
        let seen = mem::take(&mut *self.lines());
        assert_eq!(seen, lines);
    }

    /// Asserts that nothing happened since the last time.
    #[track_caller]
    pub(crate) fn expect_nothing(&self) {
        self.expect([""; 0]);
    }

    /// A panic elsewhere doesn't make what was written down less true.
    fn lines(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
