//! [`logged`]: logs panics, where no caller can receive them.

use crate::logging::{say, shown};
use crate::panics;

/// Runs `body`, most often a drop of a value that a program brought along. A panic in it is logged with
/// `when` in front, and ends here: it must not end the thread's later work.
pub(crate) fn logged(when: &str, body: impl FnOnce()) {
    if let Err(panic) = panics::caught(body) {
        say!(Error, "{when}: {}", shown(&panic));
    }
}
