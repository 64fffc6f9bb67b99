//! [`explained`]: what the system says, and of what.

use callsoon::Error;

/// `error`, which says before anything else what it is that didn't work. A cancellation stays
/// what it is.
pub(crate) fn explained(error: &Error, what: &str) -> Error {
    if error.is_cancelled() {
        return error.clone();
    }
    Error::new(error.kind(), format!("{what}: {}", error.message()))
}
