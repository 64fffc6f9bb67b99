//! [`logged`]: panics that belong to nobody who could be told.

use crate::logging::say;
use crate::panics;

/// Runs `body`, most often a drop of what a program brought along. A panic in it is logged,
/// with `when` in front, and goes no further: what comes after `body` is somebody else's.
pub(crate) fn logged(when: &str, body: impl FnOnce()) {
    if let Err(panic) = panics::caught(body) {
        say!(Error, "{when}: {}", panics::shown(&panic));
    }
}
